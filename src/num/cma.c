#include "num/cma.h"

#include "base/alloc.h"
#include "num/cma_state.h"
#include "num/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void cma_opts_init(struct cma_opts *opts, size_t dim)
{
    *opts = (struct cma_opts){
        .dim = dim,
        .sigma0 = 0.5,
        .active = true,
        .tol = {.flat = 1,
            .fun = 1e-11,
            .funhist = 1e-12,
            .x = 1e-11,
            .facupx = 1e3,
            .condition = 1e14},
    };
}

enum bbt_rc cma_new(const struct cma_opts *opts, const double *x0, struct cma **ret,
    struct bbt_err *err)
{
    struct cma *c = NULL;
    enum bbt_rc rc = cma_state_new(opts, &c, err);

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; x0 && i < c->n; i++) {
        if (!isfinite(x0[i])) {
            cma_free(c);
            return bbt_fail(
                err, BBT_INVALID, "start point: coordinate %zu is not finite", i);
        }
        c->mean[i] = x0[i];
    }
    c->now.sigma = opts->sigma0;
    cma_cov_start(c);
    *ret = c;
    return BBT_OK;
}

void cma_free(struct cma *c)
{
    if (!c)
        return;
    bbt_free(c->mem);
    bbt_free(c->rank);
    bbt_free(c->iwork);
    bbt_free(c);
}

size_t cma_dim(const struct cma *c)
{
    return c->n;
}

size_t cma_popsize(const struct cma *c)
{
    return c->lambda;
}

const double *cma_mean(const struct cma *c)
{
    return c->mean;
}

double cma_sigma(const struct cma *c)
{
    return c->now.sigma;
}

uint64_t cma_generation(const struct cma *c)
{
    return c->now.generation;
}

double cma_axis_ratio(const struct cma *c)
{
    double low = c->d[0], high = c->d[0];

    assert(!c->owed);
    for (size_t i = 1; i < c->n; i++) {
        low = fmin(low, c->d[i]);
        high = fmax(high, c->d[i]);
    }
    return high / low;
}

static double length(const double *v, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sqrt(sum);
}

/* Rows 0 and 1 of this generation are mirrored along the last shift of the mean. */
static bool two_point(const struct cma *c)
{
    return c->opts.step == CMA_STEP_TPA && length(c->shift, c->n) > 0.0;
}

/* The mirrored pair: along the shift, as long (in C's measure) as the random row 0
 * would have been. `z` is what is left of that row: its length. */
static void put_pair(struct cma *c, double z)
{
    double *white = c->v, len;

    cma_cov_whiten(c, c->shift, 1, white);
    len = length(white, c->n);
    for (size_t j = 0; j < c->n; j++) {
        c->x[j] = c->shift[j] * (z / len);
        c->x[c->n + j] = -c->x[j];
    }
}

const double *cma_ask(struct cma *c)
{
    size_t n = c->n, cells = c->lambda * n;
    double z;

    if (c->asked)
        return c->x;
    assert(!c->owed);
    rng_fill_normal(c->opts.seed, RNG_CMA, c->now.generation * cells, cells, c->t);
    z = length(c->t, n);
    cma_cov_shape(c, c->t, c->lambda, c->x);
    if (two_point(c))
        put_pair(c, z);
    for (size_t k = 0; k < c->lambda; k++)
        for (size_t j = 0; j < n; j++)
            c->x[k * n + j] = c->mean[j] + c->now.sigma * c->x[k * n + j];
    c->asked = true;
    return c->x;
}

enum bbt_rc cma_put(struct cma *c, const double *cand, struct bbt_err *err)
{
    size_t cells = c->lambda * c->n;

    for (size_t i = 0; i < cells; i++)
        if (!isfinite(cand[i]))
            return bbt_fail(err, BBT_INVALID,
                "candidate %zu, coordinate %zu is not finite", i / c->n, i % c->n);
    if (cand != c->x)
        memcpy(c->x, cand, cells * sizeof *cand);
    c->asked = true;
    return BBT_OK;
}

/* pycma's BoundTransform for [-b, b]: the identity up to b - a, then a parabola that
 * reaches b at b + a, then everything mirrored with period 4 (b + a). */
static double fold(double x, double b)
{
    double a = fmin(b, 0.05 * fmax(b, 1.0)), edge = b + a, period = 4.0 * edge;

    x -= period * floor((x + edge) / period); /* [-edge, 3 edge) */
    if (x > edge)
        x = 2.0 * edge - x;
    if (x < a - b)
        return (x + edge) * (x + edge) / (4.0 * a) - b;
    if (x > b - a)
        return b - (x - edge) * (x - edge) / (4.0 * a);
    return x;
}

void cma_point(const struct cma *c, const double *cand, size_t n, double *ret)
{
    for (size_t i = 0; i < n * c->n; i++)
        ret[i] = c->opts.bound > 0.0 ? fold(cand[i], c->opts.bound) : cand[i];
}

