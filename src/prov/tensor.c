#include "prov/tensor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[PROV_TYPE_NR] = {
    [PROV_TYPE_NONE] = {"none", 0},
    [PROV_INT32] = {"INT32", 4},
    [PROV_INT64] = {"INT64", 8},
    [PROV_FP16] = {"FP16", 2},
    [PROV_BF16] = {"BF16", 2},
    [PROV_FP32] = {"FP32", 4},
    [PROV_FP64] = {"FP64", 8},
};

size_t tensor_size(enum prov_type t)
{
    return types[t].size;
}

const char *tensor_type_name(enum prov_type t)
{
    return types[t].name;
}

enum prov_type tensor_type_parse(const char *name)
{
    for (int t = PROV_TYPE_NONE + 1; t < PROV_TYPE_NR; t++)
        if (name && !strcmp(name, types[t].name))
            return (enum prov_type)t;
    return PROV_TYPE_NONE;
}

bool tensor_is_int(enum prov_type t)
{
    return t == PROV_INT32 || t == PROV_INT64;
}

static uint8_t *put_le(uint8_t *at, uint64_t bits, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(bits >> (8 * i));
    return at + size;
}

static uint64_t get_le(const uint8_t *at, size_t size)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)at[i] << (8 * i);
    return bits;
}

uint8_t *tensor_put_int(uint8_t *at, enum prov_type t, int32_t v, size_t n)
{
    assert(tensor_is_int(t));
    for (size_t i = 0; i < n; i++)
        at = put_le(at, (uint64_t)(int64_t)v, types[t].size);
    return at;
}

/* Upper half of a float, rounded to nearest even. Not a number stays one. */
static uint16_t bf16_of(float v)
{
    uint32_t b;

    memcpy(&b, &v, sizeof b);
    if (isnan(v))
        return (uint16_t)(b >> 16 | 0x40);
    return (uint16_t)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}

/* IEEE binary16: scaled to a whole number of units in the last place and rounded there by
 * the FPU's own nearest-even, so that subnormals need no case of their own. */
static uint16_t fp16_of(float v)
{
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    double a = fabs((double)v);
    long units;
    int e;

    if (isnan(v))
        return (uint16_t)(sign | 0x7e00);
    if (a >= 65520)
        return (uint16_t)(sign | 0x7c00);
    (void)frexp(a, &e); /* a = f * 2^e, 0.5 <= f < 1 */
    if (e < -13 || a == 0)
        e = -13;
    units = lrint(ldexp(a, 11 - e)); /* 11 significant bits */
    /* A carry out of the mantissa runs into the exponent, as it should. */
    return (uint16_t)(sign | ((long)(e + 13) * 1024 + units));
}

uint8_t *tensor_put_real(uint8_t *at, enum prov_type t, const float *v, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (t == PROV_FP32) { /* megabytes per request: memory is the wire already */
        memcpy(at, v, n * sizeof *v);
        return at + n * sizeof *v;
    }
#endif
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = 0;
        uint32_t single;
        double wide = (double)v[i];

        memcpy(&single, &v[i], sizeof single);
        switch (t) {
        case PROV_FP16:
            bits = fp16_of(v[i]);
            break;
        case PROV_BF16:
            bits = bf16_of(v[i]);
            break;
        case PROV_FP64:
            memcpy(&bits, &wide, sizeof bits);
            break;
        default:
            assert(t == PROV_FP32);
            bits = single;
        }
        at = put_le(at, bits, types[t].size);
    }
    return at;
}

size_t tensor_pack(float *v, enum prov_type t, size_t n)
{
    uint8_t *at = (uint8_t *)v;

    assert(types[t].size <= sizeof *v);
    for (size_t i = 0; i < n; i++) { /* it does not overtake what it reads */
        float x = v[i];

        at = tensor_put_real(at, t, &x, 1);
    }
    return n * types[t].size;
}

static double fp16_value(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double a;

    if (e == 31)
        a = m ? NAN : INFINITY;
    else if (e)
        a = ldexp(1024 + m, e - 25);
    else
        a = ldexp(m, -24);
    return h & 0x8000 ? -a : a;
}

double tensor_get(const uint8_t *at, enum prov_type t)
{
    uint64_t bits = get_le(at, types[t].size);
    uint32_t half = (uint32_t)bits;
    float single;
    double wide;

    switch (t) {
    case PROV_INT32:
        return (double)(int32_t)half;
    case PROV_INT64:
        return (double)(int64_t)bits;
    case PROV_FP16:
        return fp16_value((uint16_t)bits);
    case PROV_BF16:
        half <<= 16;
        __attribute__((fallthrough));
    case PROV_FP32:
        memcpy(&single, &half, sizeof single);
        return (double)single;
    case PROV_FP64:
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    default:
        assert(t != PROV_TYPE_NONE);
        return NAN;
    }
}
