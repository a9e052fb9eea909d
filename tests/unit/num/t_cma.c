#include "cmatest.h"

#include "base/alloc.h"
#include "num/blas.h"
#include "num/rng.h"

/* Fixed steps in three dimensions; numbers printed by pycma 4.4.0. */
static double valley(const double *x, size_t n)
{
    (void)n;
    return pow(x[0] - 1, 2) + 10 * pow(x[1] + .5, 2) + 100 * pow(x[2] - .25, 2);
}

static void first_step(void **state)
{
    static const double z[6][3] = {
        {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {-1, .5, 0}, {.5, -1, .25}, {.25, .25, -1.5}};
    struct cma_opts o;
    struct cma *c;
    double x[18];
    (void)state;

    cma_opts_init(&o, 3);
    o.popsize = 6;
    c = test_cma(&o, 0);
    for (int k = 0; k < 6; k++)
        for (int j = 0; j < 3; j++)
            x[3 * k + j] = 0.5 * z[k][j] * exp(0.5e-4 * j / 3);
    assert_int_equal(cma_put(c, x, NULL), BBT_OK);
    assert_memory_equal(cma_ask(c), x, sizeof x);
    (void)test_step(c, valley);
    assert_true(fabs(cma_mean(c)[0] - .301545771529) < 1e-11);
    assert_true(fabs(cma_mean(c)[1] + .318526594353) < 1e-11);
    assert_true(fabs(cma_mean(c)[2] - .118827867928) < 1e-11);
    assert_true(fabs(cma_sigma(c) - .452817422529) < 1e-9);
    assert_int_equal(cma_generation(c), 1);
    cma_free(c);
}

/* The first candidates are m + sigma times the stream of normals, and a second ask is
 * free. */
static void ask(void **state)
{
    struct cma_opts o;
    struct cma *c;
    double copy[5 * 8];
    (void)state;

    cma_opts_init(&o, 5);
    o.seed = 77;
    c = test_cma(&o, 2);
    memcpy(copy, cma_ask(c), sizeof copy);
    for (size_t i = 0; i < 40; i++) {
        double z = rng_normal(77, RNG_CMA, i) * exp(0.5e-4 * (double)(i % 5) / 5);

        assert_true(fabs(copy[i] - (2 + 0.5 * z)) < 1e-14);
    }
    assert_memory_equal(cma_ask(c), copy, sizeof copy);
    (void)test_step(c, test_sphere);
    assert_memory_not_equal(cma_ask(c), copy, sizeof copy);
    cma_free(c);
}

static double squashed(const double *x, size_t n)
{
    return atan(test_ellipsoid(x, n) * 1e-4) * 3 + 7;
}

/* Only the order of losses counts, to the bit. */
static void monotone_transform(void **state)
{
    struct cma_opts o;
    struct cma *a, *b;
    (void)state;

    cma_opts_init(&o, 12);
    a = test_cma(&o, 1);
    b = test_cma(&o, 1);
    for (int g = 0; g < 100; g++) {
        (void)test_step(a, test_ellipsoid);
        (void)test_step(b, squashed);
        test_same_mean(a, b);
    }
    cma_free(a);
    cma_free(b);
}

/* Rows permuted with their losses: the same state, to the bit. */
static void permutation(void **state)
{
    enum { N = 9, L = 10 };
    struct cma_opts o;
    struct cma *a, *b;
    double x[L * N], loss[L], turned[L];
    uint32_t perm[L];
    (void)state;

    cma_opts_init(&o, N);
    o.popsize = L;
    a = test_cma(&o, 1);
    b = test_cma(&o, 1);
    for (uint64_t g = 0; g < 60; g++) {
        const double *ask = cma_ask(a);

        rng_shuffle(g, RNG_TEST, L, perm);
        for (int k = 0; k < L; k++) {
            memcpy(x + perm[k] * N, ask + k * N, N * sizeof *x);
            loss[k] = test_rosenbrock(ask + k * N, N);
            turned[perm[k]] = loss[k];
        }
        assert_int_equal(cma_put(b, x, NULL), BBT_OK);
        assert_int_equal(cma_tell(a, loss, NULL), BBT_OK);
        assert_int_equal(cma_tell(b, turned, NULL), BBT_OK);
        assert_true(cma_digest(a) == cma_digest(b));
    }
    cma_free(a);
    cma_free(b);
}

/* Equal losses keep the order of their rows. */
static void ties(void **state)
{
    static const double tied[6] = {2, 1, 1, 1, 2, 3},
                        apart[6] = {2, 1, 1.1, 1.2, 2.1, 3};
    static const double other[6] = {2, 1.1, 1, 1.2, 2.1, 3};
    struct cma_opts o;
    struct cma *c[3];
    (void)state;

    cma_opts_init(&o, 3);
    o.popsize = 6;
    for (int i = 0; i < 3; i++) {
        c[i] = test_cma(&o, 1);
        assert_int_equal(cma_tell(c[i],
                             i == 0   ? tied
                             : i == 1 ? apart
                                      : other,
                             NULL),
            BBT_OK);
    }
    test_same_mean(c[0], c[1]);
    assert_memory_not_equal(cma_mean(c[0]), cma_mean(c[2]), 3 * sizeof(double));
    for (int i = 0; i < 3; i++)
        cma_free(c[i]);
}

static double moved(const double *x, size_t n)
{
    double y[16];

    for (size_t i = 0; i < n; i++)
        y[i] = x[i] / 8;
    return test_ellipsoid(y, n);
}

/* Eight times larger everything (a power of two: no rounding): sigma and mean exactly
 * so. */
static void scaling(void **state)
{
    struct cma_opts o, p;
    struct cma *a, *b;
    (void)state;

    cma_opts_init(&o, 8);
    p = o;
    p.sigma0 *= 8;
    a = test_cma(&o, 1);
    b = test_cma(&p, 8);
    for (int g = 0; g < 80; g++) {
        (void)test_step(a, test_ellipsoid);
        (void)test_step(b, moved);
        assert_true(cma_sigma(b) == 8 * cma_sigma(a));
        for (int i = 0; i < 8; i++)
            assert_true(cma_mean(b)[i] == 8 * cma_mean(a)[i]);
    }
    cma_free(a);
    cma_free(b);
}

static double shifted(const double *x, size_t n)
{
    double y[16];

    for (size_t i = 0; i < n; i++)
        y[i] = x[i] - 3;
    return test_sphere(y, n);
}

static void translation(void **state)
{
    struct cma_opts o;
    struct cma *a, *b;
    (void)state;

    cma_opts_init(&o, 8);
    a = test_cma(&o, 1);
    b = test_cma(&o, 4);
    for (int g = 0; g < 40; g++) {
        (void)test_step(a, test_sphere);
        (void)test_step(b, shifted);
    }
    for (int i = 0; i < 8; i++)
        assert_true(fabs(cma_mean(b)[i] - 3 - cma_mean(a)[i]) < 1e-11);
    cma_free(a);
    cma_free(b);
}

/* pycma's BoundTransform for [-5, 5]. */
static void bound(void **state)
{
    static const double in[] = {4.75, 4.9, 5, 5.1, 5.25, 5.3, 6, 8, 0, 21, 26.25, 1e9};
    static const double want[] = {
        4.75, 4.8775, 4.9375, 4.9775, 5, 4.9975, 4.5, 2.5, 0, 0, 5, NAN};
    struct cma_opts o;
    struct cma *c;
    double x, y, last = -4.75;
    (void)state;

    cma_opts_init(&o, 1);
    c = test_cma(&o, 0);
    cma_point(c, in + 7, 1, &y);
    assert_true(y == in[7]); /* no bound: a copy */
    cma_free(c);
    o.bound = 5;
    c = test_cma(&o, 0);
    for (int i = 0; i < 12; i++) {
        cma_point(c, &in[i], 1, &y);
        assert_true(isnan(want[i]) || fabs(y - want[i]) < 1e-12);
        x = -in[i];
        cma_point(c, &x, 1, &x);
        assert_true(fabs(x + y) < 1e-6);
    }
    for (x = -30; x < 30; x += 0.001) { /* continuous, inside */
        cma_point(c, &x, 1, &y);
        assert_true(fabs(y) <= 5 && (x == -30 || fabs(y - last) < 0.0011));
        last = y;
    }
    cma_free(c);
}

/* The optimum outside of the box is found on its edge. */
static double far_away(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += pow(x[i] - 7, 2);
    return sum;
}

static void bounded_run(void **state)
{
    struct cma_opts o;
    struct cma *c;
    double point[8 * 5], loss[8];
    (void)state;

    cma_opts_init(&o, 5);
    o.bound = 5;
    c = test_cma(&o, 0);
    for (int g = 0; g < 150; g++) {
        cma_point(c, cma_ask(c), 8, point);
        for (int k = 0; k < 8; k++)
            loss[k] = far_away(point + 5 * k, 5);
        assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    }
    cma_point(c, cma_mean(c), 1, point);
    for (int i = 0; i < 5; i++)
        assert_true(point[i] > 4.999 && point[i] <= 5);
    cma_free(c);
}

static void refused(void **state)
{
    struct cma_opts o, bad;
    struct cma *c = NULL;
    double loss[6] = {1, 2, NAN, 4, 5, 6}, x[18] = {[4] = INFINITY},
           x0[3] = {0, NAN, 0};
    uint64_t digest;
    struct bbt_err err;
    (void)state;

    cma_opts_init(&o, 3);
    o.popsize = 6;
#define BAD(field, value)                                                              \
    (bad = o, bad.field = (value),                                                     \
        assert_int_equal(cma_new(&bad, NULL, &c, &err), BBT_INVALID), assert_null(c))
    BAD(dim, 0);
    BAD(dim, CMA_DIM_MAX + 1);
    BAD(dim, SIZE_MAX);
    BAD(popsize, 3);
    BAD(popsize, CMA_POPSIZE_MAX + 1);
    BAD(sigma0, 0);
    BAD(sigma0, -1);
    BAD(sigma0, NAN);
    BAD(sigma0, INFINITY);
    BAD(bound, -1);
    BAD(bound, NAN);
    BAD(kind, (enum cma_kind)9);
    BAD(step, (enum cma_step)9);
    BAD(tol.x, NAN);
    bad = o;
    bad.kind = CMA_SEPARABLE;
    bad.dim = CMA_DIM_MAX_SEP;
    bad.popsize = CMA_POPSIZE_MAX;
    assert_int_equal(cma_new(&bad, NULL, &c, &err), BBT_INVALID); /* 64 GiB */
    assert_int_equal(cma_new(&o, x0, &c, &err), BBT_INVALID);
    c = test_cma(&o, 1);
    (void)cma_ask(c);
    digest = cma_digest(c);
    assert_int_equal(cma_tell(c, loss, &err), BBT_INVALID);
    loss[2] = INFINITY;
    assert_int_equal(cma_tell(c, loss, &err), BBT_INVALID);
    assert_int_equal(cma_put(c, x, &err), BBT_INVALID);
    assert_true(cma_digest(c) == digest && cma_generation(c) == 0);
    cma_free(c);
    cma_free(NULL);
}

/* Each allocation of cma_new() in turn is refused. */
static void no_memory(void **state)
{
    struct cma_opts o;
    struct cma *c = NULL;
    enum bbt_rc rc;
    long nth = 0;
    (void)state;

    cma_opts_init(&o, 10);
    do {
        (void)bbt_alloc_fault(nth++, 0);
        rc = cma_new(&o, NULL, &c, NULL);
        (void)bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || (rc == BBT_NOMEM && !c));
    } while (rc != BBT_OK);
    assert_true(nth >= 5);
    cma_free(c);
}