static int by_loss(const void *a, const void *b)
{
    const struct cma_rank *p = a, *q = b;

    if (p->loss != q->loss)
        return p->loss < q->loss ? -1 : 1;
    return p->row < q->row ? -1 : p->row > q->row;
}

/* c->rank, and the steps c->y in its order, in units of sigma. From here on nothing
 * depends on the order of the rows. */
static void rank_rows(struct cma *c, const double *loss)
{
    size_t n = c->n;

    for (size_t k = 0; k < c->lambda; k++)
        c->rank[k] = (struct cma_rank){loss[k], k};
    qsort(c->rank, c->lambda, sizeof *c->rank, by_loss);
    for (size_t k = 0; k < c->lambda; k++) {
        const double *row = c->x + c->rank[k].row * n;

        for (size_t j = 0; j < n; j++)
            c->y[k * n + j] = (row[j] - c->mean[j]) / c->now.sigma;
    }
}

/* out = sum over the best mu rows of weight * row. */
static void recombine(const struct cma *c, const double *rows, double *out)
{
    memset(out, 0, c->n * sizeof *out);
    for (size_t k = 0; k < c->par.mu; k++)
        for (size_t j = 0; j < c->n; j++)
            out[j] += c->weight[k] * rows[k * c->n + j];
}

/* Log of the factor for sigma, by the length of its path against a random walk's. */
static double csa(const struct cma *c)
{
    double s = c->par.cs / c->par.ds * (length(c->ps, c->n) / c->par.chi - 1.0);

    return fmax(-1.0, fmin(1.0, s));
}

/* The same by the ranks of the two mirrored rows: is a longer or a shorter step better?
 */
static double tpa(struct cma *c, const double *loss)
{
    double diff = 0.0;

    for (size_t k = 0; k < c->lambda; k++)
        diff += (double)(loss[k] < loss[1]) - (double)(loss[k] < loss[0]);
    diff /= (double)(c->lambda - 1);
    c->now.tpa = 0.7 * c->now.tpa + 0.3 * copysign(sqrt(fabs(diff)), diff);
    return c->now.tpa / (0.7 + 2.0 * log((double)c->n));
}

static void remember_loss(struct cma *c)
{
    const struct cma_rank *r = c->rank;

    c->hist[c->now.hist_at] = r[0].loss;
    c->now.hist_at = (c->now.hist_at + 1) % c->hist_max;
    if (c->now.hist_nr < c->hist_max)
        c->now.hist_nr++;
    c->now.flat = r[0].loss < r[c->lambda * 3 / 4].loss ? 0 : c->now.flat + 1;
    c->now.spread = r[c->lambda - 1].loss - r[0].loss;
}

static bool all_finite(const double *v, size_t n)
{
    bool ok = true;

    for (size_t i = 0; i < n; i++)
        ok &= isfinite(v[i]) != 0;
    return ok;
}

/* The steps' mean c->v, and where it takes the mean: c->v + 3 n. */
static const double *next_mean(struct cma *c)
{
    double *yw = c->v, *mean = c->v + 3 * c->n;

    recombine(c, c->y, yw);
    for (size_t j = 0; j < c->n; j++)
        mean[j] = c->mean[j] + c->now.sigma * yw[j];
    return mean;
}

/* Sigma's path goes on; false (and nothing done) where a number leaves the doubles. This,
 * the coefficients of the steps and sigma are all that a tell needs the eigenbasis for.
 * h_sigma stalls pc while this path is still too long, else C would grow along an axis
 * that sigma is already correcting. */
static bool move_ps(struct cma *c, const double *mean)
{
    const struct cma_par *p = &c->par;
    double *tw = c->v + c->n, *white = c->v + 2 * c->n;
    double ks = sqrt(p->cs * (2.0 - p->cs) * p->mueff), norm;

    cma_cov_whiten(c, c->y, c->lambda, c->t);
    recombine(c, c->t, tw);
    cma_cov_back(c, tw, white);
    norm = length(white, c->n);
    if (!all_finite(mean, c->n) || !all_finite(c->t, c->lambda * c->n) ||
        !(norm < 1e100))
        return false;
    for (size_t j = 0; j < c->n; j++)
        c->ps[j] = (1.0 - p->cs) * c->ps[j] + ks * white[j];
    norm = length(c->ps, c->n);
    norm = norm * norm / (1.0 - pow(1.0 - p->cs, 2.0 * (double)c->now.generation));
    c->hsig = norm / (double)c->n < 2.0 + 4.0 / ((double)c->n + 1.0);
    return true;
}

/* The mean, its shift and C's path. */
static void move_mean(struct cma *c, const double *mean)
{
    const struct cma_par *p = &c->par;
    const double *yw = c->v;
    double kc = sqrt(p->cc * (2.0 - p->cc) * p->mueff);

    for (size_t j = 0; j < c->n; j++) {
        c->shift[j] = mean[j] - c->mean[j];
        c->mean[j] = mean[j];
        c->pc[j] = (1.0 - p->cc) * c->pc[j] + (c->hsig ? kc * yw[j] : 0.0);
    }
}

