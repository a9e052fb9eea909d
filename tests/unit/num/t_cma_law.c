/* How many evaluations, how fast sigma falls: against pycma's numbers over many seeds.
 * Heavy; under valgrind only a taste is run. */
#include "cmatest.h"

#include "num/blas.h"
#include "num/rng.h"

static int by_value(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;

    return p < q ? -1 : p > q;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static double cigar(const double *x, size_t n)
{
    return x[0] * x[0] + 1e6 * test_sphere(x + 1, n - 1);
}

static double tablet(const double *x, size_t n)
{
    return 1e6 * x[0] * x[0] + test_sphere(x + 1, n - 1);
}

/* pycma's: the ellipsoid turned by a fixed rotation (a product of Householder mirrors).
 */
static double rotated(const double *x, size_t n)
{
    double y[20], v[20];

    memcpy(y, x, n * sizeof *y);
    for (uint64_t m = 0; m < 4; m++) {
        double dot = 0, len = 0;

        for (size_t i = 0; i < n; i++) {
            v[i] = rng_normal(99, RNG_TEST, m * 20 + i);
            dot += v[i] * y[i];
            len += v[i] * v[i];
        }
        for (size_t i = 0; i < n; i++)
            y[i] -= 2 * dot / len * v[i];
    }
    return test_ellipsoid(y, n);
}

static double evaluations(const struct cma_opts *o, double x0, test_fn *f)
{
    struct cma *c = test_cma(o, x0);
    double n;

    while (test_step(c, f) > 1e-9)
        assert_true(cma_generation(c) < 10000);
    n = (double)(cma_generation(c) * cma_popsize(c));
    cma_free(c);
    return n;
}

/* Medians to f <= 1e-9, x0 = 1, sigma0 = 0.5 (Rosenbrock: 0.1 and 0.1), of pycma 4.4.0
 * over 25 seeds. Another implementation of the same algorithm comes within 12 %;
 * without negative weights, rank-one, rank-mu or with another damping it does not. */
static void targets(void **state)
{
    static const struct {
        const char *name;
        test_fn *f;
        size_t n;
        double x0, sigma0, want;
    } row[] = {
        {"sphere", test_sphere, 2, 1, .5, 246},
        {"sphere", test_sphere, 5, 1, .5, 688},
        {"sphere", test_sphere, 10, 1, .5, 1430},
        {"sphere", test_sphere, 20, 1, .5, 2820},
        {"ellipsoid", test_ellipsoid, 5, 1, .5, 1520},
        {"ellipsoid", test_ellipsoid, 10, 1, .5, 4130},
        {"rotated", rotated, 5, 1, .5, 1480},
        {"rotated", rotated, 10, 1, .5, 4060},
        {"rosenbrock", test_rosenbrock, 5, .1, .1, 1696},
        {"rosenbrock", test_rosenbrock, 10, .1, .1, 4860},
        {"cigar", cigar, 10, 1, .5, 3960},
        {"tablet", tablet, 10, 1, .5, 3100},
    };
    double v[25];
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct cma_opts o;
        double got;

        if (test_brief() && i > 0)
            break;
        cma_opts_init(&o, row[i].n);
        o.sigma0 = row[i].sigma0;
        for (int s = 0; s < 25; s++) {
            o.seed = (uint64_t)s;
            v[s] = evaluations(&o, row[i].x0, row[i].f);
        }
        got = median(v, 25);
        if (fabs(got / row[i].want - 1) > 0.12)
            fail_msg("%s of %zu: %g evaluations, pycma %g", row[i].name, row[i].n, got,
                row[i].want);
    }
}

/* A first step a thousand times too small: what h_sigma is for. pycma needs 1790,
 * without h_sigma 2070. */
static void small_start(void **state)
{
    struct cma_opts o;
    double v[25], got;
    (void)state;

    if (test_brief())
        return;
    cma_opts_init(&o, 10);
    o.sigma0 = 1e-3;
    for (int s = 0; s < 25; s++) {
        o.seed = (uint64_t)s;
        v[s] = evaluations(&o, 1, test_sphere);
    }
    got = median(v, 25);
    if (got < 1650 || got > 1930)
        fail_msg("%g evaluations, pycma 1790", got);
}

static double shifted(const double *x, size_t n)
{
    static double opt[500];
    double sum = 0;

    if (opt[0] == 0) {
        rng_fill_normal(1234, RNG_TEST, 0, 500, opt);
        for (size_t i = 0; i < n; i++)
            sum += opt[i] * opt[i];
        for (size_t i = 0; i < n; i++)
            opt[i] *= sqrt(0.99696 * (double)n / sum);
        sum = 0;
    }
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - opt[i]) * (x[i] - opt[i]);
    return sum / (double)n;
}

/* The scale of prompt tuning: 500 dimensions, 20 candidates, sphere at distance
 * sqrt(n). sigma and f(mean) of pycma over 11 seeds; ranges widened by half their
 * width. */
static void sigma_law(void **state)
{
    static const struct {
        uint64_t generation;
        double sigma[2], loss[2];
    } row[] = {
        {50, {.675, .711}, {1.27, 1.81}},
        {100, {.492, .528}, {.80, 1.20}},
        {200, {.288, .316}, {.26, .46}},
        {400, {.094, .123}, {.028, .071}},
    };
    struct cma_opts o;
    (void)state;

    if (test_brief())
        return;
    cma_opts_init(&o, 500);
    o.popsize = 20;
    o.sigma0 = 1;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct cma *c;

        o.seed = seed;
        c = test_cma(&o, 0);
        for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
            double loss;

            while (cma_generation(c) < row[i].generation)
                (void)test_step(c, shifted);
            loss = shifted(cma_mean(c), 500);
            if (cma_sigma(c) < row[i].sigma[0] || cma_sigma(c) > row[i].sigma[1] ||
                loss < row[i].loss[0] || loss > row[i].loss[1])
                fail_msg("seed %lu, generation %lu: sigma %g, f(mean) %g", seed,
                    row[i].generation, cma_sigma(c), loss);
        }
        assert_true(cma_axis_ratio(c) < 1.3); /* C has hardly learned anything */
        assert_false(cma_stop(c, NULL));
        cma_free(c);
    }
}

static double ten_of_many(const double *x, size_t n)
{
    double sum = 0;

    (void)n;
    for (int i = 0; i < 10; i++)
        sum += pow(x[i] - (i % 2 ? 1 : -1), 2);
    return sum;
}

/* Where only ten directions of 500 matter, the path length says little and ranks say
 * much: two-point adaptation goes far below the reference rule at equal cost. */
static void two_point(void **state)
{
    double got[2];
    (void)state;

    if (test_brief())
        return;
    for (int i = 0; i < 2; i++) {
        struct cma_opts o;
        struct cma *c;

        cma_opts_init(&o, 500);
        o.popsize = 20;
        o.sigma0 = 1;
        o.step = i ? CMA_STEP_TPA : CMA_STEP_CSA;
        o.kind = i ? CMA_SEPARABLE : CMA_FULL;
        c = test_cma(&o, 0);
        while (cma_generation(c) < 150)
            (void)test_step(c, ten_of_many);
        got[i] = ten_of_many(cma_mean(c), 500);
        cma_free(c);
    }
    assert_true(got[1] < got[0] / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(small_start),
        cmocka_unit_test(sigma_law),
        cmocka_unit_test(two_point),
    };

    blas_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
