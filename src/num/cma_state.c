#include "num/cma_state.h"

#include "base/alloc.h"

#include <math.h>

static bool good(double v, double low)
{
    return isfinite(v) && v >= low;
}

static enum bbt_rc check(const struct cma_opts *o, struct bbt_err *err)
{
    size_t dim_max = o->kind == CMA_SEPARABLE ? CMA_DIM_MAX_SEP : CMA_DIM_MAX;
    const struct cma_tol *t = &o->tol;

    if (o->kind != CMA_FULL && o->kind != CMA_SEPARABLE)
        return bbt_fail(
            err, BBT_INVALID, "no such kind of covariance: %d", (int)o->kind);
    if (o->step != CMA_STEP_CSA && o->step != CMA_STEP_TPA)
        return bbt_fail(err, BBT_INVALID, "no such step rule: %d", (int)o->step);
    if (o->dim < 1 || o->dim > dim_max)
        return bbt_fail(
            err, BBT_INVALID, "dimension %zu is not in 1..%zu", o->dim, dim_max);
    if (o->popsize != 0 && (o->popsize < 4 || o->popsize > CMA_POPSIZE_MAX))
        return bbt_fail(err, BBT_INVALID, "population %zu is not in 4..%d", o->popsize,
            CMA_POPSIZE_MAX);
    if (!good(o->sigma0, 1e-100) || o->sigma0 > 1e100)
        return bbt_fail(err, BBT_INVALID, "first step %g is not usable", o->sigma0);
    if (!good(o->bound, 0.0) ||
        (o->bound > 0.0 && (o->bound < 1e-100 || o->bound > 1e100)))
        return bbt_fail(err, BBT_INVALID, "bound %g is not usable", o->bound);
    if (!good(t->fun, 0.0) || !good(t->funhist, 0.0) || !good(t->x, 0.0) ||
        !good(t->facupx, 0.0) || !good(t->condition, 0.0))
        return bbt_fail(err, BBT_INVALID, "a stop threshold is not a number >= 0");
    return BBT_OK;
}

static size_t saved_fixed(const struct cma *c)
{
    return 4 * c->n + c->hist_max + c->pend_max + c->c_nr;
}

size_t cma_state_doubles(const struct cma *c)
{
    return saved_fixed(c) + (size_t)c->now.pend_nr * c->n;
}

enum bbt_rc cma_state_size(struct cma *c, const struct cma_opts *opts,
    size_t *ret_doubles, struct bbt_err *err)
{
    enum bbt_rc rc = check(opts, err);
    size_t n = opts->dim, doubles;
    bool full = opts->kind == CMA_FULL;
    double *weight;

    if (rc != BBT_OK)
        return rc;
    c->opts = *opts;
    c->n = n;
    c->lambda = opts->popsize ? opts->popsize : cma_par_popsize(n);
    c->opts.popsize = c->lambda;
    weight = bbt_alloc_array(c->lambda, sizeof *weight);
    if (!weight)
        return bbt_fail(err, BBT_NOMEM, "no memory for the optimiser");
    cma_par_set(n, c->lambda, opts->active, !full, &c->par, weight);
    bbt_free(weight);
    c->c_nr = full ? n * (n + 1) / 2 : n;
    c->pend_max = full ? (size_t)fmax(1.0, ceil(c->par.gap)) * (c->lambda + 1) : 0;
    c->hist_max = 10 + 30 * n / c->lambda;
    doubles =
        saved_fixed(c) + 2 * c->pend_max * n + 3 * c->lambda * n + 5 * n + 2 * c->lambda;
    if (full)
        doubles += n * n + 1 + 6 * n + 2 * n * n;
    doubles += 16 * 8; /* alignment */
    if (doubles > CMA_DOUBLES_MAX)
        return bbt_fail(err, BBT_INVALID,
            "dimension %zu with population %zu needs more than 2 GiB", n, c->lambda);
    *ret_doubles = doubles;
    return BBT_OK;
}

/* Cache lines of 64 bytes: equal addresses modulo a line in every run, so that no
 * kernel can choose its path by alignment. */
static double *take(double **at, size_t n)
{
    uintptr_t p = ((uintptr_t)*at + 63) & ~(uintptr_t)63;
    double *v = (double *)p;

    *at = v + n;
    return v;
}

static void carve(struct cma *c)
{
    size_t n = c->n, rows = c->lambda * n;
    double *at = c->mem;

    c->mean = take(&at, saved_fixed(c) + c->pend_max * n);
    c->ps = c->mean + n;
    c->pc = c->ps + n;
    c->shift = c->pc + n;
    c->hist = c->shift + n;
    c->coef = c->hist + c->hist_max;
    c->cov = c->coef + c->pend_max;
    c->pend = c->cov + c->c_nr;
    c->d = take(&at, n);
    c->weight = take(&at, c->lambda);
    c->step = take(&at, c->lambda);
    c->x = take(&at, rows);
    c->y = take(&at, rows);
    c->t = take(&at, rows);
    c->v = take(&at, 4 * n);
    c->group = take(&at, c->pend_max * n);
    if (c->opts.kind == CMA_FULL) {
        c->b = take(&at, n * n);
        c->work = take(&at, 1 + 6 * n + 2 * n * n);
    }
}

enum bbt_rc cma_state_new(
    const struct cma_opts *opts, struct cma **ret, struct bbt_err *err)
{
    struct cma *c = bbt_calloc(1, sizeof *c);
    size_t doubles = 0;
    enum bbt_rc rc;

    if (!c)
        return bbt_fail(err, BBT_NOMEM, "no memory for the optimiser");
    rc = cma_state_size(c, opts, &doubles, err);
    if (rc != BBT_OK)
        goto out;
    c->mem = bbt_calloc(doubles, sizeof *c->mem);
    c->rank = bbt_alloc_array(c->lambda, sizeof *c->rank);
    c->iwork = bbt_alloc_array(3 + 5 * c->n, sizeof *c->iwork);
    if (!c->mem || !c->rank || !c->iwork) {
        rc = bbt_fail(err, BBT_NOMEM, "no memory for the optimiser");
        goto out;
    }
    carve(c);
    cma_par_set(
        c->n, c->lambda, opts->active, opts->kind == CMA_SEPARABLE, &c->par, c->weight);
    *ret = c;
    c = NULL;
out:
    cma_free(c);
    return rc;
}