/* Every kind of optimiser reaches the optimum. */
static void kinds(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct cma_opts o;
        struct cma *c;
        double best = 1;

        cma_opts_init(&o, 6);
        o.kind = i & 1 ? CMA_SEPARABLE : CMA_FULL;
        o.step = i & 2 ? CMA_STEP_TPA : CMA_STEP_CSA;
        o.active = !(i & 4);
        c = test_cma(&o, 1);
        while (best > 1e-10 && cma_generation(c) < 1500)
            best = test_step(c, test_ellipsoid);
        assert_true(best <= 1e-10);
        if (i == 0) /* the ellipsoid's axes are a thousand apart */
            assert_true(cma_axis_ratio(c) > 300 && cma_axis_ratio(c) < 3000);
        cma_free(c);
    }
}

/* One dimension, and losses that are all the same, go on without harm. */
static double flat(const double *x, size_t n)
{
    (void)x;
    (void)n;
    return 3;
}

static void edges(void **state)
{
    struct cma_opts o;
    struct cma *c;
    (void)state;

    cma_opts_init(&o, 1);
    c = test_cma(&o, 1);
    while (test_step(c, test_sphere) > 1e-12)
        assert_true(cma_generation(c) < 300);
    cma_free(c);
    cma_opts_init(&o, 4);
    c = test_cma(&o, 1);
    for (int g = 0; g < 500; g++)
        (void)test_step(c, flat);
    assert_true(isfinite(cma_sigma(c)) && cma_sigma(c) > 0);
    cma_free(c);
}

