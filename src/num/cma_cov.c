#include "num/cma_state.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

static bool separable(const struct cma *c)
{
    return c->opts.kind == CMA_SEPARABLE;
}

static size_t packed(size_t i, size_t j)
{
    return i * (i + 1) / 2 + j;
}

/* Whether two machines got the same eigenvectors, signs included: FNV-1a by words. */
static uint64_t hash(uint64_t h, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;

        memcpy(&bits, v + i, sizeof bits);
        h = (h ^ bits) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return h;
}

/* pycma's start: not exactly the identity, so that no two eigenvalues are equal and the
 * first decomposition has only one answer. */
void cma_cov_start(struct cma *c)
{
    memset(c->cov, 0, c->c_nr * sizeof *c->cov);
    if (!separable(c))
        memset(c->b, 0, c->n * c->n * sizeof *c->b);
    for (size_t i = 0; i < c->n; i++) {
        double var = exp(1e-4 * (double)i / (double)c->n);

        c->cov[separable(c) ? i : packed(i, i)] = var;
        c->d[i] = sqrt(var);
        if (!separable(c))
            c->b[i * c->n + i] = 1.0;
    }
    c->now.decay = 1.0;
    c->now.pend_nr = 0;
    c->now.decomposed = 0;
    c->eig_id = 0;
}

double cma_cov_var(const struct cma *c, size_t i)
{
    return c->cov[separable(c) ? i : packed(i, i)];
}

/* b = decay C + pending, lower triangle; and C = that. */
static void flush_pending(struct cma *c)
{
    size_t n = c->n, positive = 0, negative = 0;
    double *last = c->group + c->pend_max * n;
    int ni = (int)n;

    for (size_t k = 0; k < c->now.pend_nr; k++) {
        double coef = c->coef[k], root = sqrt(fabs(coef));
        double *to;

        if (coef == 0.0)
            continue;
        to = coef > 0.0 ? c->group + positive++ * n : last - ++negative * n;
        for (size_t j = 0; j < n; j++)
            to[j] = root * c->pend[k * n + j];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            c->b[i * n + j] = c->now.decay * c->cov[packed(i, j)];
    if (positive > 0)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, ni, (int)positive, 1.0,
            c->group, ni, 1.0, c->b, ni);
    if (negative > 0)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, ni, (int)negative, -1.0,
            last - negative * n, ni, 1.0, c->b, ni);
    for (size_t i = 0; i < n; i++)
        memcpy(c->cov + packed(i, 0), c->b + i * n, (i + 1) * sizeof *c->cov);
    c->now.pend_nr = 0;
    c->now.decay = 1.0;
}

static bool roots(struct cma *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (!isfinite(c->d[i]) || c->d[i] <= 0.0)
            return false;
        c->d[i] = sqrt(c->d[i]);
    }
    return true;
}

static bool decompose_full(struct cma *c)
{
    size_t n = c->n;
    int ni = (int)n, info;

    flush_pending(c);
    for (size_t i = 0; i < c->c_nr; i++)
        if (!isfinite(c->cov[i]))
            return false;
    /* a row-major lower triangle is a column-major upper one, and the columns of the
     * result are the rows of b */
    info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', ni, c->b, ni, c->d, c->work,
        1 + 6 * ni + 2 * ni * ni, c->iwork, 3 + 5 * ni);
    if (info != 0 || !roots(c))
        return false;
    c->eig_id = hash(hash(0xcbf29ce484222325u, c->d, n), c->b, n * n);
    return true;
}

bool cma_cov_decompose(struct cma *c)
{
    bool ok;

    if (separable(c)) {
        memcpy(c->d, c->cov, c->n * sizeof *c->d);
        ok = roots(c);
    } else {
        ok = decompose_full(c);
    }
    if (!ok) {
        cma_cov_start(c);
        return false;
    }
    c->now.decomposed++;
    return true;
}

