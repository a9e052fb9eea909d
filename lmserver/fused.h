/* fused.h -- the loops between the matrix products: bias, GELU, LayerNorm, softmax, dot.
 *
 * One source (fused.c) is compiled for plain x86-64, AVX2 and AVX-512; fused_pick() chooses by
 * what the processor can do, so the shipped program runs everywhere. The variants agree up to
 * rounding only: a server's answers are comparable on one machine.
 *
 * Matrices are row-major; `stride` is the distance of rows in floats. No alignment needed. */
#ifndef LMSERVER_FUSED_H
#define LMSERVER_FUSED_H

#include <stddef.h>

struct fused {
    const char *name; /* "plain", "avx2", "avx512" */

    /* x[r][c] += bias[c] */
    void (*bias)(float *x, size_t rows, size_t cols, size_t stride, const float *bias);

    /* x[r][c] = gelu(x[r][c] + bias[c]), gelu(v) = v/2 (1 + erf(v / sqrt 2)); the absolute
     * error stays below 1e-6 for |v| up to 10. */
    void (*gelu)(float *x, size_t rows, size_t cols, const float *bias);

    /* x = LayerNorm(x + y + bias) * gain + shift, row by row, variance over the row's cols
     * (population) plus `eps`. `y` and `bias` may be NULL. */
    void (*norm)(float *x, const float *y, const float *bias, size_t rows, size_t cols,
        const float *const gain_shift[2], float eps);

    /* Each row: exp(scale * (x - max)) over its sum. cols >= 1. */
    void (*softmax)(float *x, size_t rows, size_t cols, size_t stride, float scale);

    /* sum of a[i] * b[i] */
    float (*dot)(const float *a, const float *b, size_t n);
};

extern const struct fused fused_plain, fused_avx2, fused_avx512;

/* The best variant that this processor can run. Thread-safe. */
const struct fused *fused_pick(void);

/* The variant of that name, NULL where unknown or not runnable here. For tests. */
const struct fused *fused_find(const char *name);

#endif
