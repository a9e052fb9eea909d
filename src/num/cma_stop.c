#include "num/cma_state.h"

#include <math.h>

/* Range of the best losses of late. */
static double history(const struct cma *c)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < c->now.hist_nr; i++) {
        low = fmin(low, c->hist[i]);
        high = fmax(high, c->hist[i]);
    }
    return high - low;
}

static double deviation(const struct cma *c, size_t i)
{
    return c->now.sigma * sqrt(cma_cov_var(c, i));
}

static bool tolx(const struct cma *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (deviation(c, i) >= c->opts.tol.x ||
            c->now.sigma * fabs(c->pc[i]) >= c->opts.tol.x)
            return false;
    return c->opts.tol.x > 0.0;
}

static bool facupx(const struct cma *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (deviation(c, i) > c->opts.tol.facupx * c->opts.sigma0)
            return c->opts.tol.facupx > 0.0;
    return false;
}

/* A step in some coordinate is too small to change it. */
static bool noeffect(const struct cma *c)
{
    for (size_t i = 0; i < c->n; i++) {
        volatile double moved = c->mean[i] + 0.2 * deviation(c, i);

        if (moved == c->mean[i])
            return true;
    }
    return false;
}

bool cma_stop(const struct cma *c, const char **ret_reason)
{
    const struct cma_tol *t = &c->opts.tol;
    double past = c->now.generation ? history(c) : INFINITY;
    double ratio = cma_axis_ratio(c);
    const char *why = NULL;

    if (c->now.numeric)
        why = "numeric";
    else if (c->now.generation == 0)
        why = NULL;
    else if (t->flat > 0 && c->now.flat > t->flat)
        why = "tolflatfitness";
    else if (c->now.spread < t->fun && past < t->fun)
        why = "tolfun";
    else if (c->now.hist_nr > 9 && past < t->funhist)
        why = "tolfunhist";
    else if (tolx(c))
        why = "tolx";
    else if (facupx(c))
        why = "tolfacupx";
    else if (t->condition > 0.0 && ratio * ratio > t->condition)
        why = "condition";
    else if (noeffect(c))
        why = "noeffectcoord";
    if (why && ret_reason)
        *ret_reason = why;
    return why != NULL;
}
