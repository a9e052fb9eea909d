/* proj.h -- the random map from the searched subspace to the soft prompt: p = p0 + A z.
 *
 * A (rows x cols, rows = prompt tokens x embedding width) is never stored: it is a pure
 * function of (seed, dist, std or limit) and is made again, a block of rows at a time,
 * by every proj_apply(). Row t*E + c is channel c of prompt token t. */
#ifndef NUM_PROJ_H
#define NUM_PROJ_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PROJ_COLS_MAX (1u << 16)
#define PROJ_CELLS_MAX ((uint64_t)1 << 34)
#define PROJ_CACHE_BYTES (16u << 20)

enum proj_dist {
    PROJ_UNIFORM, /* the paper: U(-scale/sqrt(cols), scale/sqrt(cols)) */
    PROJ_NORMAL   /* the reference code: N(0, (alpha s / (sqrt(cols) sigma))^2) */
};

struct proj_opts {
    size_t rows, cols;
    enum proj_dist dist;
    uint64_t seed;
    double scale;     /* uniform; 0 means 1 */
    double alpha;     /* normal; 0 means 1 */
    double sigma;     /* normal: the optimiser's first step; 0 means 1 */
    double embed_std; /* normal: population deviation of all input embeddings */
};

struct proj {
    size_t rows, cols;
    enum proj_dist dist;
    uint64_t seed;
    double factor; /* times U[-1,1) or N(0,1) */
    float *a;      /* cache, or NULL; owned */
};

/* Checks sizes and factors. BBT_INVALID. Allocates nothing. */
BBT_NODISCARD enum bbt_rc proj_init(
    struct proj *p, const struct proj_opts *opts, struct bbt_err *err);

/* Keeps A in memory where it takes at most PROJ_CACHE_BYTES; else does nothing. The
 * results of proj_apply() are the same to the bit with and without. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc proj_cache(struct proj *p, struct bbt_err *err);
void proj_fini(struct proj *p); /* frees the cache; a zeroed one is fine */

/* Standard deviation of one element of A. */
double proj_std(const struct proj *p);

/* Row `row` of A: cols floats. */
void proj_row(const struct proj *p, size_t row, float *ret);

/* out (n x rows) = p0 + A z for the n rows of `z` (n x cols). `p0` (rows floats) may be
 * NULL: zero. A row's result depends on that row of z only, to the bit: it does not
 * matter with which others it is computed. z = 0 gives exactly p0. BBT_INVALID where a
 * z is not finite or a result leaves the range of floats, BBT_NOMEM; `out` is then
 * undefined. */
BBT_NODISCARD enum bbt_rc proj_apply(const struct proj *p, const double *z, size_t n,
    const float *p0, float *out, struct bbt_err *err);

#endif
