/* cma.h -- CMA-ES as a value: ask for points, tell their losses, save, load.
 *
 * Pure numerics: no files, no clock, no logging, no threads of its own. Everything that
 * shapes the next ask is in cma_save(), so a run continued from saved bytes is the same
 * run, to the bit, on the same linear algebra library, processor kernel and thread
 * count (cma_digest() tells where it is not). One thread at a time per object.
 *
 * Hansen's tutorial (arXiv 1604.00772) with active weights; where the tutorial and
 * pycma differ (c_sigma, c_mu, h_sigma, the start of C, the eigendecomposition's
 * schedule) the numbers are pycma's. */
#ifndef NUM_CMA_H
#define NUM_CMA_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMA_DIM_MAX 8192           /* full covariance */
#define CMA_DIM_MAX_SEP (1u << 20) /* separable */
#define CMA_POPSIZE_MAX 8192

struct cma; /* opaque: its size depends on dim and popsize */

enum cma_kind {
    CMA_FULL,     /* full covariance */
    CMA_SEPARABLE /* diagonal covariance, pycma's faster separable learning rates */
};

enum cma_step {
    CMA_STEP_CSA, /* cumulative step-size adaptation: the reference */
    CMA_STEP_TPA  /* two-point adaptation, as pycma's */
};

/* Thresholds of cma_stop(); 0 switches one off. */
struct cma_tol {
    unsigned flat;    /* more than so many generations in a row with 3/4 equal losses */
    double fun;       /* range of the losses now and of the best of late */
    double funhist;   /* range of the best of late, after 10 generations */
    double x;         /* every coordinate's deviation */
    double facupx;    /* growth of a coordinate's deviation over sigma0 */
    double condition; /* largest over smallest eigenvalue of C */
};

struct cma_opts {
    size_t dim;
    size_t popsize; /* 0: 4 + floor(3 ln dim); otherwise at least 4 */
    double sigma0;
    uint64_t seed;
    double
        bound; /* > 0: every coordinate of a point lies in [-bound, bound]; 0: none */
    enum cma_kind kind;
    enum cma_step step;
    bool active; /* negative weights */
    struct cma_tol tol;
};

/* Everything at its default (sigma0 0.5, seed 0, no bound, full, CSA, active, pycma's
 * thresholds) for `dim`. */
void cma_opts_init(struct cma_opts *opts, size_t dim);

/* Copies `x0` (dim doubles; NULL means the origin). BBT_INVALID for options out of
 * range, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc cma_new(const struct cma_opts *opts, const double *x0,
    struct cma **ret, struct bbt_err *err);
void cma_free(struct cma *c); /* NULL is fine */

/* The open generation's candidates: popsize x dim, row-major. The same numbers until
 * the next cma_tell(); borrowed until then. These are UNBOUNDED: what is evaluated is
 * cma_point() of a row, what goes into a checkpoint and back into cma_put() is the row.
 */
const double *cma_ask(struct cma *c);

/* Replaces the open generation's candidates by stored ones (popsize x dim, rows as from
 * cma_ask()): what was evaluated wins over what would be drawn now. BBT_INVALID where a
 * number is not finite; then nothing changes. */
BBT_NODISCARD enum bbt_rc cma_put(
    struct cma *c, const double *cand, struct bbt_err *err);

/* The point to evaluate for `n` rows: without a bound a copy, with one pycma's
 * BoundTransform (identity inside, a parabola near the bound, then mirrored). In place
 * is fine. */
void cma_point(const struct cma *c, const double *cand, size_t n, double *ret);

/* loss[i] belongs to row i of the open generation; lower is better. Only the order of
 * the losses shapes the next ask; equal losses keep the order of their rows. Rows
 * permuted together with their losses give the same state (with CMA_STEP_TPA rows 0 and
 * 1 must stay). Closes the generation. BBT_INVALID where a loss is not finite: nothing
 * changes. */
BBT_NODISCARD enum bbt_rc cma_tell(
    struct cma *c, const double *loss, struct bbt_err *err);

size_t cma_dim(const struct cma *c);         /* of the options */
size_t cma_popsize(const struct cma *c);     /* never 0 */
const double *cma_mean(const struct cma *c); /* unbounded; borrowed until cma_tell() */
double cma_sigma(const struct cma *c);
uint64_t cma_generation(const struct cma *c); /* closed generations */
double cma_axis_ratio(const struct cma *c); /* of the last decomposition; 1 = a ball */

/* True where a criterion says that going on is pointless. *ret_reason (may be NULL) is
 * then one of "tolflatfitness", "tolfun", "tolfunhist", "tolx", "tolfacupx",
 * "condition", "noeffectcoord", "numeric" (static strings). "numeric" cannot be
 * switched off: C or sigma left the range of doubles. Budgets are the caller's. */
bool cma_stop(const struct cma *c, const char **ret_reason);

/* Appends a versioned, digest-protected image. The open generation's candidates are not
 * in it: cma_ask() draws them again, or the caller puts them. Errors of buf_put(). */
BBT_NODISCARD enum bbt_rc cma_save(
    const struct cma *c, struct bbt_buf *b, struct bbt_err *err);

/* Inverse of cma_save(). BBT_CORRUPT where the bytes are not what cma_save() wrote. */
BBT_NODISCARD enum bbt_rc cma_load(
    const void *bytes, size_t len, struct cma **ret, struct bbt_err *err);

/* Resuming without an eigendecomposition per generation (half a second each at dim 1000).
 *
 * cma_trace() appends what the last cma_tell() learned with the help of the eigenbasis:
 * sigma, its path, the coefficients of the steps. Nothing where the state is "numeric".
 * After cma_load_owing() the basis is still to be made: until cma_settle(), only
 * cma_put(), cma_retell(), cma_point(), cma_generation(), cma_dim(), cma_popsize() and
 * cma_free() may be called. cma_retell() closes the generation that cma_put() filled as
 * cma_tell() did, to the bit, and takes from the trace what it cannot compute;
 * BBT_INVALID as cma_tell(), BBT_CORRUPT where the trace is none of this optimiser; then
 * nothing changes. It may leave the basis to be made again. cma_settle() makes it, at
 * once where it stands already; BBT_CORRUPT where C has none: then only cma_free(). */
BBT_NODISCARD enum bbt_rc cma_trace(
    const struct cma *c, struct bbt_buf *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc cma_load_owing(
    const void *bytes, size_t len, struct cma **ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc cma_retell(struct cma *c, const double *loss,
    const void *trace, size_t len, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc cma_settle(struct cma *c, struct bbt_err *err);

/* Short identity of the state (that is, of everything that shapes the next ask and
 * cma_stop(), the decomposition included). Equal before cma_save() and after cma_load()
 * exactly where the run goes on to the bit. */
uint64_t cma_digest(const struct cma *c);

#endif
