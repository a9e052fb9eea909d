#include "num/blas.h"

#include <cblas.h>
#include <stdio.h>

static char name[160];

void blas_threads(int n)
{
    openblas_set_num_threads(n < 1 ? 1 : n);
}

int blas_threads_now(void)
{
    return openblas_get_num_threads();
}

const char *blas_name(void)
{
    int n = blas_threads_now();

    (void)snprintf(name, sizeof name, "%s, kernel %s, %d thread%s",
        openblas_get_config(), openblas_get_corename(), n, n == 1 ? "" : "s");
    return name;
}
