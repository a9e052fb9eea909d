#include "num/cma_par.h"

#include <math.h>

size_t cma_par_popsize(size_t dim)
{
    return 4 + (size_t)floor(3.0 * log((double)dim));
}

/* (sum w)^2 / sum w^2 over weight[from..to). */
static double mass(const double *weight, size_t from, size_t to)
{
    double sum = 0.0, squares = 0.0;

    for (size_t i = from; i < to; i++) {
        sum += weight[i];
        squares += weight[i] * weight[i];
    }
    return squares > 0.0 ? sum * sum / squares : 0.0;
}

static void rates(double n, double popsize, struct cma_par *p)
{
    double m = p->mueff;

    p->cc = (4.0 + m / n) / (n + 4.0 + 2.0 * m / n);
    p->c1 = fmin(1.0, popsize / 6.0) * 2.0 / ((n + 1.3) * (n + 1.3) + m);
    p->cmu = fmin(
        1.0 - p->c1, 2.0 * (0.25 + m + 1.0 / m - 2.0) / ((n + 2.0) * (n + 2.0) + m));
}

static void rates_separable(double n, struct cma_par *p)
{
    double m = p->mueff, root = sqrt(n);

    p->cc = (1.0 + 1.0 / n + m / n) / (root + 1.0 / n + 2.0 * m / n);
    p->c1 = 1.0 / (n + 2.0 * root + m / n);
    p->cmu = fmin(1.0 - p->c1, (0.25 + m + 1.0 / m - 2.0) / (n + 4.0 * root + m / 2.0));
}

/* The negative weights' sum: as large as makes C's total weight constant (alpha_mu-),
 * as the negative ones' mass allows (alpha_mueff-), and as keeps C positive definite
 * (alpha_posdef-); the smallest wins. */
static double negative_sum(double n, const struct cma_par *p)
{
    double sum = 1.0 + p->c1 / p->cmu;

    sum = fmin(sum, (1.0 - p->c1 - p->cmu) / (n * p->cmu));
    return fmin(sum, 1.0 + 2.0 * p->mueff_neg / (p->mueff + 2.0));
}

/* Expected length of a standard normal vector. Exact where it is cheap (the tutorial's
 * "1 / (21 n^2)" is off by 7e-5 at n = 3), else its series, good to 1 / n^4. */
static double chi_of(double n)
{
    int sign;

    if (n < 100.0)
        return sqrt(2.0) *
               exp(lgamma_r((n + 1.0) / 2.0, &sign) - lgamma_r(n / 2.0, &sign));
    return sqrt(n) *
           (1.0 - 1.0 / (4.0 * n) + 1.0 / (32.0 * n * n) + 5.0 / (128.0 * n * n * n));
}

void cma_par_set(size_t dim, size_t popsize, bool active, bool separable,
    struct cma_par *par, double *weight)
{
    double n = (double)dim, lambda = (double)popsize;
    double positive = 0.0, negative = 0.0, scale;

    *par = (struct cma_par){.mu = popsize / 2};
    for (size_t i = 0; i < popsize; i++) {
        weight[i] = log((lambda + 1.0) / 2.0) - log((double)i + 1.0);
        if (i < par->mu)
            positive += weight[i];
        else
            negative -= weight[i];
    }
    par->mueff = mass(weight, 0, par->mu);
    par->mueff_neg = mass(weight, par->mu, popsize);
    par->cs = (par->mueff + 2.0) / (n + par->mueff + 3.0);
    par->ds =
        1.0 + 2.0 * fmax(0.0, sqrt((par->mueff - 1.0) / (n + 1.0)) - 1.0) + par->cs;
    if (separable)
        rates_separable(n, par);
    else
        rates(n, lambda, par);
    scale = active ? negative_sum(n, par) / negative : 0.0;
    for (size_t i = 0; i < popsize; i++) {
        weight[i] *= i < par->mu ? 1.0 / positive : scale;
        par->weight_sum += weight[i];
    }
    par->chi = chi_of(n);
    par->gap = 1.0 / ((par->c1 + par->cmu) * n * 10.0);
}
