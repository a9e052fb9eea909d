/* rng.h -- random numbers without a generator state: each is a pure function of
 * (seed, stream, index), so a resumed run needs no generator to be saved.
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
 * 2011): key = seed, counter = (block, stream). Log, sine and cosine are our own
 * polynomials, so the numbers do not depend on the C library or on the processor. Seed
 * 0 is a seed like any other. The double and the float functions draw from the same
 * bits: give each use its own stream. Thread-safe: no state. */
#ifndef NUM_RNG_H
#define NUM_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Streams of one job's seed. Append only: a number that moves changes old runs. */
enum rng_stream {
    RNG_CMA = 1,  /* candidates of the optimiser */
    RNG_PROJ = 2, /* the projection matrix */
    RNG_SPLIT = 3,
    RNG_INIT = 4, /* words of the initial prompt */
    RNG_DEMO = 5, /* demonstrations; the order k has stream RNG_DEMO + k * 2^32 */
    RNG_TEST = 99
};

/* The block function itself: `ctr` and `key` as in the Random123 known-answer file. */
void philox4x32_10(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);

/* 64 random bits; index < 2^64. */
uint64_t rng_u64(uint64_t seed, uint64_t stream, uint64_t index);

/* 53 random bits as a double in [0, 1). */
double rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal (Box-Muller; index 2k and 2k+1 share one block). |result| < 8.6. */
double rng_normal(uint64_t seed, uint64_t stream, uint64_t index);

/* out[i] = rng_normal(seed, stream, first + i), to the bit. */
void rng_fill_normal(
    uint64_t seed, uint64_t stream, uint64_t first, size_t n, double *out);

/* Floats for big matrices, four per block. Uniform on [-1, 1) in steps of 2^-23;
 * standard normal with |result| < 6.7. Element i depends on first + i only. */
void rng_fill_uniformf(
    uint64_t seed, uint64_t stream, uint64_t first, size_t n, float *out);
void rng_fill_normalf(
    uint64_t seed, uint64_t stream, uint64_t first, size_t n, float *out);

/* Unbiased integer in [0, n); n > 0. */
uint64_t rng_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);

/* perm = a uniform permutation of 0..n-1 (Fisher-Yates from the end). n <= 2^32. */
void rng_shuffle(uint64_t seed, uint64_t stream, size_t n, uint32_t *perm);

#endif
