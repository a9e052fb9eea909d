/* Compiled once per instruction set: FUSED_NAME is the table's name, FUSED_WIDTH the floats
 * in one register. GNU vectors, so that the widths differ by one number only. */
#include "fused.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef FUSED_NAME
#define FUSED_NAME fused_plain
#define FUSED_TEXT "plain"
#define FUSED_WIDTH 4
#endif

#define W ((size_t)FUSED_WIDTH)

typedef float vf __attribute__((vector_size(FUSED_WIDTH * 4)));
typedef int32_t vi __attribute__((vector_size(FUSED_WIDTH * 4)));

/* Macros, not functions: a vector argument has no stable calling convention. */
#define SPLAT(v) ((vf){0} + (v))
#define BITS(v) ((vi)(v))
#define PICK(mask, a, b) ((vf)((BITS(a) & (mask)) | (BITS(b) & ~(mask))))

/* The first n (1..W) floats; the others get `fill`. The whole register is the usual case and
 * must not become a call. */
#define LOAD(ret, p, n, fill)                                                               \
    do {                                                                                    \
        if ((n) == W) {                                                                     \
            memcpy(&(ret), (p), sizeof(vf));                                                \
        } else {                                                                            \
            (ret) = SPLAT(fill);                                                            \
            memcpy(&(ret), (p), (n) * sizeof(float));                                       \
        }                                                                                   \
    } while (0)

#define STORE(p, v, n)                                                                      \
    do {                                                                                    \
        if ((n) == W)                                                                       \
            memcpy((p), &(v), sizeof(vf));                                                  \
        else                                                                                \
            memcpy((p), &(v), (n) * sizeof(float));                                         \
    } while (0)

/* exp(x) for x in about [-87, 88]; beyond it the ends of that range. Cephes' expf: x = n ln 2
 * + r with |r| <= ln 2 / 2, a polynomial for e^r, n into the exponent. Adding 1.5 x 2^23
 * rounds to the nearest integer and leaves it in the low bits. Relative error about 1e-7. */
#define EXP(ret, arg)                                                                       \
    do {                                                                                    \
        vf ex_ = (arg), en_, er_, ep_;                                                      \
        ex_ = PICK(ex_ < -87.0f, SPLAT(-87.0f), ex_);                                       \
        ex_ = PICK(ex_ > 88.0f, SPLAT(88.0f), ex_);                                         \
        en_ = ex_ * 1.44269504088896341f + 12582912.0f;                                     \
        er_ = en_ - 12582912.0f;                                                            \
        er_ = (ex_ - er_ * 0.693359375f) + er_ * 2.12194440e-4f;                            \
        ep_ = er_ * 1.9875691500e-4f + 1.3981999507e-3f;                                    \
        ep_ = ep_ * er_ + 8.3334519073e-3f;                                                 \
        ep_ = ep_ * er_ + 4.1665795894e-2f;                                                 \
        ep_ = ep_ * er_ + 1.6666665459e-1f;                                                 \
        ep_ = ep_ * er_ + 5.0000001201e-1f;                                                 \
        ep_ = ep_ * (er_ * er_) + er_ + 1.0f;                                               \
        (ret) = (vf)(BITS(ep_) + ((BITS(en_) - 0x4b400000) << 23));                         \
    } while (0)

static float lanes_sum(const vf *v)
{
    float s = 0;

    for (size_t i = 0; i < W; i++)
        s += (*v)[i];
    return s;
}

static float lanes_max(const vf *v)
{
    float m = (*v)[0];

    for (size_t i = 1; i < W; i++)
        m = (*v)[i] > m ? (*v)[i] : m;
    return m;
}

static void run_bias(float *x, size_t rows, size_t cols, size_t stride, const float *bias)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            x[r * stride + c] += bias[c];
}

/* Abramowitz and Stegun 7.1.26: erfc(z) = (a1 t + ... + a5 t^5) exp(-z^2), t = 1 / (1 + p z),
 * z >= 0, absolute error 1.5e-7. The sign of x chooses between 1 - erfc/2 and erfc/2, so the
 * negative tail does not suffer from cancellation. */