/* Candidates near the end of the doubles: no crash, no state of nans, a reason to stop.
 */
static void huge(void **state)
{
    struct cma_opts o;
    struct cma *c;
    double x[24], loss[6] = {1, 2, 3, 4, 5, 6};
    const char *why = NULL;
    (void)state;

    cma_opts_init(&o, 4);
    o.popsize = 6;
    c = test_cma(&o, 1);
    for (int i = 0; i < 24; i++)
        x[i] = i % 2 ? 1.7e308 : -1.7e308;
    assert_int_equal(cma_put(c, x, NULL), BBT_OK);
    assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    assert_true(cma_stop(c, &why));
    assert_string_equal(why, "numeric");
    for (int i = 0; i < 4; i++)
        assert_true(isfinite(cma_mean(c)[i]));
    for (int i = 0; i < 24; i++)
        assert_true(isfinite(cma_ask(c)[i]));
    cma_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_step),
        cmocka_unit_test(ask),
        cmocka_unit_test(monotone_transform),
        cmocka_unit_test(permutation),
        cmocka_unit_test(ties),
        cmocka_unit_test(scaling),
        cmocka_unit_test(translation),
        cmocka_unit_test(bound),
        cmocka_unit_test(bounded_run),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(kinds),
        cmocka_unit_test(edges),
        cmocka_unit_test(huge),
    };

    blas_threads(1); /* small products: a second thread would only wait */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