static double next_sigma(struct cma *c, const double *loss, bool pair)
{
    if (c->opts.step == CMA_STEP_CSA)
        return c->now.sigma * exp(csa(c));
    return pair ? c->now.sigma * exp(tpa(c, loss)) : c->now.sigma;
}

static enum bbt_rc check_losses(
    const struct cma *c, const double *loss, struct bbt_err *err)
{
    for (size_t k = 0; k < c->lambda; k++)
        if (!isfinite(loss[k]))
            return bbt_fail(err, BBT_INVALID, "loss of candidate %zu is not finite", k);
    return BBT_OK;
}

static void close_generation(struct cma *c)
{
    remember_loss(c);
    c->now.generation++;
    c->asked = false;
}

enum bbt_rc cma_tell(struct cma *c, const double *loss, struct bbt_err *err)
{
    bool pair = two_point(c);
    enum bbt_rc rc = check_losses(c, loss, err);
    const double *mean;
    double sigma;

    if (rc != BBT_OK)
        return rc;
    assert(!c->owed);
    (void)cma_ask(c);
    rank_rows(c, loss);
    close_generation(c);
    mean = next_mean(c);
    if (!move_ps(c, mean)) {
        c->now.numeric = 1;
        return BBT_OK;
    }
    move_mean(c, mean);
    cma_cov_steps(c);
    cma_cov_learn(c, false);
    sigma = next_sigma(c, loss, pair);
    if (sigma > 1e-280 && sigma < 1e280)
        c->now.sigma = sigma;
    else
        c->now.numeric = 1;
    return BBT_OK;
}

/* ---- a tell without the eigenbasis ----
 *
 *   f64 sigma | f64 h_sigma, 0 or 1 | f64 ps[dim] | f64 step[popsize]    (native order) */

static size_t trace_doubles(const struct cma *c)
{
    return 2 + c->n + c->lambda;
}

enum bbt_rc cma_trace(const struct cma *c, struct bbt_buf *ret, struct bbt_err *err)
{
    const double head[2] = {c->now.sigma, c->hsig ? 1.0 : 0.0};
    uint8_t *to;

    if (c->now.numeric)
        return BBT_OK;
    assert(c->now.generation > 0 && !c->asked);
    to = buf_extend(ret, trace_doubles(c) * sizeof(double));
    if (!to)
        return bbt_fail(err, BBT_NOMEM, "no room for the trace of a generation");
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, c->ps, c->n * sizeof(double));
    memcpy(to + sizeof head + c->n * sizeof(double), c->step, c->lambda * sizeof(double));
    return BBT_OK;
}

/* `head`: sigma and h_sigma. */
static enum bbt_rc check_trace(const struct cma *c, const char *trace, size_t len,
    double head[2], struct bbt_err *err)
{
    bool ok = true;

    if (len != trace_doubles(c) * sizeof(double))
        return bbt_fail(err, BBT_CORRUPT, "trace of a generation: length does not fit");
    memcpy(head, trace, 2 * sizeof *head);
    for (size_t i = 2; i < len / sizeof(double); i++) {
        double v;

        memcpy(&v, trace + i * sizeof v, sizeof v);
        ok = ok && isfinite(v);
    }
    if (!ok || !(head[0] > 1e-280 && head[0] < 1e280) ||
        (head[1] != 0.0 && head[1] != 1.0))
        return bbt_fail(
            err, BBT_CORRUPT, "trace of a generation: a number is out of range");
    return BBT_OK;
}

enum bbt_rc cma_retell(struct cma *c, const double *loss, const void *trace, size_t len,
    struct bbt_err *err)
{
    const char *from = trace;
    const double *mean;
    bool pair = two_point(c);
    enum bbt_rc rc = check_losses(c, loss, err);
    double head[2] = {0.0, 0.0};

    assert(c->asked); /* drawing needs the basis */
    if (rc == BBT_OK)
        rc = check_trace(c, from, len, head, err);
    if (rc != BBT_OK)
        return rc;
    rank_rows(c, loss);
    mean = next_mean(c);
    if (!all_finite(mean, c->n))
        return bbt_fail(err, BBT_CORRUPT, "trace of a generation: not of these candidates");
    close_generation(c);
    from += sizeof head;
    memcpy(c->ps, from, c->n * sizeof(double));
    memcpy(c->step, from + c->n * sizeof(double), c->lambda * sizeof(double));
    c->hsig = head[1] != 0.0;
    move_mean(c, mean);
    cma_cov_learn(c, true);
    if (pair && c->opts.step == CMA_STEP_TPA)
        (void)tpa(c, loss);
    c->now.sigma = head[0];
    return BBT_OK;
}

enum bbt_rc cma_settle(struct cma *c, struct bbt_err *err)
{
    if (c->owed && !cma_cov_settle(c))
        return bbt_fail(err, BBT_CORRUPT, "the covariance is not positive definite");
    return BBT_OK;
}