void cma_cov_whiten(const struct cma *c, const double *y, size_t rows, double *t)
{
    int n = (int)c->n;

    if (separable(c))
        memcpy(t, y, rows * c->n * sizeof *t);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, n, n, 1.0, y, n,
            c->b, n, 0.0, t, n);
    for (size_t k = 0; k < rows; k++)
        for (size_t j = 0; j < c->n; j++)
            t[k * c->n + j] /= c->d[j];
}

void cma_cov_shape(const struct cma *c, double *t, size_t rows, double *x)
{
    int n = (int)c->n;

    for (size_t k = 0; k < rows; k++)
        for (size_t j = 0; j < c->n; j++)
            t[k * c->n + j] *= c->d[j];
    if (separable(c))
        memcpy(x, t, rows * c->n * sizeof *x);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, n, n, 1.0, t,
            n, c->b, n, 0.0, x, n);
}

void cma_cov_back(const struct cma *c, const double *t, double *ret)
{
    int n = (int)c->n;

    if (separable(c))
        memcpy(ret, t, c->n * sizeof *ret);
    else
        cblas_dgemv(CblasRowMajor, CblasTrans, n, n, 1.0, c->b, n, t, 1, 0.0, ret, 1);
}

/* Coefficient of the step of rank k. A negative one is normalised to Mahalanobis length
 * sqrt(n): however long the step, C stays positive definite. The 1e-9 is pycma's. */
static double step_coef(const struct cma *c, size_t k)
{
    double w = c->weight[k], sum = 0.0;

    if (w < 0.0) {
        for (size_t j = 0; j < c->n; j++)
            sum += c->t[k * c->n + j] * c->t[k * c->n + j];
        sum = sqrt(sum) + 1e-9;
        w *= (double)c->n / (sum * sum);
    }
    return c->par.cmu * w;
}

void cma_cov_steps(struct cma *c)
{
    for (size_t k = 0; k < c->lambda; k++)
        c->step[k] = step_coef(c, k);
}

static void learn_separable(struct cma *c, double keep)
{
    size_t n = c->n;

    for (size_t j = 0; j < n; j++)
        c->cov[j] = keep * c->cov[j] + c->par.c1 * c->pc[j] * c->pc[j];
    for (size_t k = 0; k < c->lambda; k++)
        for (size_t j = 0; j < n; j++)
            c->cov[j] += c->step[k] * c->y[k * n + j] * c->y[k * n + j];
}

static void learn_full(struct cma *c, double keep)
{
    size_t n = c->n, at = c->now.pend_nr;

    for (size_t k = 0; k < at; k++)
        c->coef[k] *= keep;
    c->now.decay *= keep;
    c->coef[at] = c->par.c1;
    memcpy(c->pend + at * n, c->pc, n * sizeof *c->pend);
    memcpy(c->coef + at + 1, c->step, c->lambda * sizeof *c->coef);
    memcpy(c->pend + (at + 1) * n, c->y, c->lambda * n * sizeof *c->pend);
    c->now.pend_nr += c->lambda + 1;
}

void cma_cov_learn(struct cma *c, bool later)
{
    const struct cma_par *p = &c->par;
    double c1a = c->hsig ? p->c1 : p->c1 * (1.0 - p->cc * (2.0 - p->cc));
    double keep = 1.0 - c1a - p->cmu * p->weight_sum;

    if (separable(c))
        learn_separable(c, keep);
    else
        learn_full(c, keep);
    if (!separable(c) && (double)(c->now.generation - c->now.eig_at) < p->gap)
        return;
    c->now.eig_at = c->now.generation;
    if (later) {
        if (!separable(c))
            flush_pending(c);
        c->now.decomposed++;
        c->owed = true;
    } else if (!cma_cov_decompose(c)) {
        c->now.numeric = 1;
    }
}

bool cma_cov_settle(struct cma *c)
{
    struct cma_now now = c->now;
    bool ok = true;

    c->now.pend_nr = 0;
    c->now.decay = 1.0;
    if (now.decomposed == 0)
        cma_cov_start(c);
    else
        ok = cma_cov_decompose(c);
    c->now = now;
    c->owed = !ok;
    return ok;
}
