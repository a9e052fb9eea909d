/* cma_par.h -- weights and learning rates of CMA-ES from dimension and population size.
 *
 * pycma 4.4's numbers: Hansen's tutorial (arXiv 1604.00772, table 1) with c_sigma's "+
 * 3", c_mu's "+ 1/4" and c_1's min(1, popsize / 6). Internal to src/num. */
#ifndef NUM_CMA_PAR_H
#define NUM_CMA_PAR_H

#include <stdbool.h>
#include <stddef.h>

struct cma_par {
    size_t mu;               /* rows with a positive weight */
    double mueff, mueff_neg; /* variance-effective selection masses */
    double cc, cs, ds;       /* paths of C and of sigma; damping of sigma */
    double c1, cmu;          /* rank-one and rank-mu learning rates */
    double weight_sum;       /* of all weights; 1 + the negative ones */
    double chi;              /* expected length of a standard normal vector */
    double gap;              /* tells between eigendecompositions */
};

/* 4 + floor(3 ln dim). */
size_t cma_par_popsize(size_t dim);

/* Fills `par` and `weight` (popsize doubles, best rank first; the positive ones sum to
 * 1). Without `active` the others are 0. `separable` takes the rates of a diagonal C.
 * dim >= 1, popsize >= 2. */
void cma_par_set(size_t dim, size_t popsize, bool active, bool separable,
    struct cma_par *par, double *weight);

#endif
