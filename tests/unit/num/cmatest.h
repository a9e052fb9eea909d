/* cmatest.h -- functions to minimise and a loop, shared by the tests of CMA-ES. */
#ifndef TEST_NUM_CMATEST_H
#define TEST_NUM_CMATEST_H

#include "golden.h"

#include "num/cma.h"

#include <math.h>
#include <string.h>

/* Under valgrind (or with BBT_SLOW_TOOL set) heavy cases run in short form. */
static inline bool test_brief(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return getenv("BBT_SLOW_TOOL") || (preload && strstr(preload, "vgpreload"));
}

typedef double test_fn(const double *x, size_t n);

static inline double test_sphere(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sum;
}

static inline double test_ellipsoid(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (n > 1 ? pow(1e6, (double)i / (double)(n - 1)) : 1) * x[i] * x[i];
    return sum;
}

static inline double test_rosenbrock(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i + 1 < n; i++)
        sum += 100 * pow(x[i] * x[i] - x[i + 1], 2) + pow(x[i] - 1, 2);
    return sum;
}

static inline struct cma *test_cma(const struct cma_opts *o, double x0)
{
    double *x = test_calloc(o->dim, sizeof *x);
    struct cma *c = NULL;

    for (size_t i = 0; i < o->dim; i++)
        x[i] = x0;
    assert_int_equal(cma_new(o, x, &c, NULL), BBT_OK);
    test_free(x);
    return c;
}

/* One generation of `f`; the best loss. */
static inline double test_step(struct cma *c, test_fn *f)
{
    size_t n = cma_dim(c), lambda = cma_popsize(c);
    const double *x = cma_ask(c);
    double loss[64], best = INFINITY;

    assert_true(lambda <= 64);
    for (size_t k = 0; k < lambda; k++) {
        loss[k] = f(x + k * n, n);
        best = fmin(best, loss[k]);
    }
    assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    return best;
}

static inline void test_same_mean(const struct cma *a, const struct cma *b)
{
    assert_memory_equal(cma_mean(a), cma_mean(b), cma_dim(a) * sizeof(double));
    assert_true(cma_sigma(a) == cma_sigma(b));
    assert_true(cma_axis_ratio(a) == cma_axis_ratio(b));
}

#endif