#define GELU(ret, arg)                                                                      \
    do {                                                                                    \
        vf gx_ = (arg), gz_, gt_, gp_, ge_;                                                 \
        vi neg_ = gx_ < 0.0f;                                                               \
        gz_ = PICK(neg_, -gx_, gx_) * 0.70710678118654752f;                                 \
        gt_ = 1.0f / (gz_ * 0.3275911f + 1.0f);                                             \
        gp_ = gt_ * 1.061405429f - 1.453152027f;                                            \
        gp_ = gp_ * gt_ + 1.421413741f;                                                     \
        gp_ = gp_ * gt_ - 0.284496736f;                                                     \
        gp_ = gp_ * gt_ + 0.254829592f;                                                     \
        EXP(ge_, -(gz_ * gz_));                                                             \
        gp_ = gp_ * gt_ * ge_ * 0.5f;                                                       \
        (ret) = gx_ * PICK(neg_, gp_, 1.0f - gp_);                                          \
    } while (0)

static void run_gelu(float *x, size_t rows, size_t cols, const float *bias)
{
    for (size_t r = 0; r < rows; r++, x += cols) {
        for (size_t c = 0; c < cols; c += W) {
            size_t n = cols - c < W ? cols - c : W;
            vf v, b;

            LOAD(v, x + c, n, 0.0f);
            LOAD(b, bias + c, n, 0.0f);
            GELU(v, v + b);
            STORE(x + c, v, n);
        }
    }
}

/* x += y + bias where they are there; returns the sum of the row. */
static float row_add(float *x, const float *y, const float *bias, size_t cols)
{
    vf sum = {0};

    for (size_t c = 0; c < cols; c += W) {
        size_t n = cols - c < W ? cols - c : W;
        vf v, t;

        LOAD(v, x + c, n, 0.0f);
        if (y) {
            LOAD(t, y + c, n, 0.0f);
            v += t;
        }
        if (bias) {
            LOAD(t, bias + c, n, 0.0f);
            v += t;
        }
        sum += v;
        STORE(x + c, v, n);
    }
    return lanes_sum(&sum);
}

static float row_spread(const float *x, size_t cols, float mean)
{
    vf sum = {0};

    for (size_t c = 0; c < cols; c += W) {
        size_t n = cols - c < W ? cols - c : W;
        vf v;

        LOAD(v, x + c, n, mean);
        v -= mean;
        sum += v * v;
    }
    return lanes_sum(&sum);
}

static void run_norm(float *x, const float *y, const float *bias, size_t rows, size_t cols,
    const float *const gain_shift[2], float eps)
{
    for (size_t r = 0; r < rows; r++, x += cols) {
        float mean = row_add(x, y ? y + r * cols : NULL, bias, cols) / (float)cols;
        float scale = 1.0f / sqrtf(row_spread(x, cols, mean) / (float)cols + eps);

        for (size_t c = 0; c < cols; c++)
            x[c] = (x[c] - mean) * scale * gain_shift[0][c] + gain_shift[1][c];
    }
}

static void run_softmax(float *x, size_t rows, size_t cols, size_t stride, float scale)
{
    for (size_t r = 0; r < rows; r++, x += stride) {
        vf v, top = SPLAT(-INFINITY), sum = {0};
        float max, inv;

        for (size_t c = 0; c < cols; c += W) {
            LOAD(v, x + c, cols - c < W ? cols - c : W, -INFINITY);
            top = PICK(v > top, v, top);
        }
        max = lanes_max(&top);
        for (size_t c = 0; c < cols; c += W) {
            size_t n = cols - c < W ? cols - c : W;

            LOAD(v, x + c, n, max);
            EXP(v, (v - max) * scale);
            STORE(x + c, v, n);
            if (n < W) { /* the filled lanes are no part of the sum */
                for (size_t i = n; i < W; i++)
                    v[i] = 0;
            }
            sum += v;
        }
        inv = 1.0f / lanes_sum(&sum);
        for (size_t c = 0; c < cols; c++)
            x[c] *= inv;
    }
}

static float run_dot(const float *a, const float *b, size_t n)
{
    vf sum = {0};

    for (size_t i = 0; i < n; i += W) {
        size_t k = n - i < W ? n - i : W;
        vf x, y;

        LOAD(x, a + i, k, 0.0f);
        LOAD(y, b + i, k, 0.0f);
        sum += x * y;
    }
    return lanes_sum(&sum);
}

const struct fused FUSED_NAME = {
    FUSED_TEXT, run_bias, run_gelu, run_norm, run_softmax, run_dot};
