/* Numbers on the wire: byte order, and half precision against IEEE's own definition. */
#include "prov/tensor.h"
#include "unit.h"

#include <math.h>

static void names_and_sizes(void **state)
{
    static const char *const names[] = {"INT32", "INT64", "FP16", "BF16", "FP32", "FP64"};
    static const size_t sizes[] = {4, 8, 2, 2, 4, 8};

    (void)state;
    for (int i = 0; i < 6; i++) {
        enum prov_type t = tensor_type_parse(names[i]);

        assert_int_not_equal(t, PROV_TYPE_NONE);
        assert_int_equal(tensor_size(t), sizes[i]);
        assert_string_equal(tensor_type_name(t), names[i]);
        assert_int_equal(tensor_is_int(t), i < 2);
    }
    assert_int_equal(tensor_type_parse("none"), PROV_TYPE_NONE);
    assert_int_equal(tensor_type_parse("fp32"), PROV_TYPE_NONE);
    assert_int_equal(tensor_type_parse(NULL), PROV_TYPE_NONE);
}

static void whole_numbers_are_little_endian(void **state)
{
    static const uint8_t want[] = {2, 1, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t out[12];

    (void)state;
    (void)tensor_put_int(tensor_put_int(out, PROV_INT32, 258, 1), PROV_INT64, -2, 1);
    assert_memory_equal(out, want, sizeof want);
    assert_true(tensor_get(out, PROV_INT32) == 258);
    assert_true(tensor_get(out + 4, PROV_INT64) == -2);
}

static void reals_keep_their_bits(void **state)
{
    static const float v[] = {0, -0.0f, 1.5f, -3.4028235e38f, 1e-45f};
    static const uint8_t one_and_a_half[] = {0, 0, 0xc0, 0x3f};
    uint8_t out[8];

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(tensor_put_real(out, PROV_FP32, &v[i], 1), out + 4);
        assert_true((float)tensor_get(out, PROV_FP32) == v[i]);
        assert_ptr_equal(tensor_put_real(out, PROV_FP64, &v[i], 1), out + 8);
        assert_true(tensor_get(out, PROV_FP64) == (double)v[i]);
    }
    (void)tensor_put_real(out, PROV_FP32, &v[2], 1);
    assert_memory_equal(out, one_and_a_half, 4);
}

/* Value of a half-precision pattern, straight from the definition of the format. */
static double pattern_value(unsigned bits, int exp_bits, int man_bits)
{
    unsigned e = bits >> man_bits & ((1u << exp_bits) - 1), m = bits & ((1u << man_bits) - 1);
    int bias = (1 << (exp_bits - 1)) - 1;
    double v;

    if (e == (1u << exp_bits) - 1)
        v = m ? (double)NAN : (double)INFINITY;
    else if (e == 0)
        v = ldexp(m, 1 - bias - man_bits);
    else
        v = ldexp((double)(m + (1u << man_bits)), (int)e - bias - man_bits);
    return bits >> 15 ? -v : v;
}

static unsigned put_half(enum prov_type t, float v)
{
    uint8_t out[2];

    (void)tensor_put_real(out, t, &v, 1);
    return (unsigned)(out[0] | out[1] << 8);
}

/* Every pattern is read right and written back; the value half-way to its neighbour goes to
 * the even one, the next floats on both sides of it to the nearer one. */
static void all_patterns(enum prov_type t, int exp_bits, int man_bits)
{
    unsigned inf = ((1u << exp_bits) - 1) << man_bits;

    for (unsigned bits = 0; bits < 0x10000; bits++) {
        double v = pattern_value(bits, exp_bits, man_bits);
        uint8_t raw[2] = {(uint8_t)bits, (uint8_t)(bits >> 8)};
        unsigned up = bits + 1, even = bits & 1 ? up : bits;
        double next = pattern_value(up, exp_bits, man_bits);
        float mid;

        if (isnan(v)) {
            assert_true(isnan(tensor_get(raw, t)));
            assert_true(isnan(pattern_value(put_half(t, (float)v), exp_bits, man_bits)));
            continue;
        }
        assert_true(tensor_get(raw, t) == v);
        assert_int_equal(put_half(t, (float)v), bits);
        if ((bits & 0x7fff) == inf)
            continue;
        if ((up & 0x7fff) == inf) /* as if the next power of two were a number */
            next = ldexp(bits >> 15 ? -1 : 1, 1 << (exp_bits - 1));
        mid = (float)((v + next) / 2);
        if ((double)mid != (v + next) / 2)
            continue; /* between two subnormal floats, so no float is half-way */
        assert_int_equal(put_half(t, mid), even);
        assert_int_equal(put_half(t, nextafterf(mid, (float)v)), bits);
        assert_int_equal(put_half(t, nextafterf(mid, bits >> 15 ? -INFINITY : INFINITY)), up);
    }
}

static void half_precision_rounds_to_nearest_even(void **state)
{
    (void)state;
    all_patterns(PROV_FP16, 5, 10);
    all_patterns(PROV_BF16, 8, 7);
    assert_int_equal(put_half(PROV_FP16, 1e30f), 0x7c00);
    assert_int_equal(put_half(PROV_FP16, -1e30f), 0xfc00);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sizes),
        cmocka_unit_test(whole_numbers_are_little_endian),
        cmocka_unit_test(reals_keep_their_bits),
        cmocka_unit_test(half_precision_rounds_to_nearest_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
