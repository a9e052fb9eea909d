/* cma_state.h -- what is inside struct cma. Internal to src/num/cma*.c.
 *
 * C is kept as of its last decomposition, as a packed lower triangle. What the
 * generations since then add to it waits as `pend` (vectors with signed coefficients)
 * and is added by two dsyrk right before the next decomposition: nothing reads C in
 * between, one product of rank 100 is many times cheaper than five of rank 20, and the
 * image stays small. */
#ifndef NUM_CMA_STATE_H
#define NUM_CMA_STATE_H

#include "num/cma.h"
#include "num/cma_par.h"

#define CMA_DOUBLES_MAX ((size_t)1 << 28) /* 2 GiB per optimiser */

struct cma_rank {
    double loss;
    size_t row;
};

/* Saved as it is: only 8-byte fields. */
struct cma_now {
    double sigma;
    double tpa;    /* smoothed rank difference of two-point adaptation */
    double decay;  /* what C shrinks by when the pending vectors are added */
    double spread; /* range of the last losses */
    uint64_t generation;
    uint64_t eig_at;     /* generation of the last decomposition */
    uint64_t decomposed; /* 0: C is still its start, a diagonal */
    uint64_t pend_nr;    /* pending vectors */
    uint64_t hist_nr;    /* losses in `hist` */
    uint64_t hist_at;    /* where the next one goes */
    uint64_t flat;       /* flat generations in a row */
    uint64_t numeric;    /* 1: out of the range of doubles */
};

struct cma {
    struct cma_opts opts;
    struct cma_par par;
    struct cma_now now;
    size_t n, lambda;
    size_t c_nr;     /* doubles in `cov` */
    size_t pend_max; /* vectors */
    size_t hist_max;
    bool asked;      /* `x` holds the open generation */
    bool owed;       /* `b` and `d` are to be made: cma_settle() */
    bool hsig;       /* of the last tell */
    uint64_t eig_id; /* hash of `b` and `d` */
    double *mem;     /* the one block behind the pointers below */

    /* saved: one run of doubles from `mean` to the last used row of `pend` */
    double *mean, *ps, *pc, *shift, *hist, *coef, *cov, *pend;

    /* not saved: made again from the above, or scratch */
    double *b;         /* n x n, row i = eigenvector i; NULL where separable */
    double *d;         /* n square roots of eigenvalues, ascending where full */
    double *weight;    /* lambda */
    double *step;      /* lambda coefficients of the last tell's steps, by rank */
    double *x, *y, *t; /* lambda x n: candidates; steps by rank; whitened */
    double *v;         /* 4 x n scratch */
    double *group;     /* pend_max x n */
    double *work;      /* of dsyevd */
    int *iwork;
    struct cma_rank *rank;
};

/* Doubles in the saved run: from `mean`, up to the pending vectors in use. */
size_t cma_state_doubles(const struct cma *c);

/* Checks the options and fills the sizes of `c`, *ret_doubles the size of its block. */
enum bbt_rc cma_state_size(struct cma *c, const struct cma_opts *opts,
    size_t *ret_doubles, struct bbt_err *err);

/* An optimiser with all numbers zero but weights and rates. */
enum bbt_rc cma_state_new(
    const struct cma_opts *opts, struct cma **ret, struct bbt_err *err);

/* The following are cma_cov.c's. C, b and d at their start. */
void cma_cov_start(struct cma *c);

/* Adds what is pending to C, then b and d from C. False where C is not positive definite;
 * then everything is back at its start. */
bool cma_cov_decompose(struct cma *c);

/* t = C^(-1/2) y for `rows` steps, in the eigenbasis: t = y b' / d. */
void cma_cov_whiten(const struct cma *c, const double *y, size_t rows, double *t);

/* x = the steps that `t` in the eigenbasis stands for: x = (t d) b. Scales `t` in place. */
void cma_cov_shape(const struct cma *c, double *t, size_t rows, double *x);

/* One vector out of the eigenbasis, unscaled: ret = t b. */
void cma_cov_back(const struct cma *c, const double *t, double *ret);

/* c->step from the whitened c->t. */
void cma_cov_steps(struct cma *c);

/* Learns from the ranked steps c->y, their coefficients c->step, the path c->pc and
 * c->hsig. When it is time it decomposes, or, with `later`, brings C up to date and
 * owes the rest. */
void cma_cov_learn(struct cma *c, bool later);

/* What is owed: b and d of C as it is, without what is pending. False where C is not
 * positive definite. */
bool cma_cov_settle(struct cma *c);

/* Variance of coordinate i, as of the last decomposition. */
double cma_cov_var(const struct cma *c, size_t i);

#endif
