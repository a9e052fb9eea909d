/* Step by step against two independent implementations: tools/golden_cma.py (numpy,
 * from the formulas) and pycma. Candidates are put, so neither their generator nor the
 * signs of their eigenvectors matter. Looks into the state: C has no getter. */
#include "cmatest.h"

#include "num/blas.h"
#include "num/cma_state.h"

static void near(double got, double want, double tol, const char *what, uint64_t gen)
{
    if (!(fabs(got - want) <= tol * (fabs(want) + 1)))
        fail_msg("%s of generation %lu: got %.15g, want %.15g", what, gen, got, want);
}

/* The generator of golden_cma.py. */
static double lcg(uint32_t *s)
{
    double t = 0;

    for (int i = 0; i < 4; i++) {
        *s = *s * 1664525u + 1013904223u;
        t += *s / 4294967296.0;
    }
    return (t - 2) * sqrt(3);
}

static double length(const double *v, size_t n)
{
    return sqrt(test_sphere(v, n));
}

static double off_centre(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += pow(1e6, (double)i / (double)(n - 1)) * pow(x[i] - 1, 2);
    return sum;
}

/* Frobenius norm and corner of C; only meaningful when nothing is pending. */
static void check_c(const struct cma *c, double frobenius, double corner)
{
    size_t n = c->n;
    double sum = 0;

    if (c->opts.kind == CMA_SEPARABLE) {
        near(length(c->cov, n), frobenius, 1e-7, "C", c->now.generation);
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            sum += (i == j ? 1 : 2) * pow(c->cov[i * (i + 1) / 2 + j], 2);
    near(sqrt(sum), frobenius, 1e-7, "C", c->now.generation);
    near(c->cov[(n - 1) * n / 2], corner, 1e-7, "C's corner", c->now.generation);
}

static void numpy_case(
    FILE *f, const char *name, size_t dim, size_t lambda, int gens, int active, int sep)
{
    struct cma_opts o;
    struct cma *c;
    uint32_t seed = 12345;
    double v[8], *x = test_calloc(dim * lambda, sizeof *x);
    int checked = 0;

    cma_opts_init(&o, dim);
    o.popsize = lambda;
    o.sigma0 = 0.3;
    o.active = active != 0;
    o.kind = sep ? CMA_SEPARABLE : CMA_FULL;
    c = test_cma(&o, 0.1);
    for (int g = 1, at; g <= gens; g++) {
        for (size_t i = 0; i < dim * lambda; i++)
            x[i] = cma_mean(c)[i % dim] + cma_sigma(c) * lcg(&seed);
        assert_int_equal(cma_put(c, x, NULL), BBT_OK);
        (void)test_step(
            c, strcmp(name, "rosenbrock") == 0 ? test_rosenbrock : off_centre);
        assert_int_equal(fscanf(f, "%d", &at), 1);
        assert_int_equal(at, g);
        for (int i = 0; i < 8; i++)
            assert_int_equal(fscanf(f, "%lf", &v[i]), 1);
        near(cma_sigma(c), v[0], 1e-8, "sigma", (uint64_t)g);
        near(length(c->ps, dim), v[1], 1e-7, "p_sigma", (uint64_t)g);
        near(length(c->pc, dim), v[2], 1e-7, "p_c", (uint64_t)g);
        near(test_sphere(cma_mean(c), dim), v[3], 1e-8, "mean", (uint64_t)g);
        near(cma_mean(c)[0], v[4], 1e-8, "first mean", (uint64_t)g);
        near(cma_mean(c)[dim - 1], v[5], 1e-8, "last mean", (uint64_t)g);
        if (c->now.pend_nr == 0) {
            check_c(c, v[6], v[7]);
            checked++;
        }
    }
    assert_true(checked >= 2);
    cma_free(c);
    test_free(x);
}

static void against_numpy(void **state)
{
    FILE *f = golden_open("cma_trace.txt");
    char name[32];
    size_t dim, lambda;
    int gens, active, sep, cases = 0;
    (void)state;

    while (fscanf(f, " case %31s %zu %zu %d %d %d", name, &dim, &lambda, &gens, &active,
               &sep) == 6) {
        if (dim > 100 && test_brief())
            assert_int_equal(fscanf(f, "%*[^c]"), 0); /* to the next "case" */
        else
            numpy_case(f, name, dim, lambda, gens, active, sep);
        cases++;
    }
    assert_true(feof(f));
    (void)fclose(f);
    assert_int_equal(cases, 7);
}

static void read_row(FILE *f, size_t n, double *row)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fscanf(f, "%lf", row + i), 1);
}

static void pycma_case(
    FILE *f, const char *name, size_t dim, size_t lambda, int gens, int two_point)
{
    double x[100], want[21];
    struct cma_opts o;
    struct cma *c;
    bool fixed = strcmp(name, "fixed") == 0;

    assert_true(dim * lambda <= 100 && dim <= 10 && lambda <= 16);
    cma_opts_init(&o, dim);
    o.popsize = lambda;
    o.sigma0 = fixed ? 0.5 : 0.3;
    o.step = two_point ? CMA_STEP_TPA : CMA_STEP_CSA;
    c = test_cma(&o, fixed ? 0 : 0.1);
    for (int g = 1; g <= gens; g++) {
        double loss[16];

        for (size_t k = 0; k < lambda; k++) {
            double *row = x + k * dim;

            read_row(f, dim, row);
            loss[k] = strcmp(name, "rosenbrock") == 0 ? test_rosenbrock(row, dim)
                      : !fixed                        ? off_centre(row, dim)
                               : pow(row[0] - 1, 2) + 10 * pow(row[1] + .5, 2) +
                                     100 * pow(row[2] - .25, 2);
        }
        assert_int_equal(cma_put(c, x, NULL), BBT_OK);
        assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
        read_row(f, 1 + 2 * dim, want);
        /* pycma lets two-point adaptation act on two random rows in generation 1 */
        if (two_point && g == 1) {
            c->now.tpa = log(want[0] / 0.3) * (0.7 + 2 * log((double)dim));
            c->now.sigma = want[0];
        }
        near(cma_sigma(c), want[0], two_point ? 1e-9 : 1e-7, "sigma", (uint64_t)g);
        for (size_t i = 0; i < dim; i++) {
            near(cma_mean(c)[i], want[1 + i], 1e-9, "mean", (uint64_t)g);
            near(c->pc[i], want[1 + dim + i], 1e-7, "p_c", (uint64_t)g);
        }
    }
    cma_free(c);
}

static void against_pycma(void **state)
{
    FILE *f = golden_open("pycma_trace.txt");
    char name[32];
    size_t dim, lambda;
    int gens, two_point, cases = 0;
    (void)state;

    while (fscanf(f, " case %31s %zu %zu %d %d", name, &dim, &lambda, &gens,
               &two_point) == 5) {
        pycma_case(f, name, dim, lambda, gens, two_point);
        cases++;
    }
    assert_true(feof(f));
    (void)fclose(f);
    assert_int_equal(cases, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_numpy),
        cmocka_unit_test(against_pycma),
    };

    blas_threads(1); /* small products: a second thread would only wait */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
