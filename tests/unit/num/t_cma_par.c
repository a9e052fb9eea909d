#include "golden.h"

#include "num/cma_par.h"

#include <math.h>

static void near(double got, double want, double tol)
{
    if (!(fabs(got - want) <= tol * fabs(want)))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* Printed by pycma 4.4.0. */
static void pycma_table(void **state)
{
    static const struct {
        size_t n, lambda, mu;
        double mueff, mueff_neg, cc, cs, ds, c1, cmu, negative, gap;
    } row[] = {
        {5, 8, 4, 2.600179, 3.207072, .45019956, .43397181, 1.43397181, 4.72923042e-2,
            4.78590496e-2, -1.988158, .2102},
        {10, 10, 5, 3.167299, 3.989115, .29499038, .31961425, 1.31961425, 1.52838245e-2,
            2.35517767e-2, -1.648946, .2575},
        {20, 12, 6, 3.729459, 4.774595, .17176721, .21434998, 1.21434998, 4.37235444e-3,
            9.21656178e-3, -1.474402, .3679},
        {40, 15, 7, 4.540915, 5.889051, .09300922, .13758497, 1.13758497, 1.16943273e-3,
            3.40521964e-3, -1.343424, .5465},
        {100, 17, 8, 5.096189, 6.685961, .03891342, .06564698, 1.06564698,
            1.94802927e-4, 6.80638142e-4, -1.286206, 1.1423},
        {500, 22, 11, 6.483721, 8.720799, .00796183, .01665160, 1.01665160,
            7.95835635e-6, 3.87916674e-5, -1.205156, 4.2781},
        {500, 20, 10, 5.938804, 7.930300, .00795970, .01559874, 1.01559874,
            7.95837361e-6, 3.45794957e-5, -1.230147, 4.7017},
    };
    (void)state;

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        double w[32], positive = 0, negative = 0;
        struct cma_par p;

        cma_par_set(row[i].n, row[i].lambda, true, false, &p, w);
        assert_int_equal(p.mu, row[i].mu);
        near(p.mueff, row[i].mueff, 2e-7);
        near(p.mueff_neg, row[i].mueff_neg, 2e-7);
        near(p.cc, row[i].cc, 1e-6);
        near(p.cs, row[i].cs, 1e-6);
        near(p.ds, row[i].ds, 1e-8);
        near(p.c1, row[i].c1, 6e-9);
        near(p.cmu, row[i].cmu, 6e-9);
        near(p.gap, row[i].gap, 3e-4);
        for (size_t k = 0; k < row[i].lambda; k++)
            *(k < p.mu ? &positive : &negative) += w[k];
        near(positive, 1, 1e-14);
        near(negative, row[i].negative, 4e-7);
        near(p.weight_sum, 1 + row[i].negative, 2e-6);
    }
}

static void weights(void **state)
{
    static const double want[] = {.27961472, .19718885, .14897281, .11476298, .08822777,
        .06654693, .04821604, .03233711, .01833089, .00580190, -.01539401, -.04418707,
        -.07067411, -.09519729, -.11802782, -.13938436, -.15944574, -.17836011,
        -.19625157, -.21322511};
    static const double six[] = {.6370425712, .2845702574, .0783871713, -.2863837826,
        -.7649580941, -1.1559817782};
    struct cma_par p;
    double w[20];
    (void)state;

    cma_par_set(500, 20, true, false, &p, w);
    for (int k = 0; k < 20; k++)
        assert_true(fabs(w[k] - want[k]) < 6e-9);
    near(p.chi, 22.349504, 1e-7);
    cma_par_set(3, 6, true, false, &p, w);
    for (int k = 0; k < 6; k++)
        assert_true(fabs(w[k] - six[k]) < 6e-11);
    near(p.chi, sqrt(8 / 3.14159265358979323846), 1e-13);
    cma_par_set(100, 20, true, false, &p, w);
    near(p.chi, sqrt(2) * exp(lgamma(50.5) - lgamma(50)),
        1e-9); /* the series joins up */
    cma_par_set(3, 6, false, false, &p, w);
    for (int k = 3; k < 6; k++)
        assert_true(w[k] == 0);
    near(p.weight_sum, 1, 1e-15);
}

static void popsizes(void **state)
{
    static const size_t n[] = {1, 2, 5, 10, 20, 40, 100, 500};
    static const size_t lambda[] = {4, 6, 8, 10, 12, 15, 17, 22};
    (void)state;

    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        assert_int_equal(cma_par_popsize(n[i]), lambda[i]);
}

/* Whatever the sizes: rates in (0, 1), and C cannot lose its definiteness. */
static void sane_everywhere(void **state)
{
    static double w[8192];
    static const size_t n[] = {1, 2, 3, 7, 30, 300, 3000, 8192};
    static const size_t lambda[] = {4, 5, 6, 20, 333, 8192};
    (void)state;

    for (int i = 0; i < 8 * 6 * 2; i++) {
        size_t dim = n[i / 12], pop = lambda[i / 2 % 6];
        struct cma_par p;

        cma_par_set(dim, pop, true, i % 2 != 0, &p, w);
        assert_true(p.c1 > 0 && p.cmu >= 0 && p.c1 + p.cmu <= 1 + 1e-12);
        assert_true(p.cc > 0 && p.cc <= 1 && p.cs > 0 && p.cs < 1 && p.ds >= 1);
        assert_true(isfinite(p.gap) && p.gap > 0);
        assert_true(
            (double)dim * p.cmu * (1 - p.weight_sum) <= 1 - p.c1 - p.cmu + 1e-8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pycma_table),
        cmocka_unit_test(weights),
        cmocka_unit_test(popsizes),
        cmocka_unit_test(sane_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
