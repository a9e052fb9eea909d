/* cma.c -- time of one generation of CMA-ES (ask and tell, popsize 20, one BLAS thread
 * or
 * --threads N), the eigendecompositions included as they fall due.
 *
 * bench/run cma [--threads N] [--dims 100,500,1000] */
#include "base/clock.h"
#include "num/blas.h"
#include "num/cma.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POPSIZE 20

static double ellipsoid(const double *x, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += (1.0 + (double)i) * x[i] * x[i];
    return sum;
}

static int generation(struct cma *c)
{
    const double *x = cma_ask(c);
    double loss[POPSIZE];

    for (size_t k = 0; k < POPSIZE; k++)
        loss[k] = ellipsoid(x + k * cma_dim(c), cma_dim(c));
    return cma_tell(c, loss, NULL) == BBT_OK;
}

/* Best of three runs, each of whole rounds of the lazy schedule (60 generations and
 * more). */
static int measure(size_t dim, enum cma_kind kind)
{
    double best = 1e9, save_ms = 0.0;
    struct bbt_buf image;

    buf_init(&image, (size_t)1 << 31);
    for (int run = 0; run < 3; run++) {
        size_t generations = dim > 1000 ? 40 : 120;
        struct cma_opts o;
        struct cma *c = NULL;
        double ms;
        uint64_t t;

        cma_opts_init(&o, dim);
        o.popsize = POPSIZE;
        o.kind = kind;
        if (cma_new(&o, NULL, &c, NULL) != BBT_OK || !generation(c))
            return 0;
        t = clock_mono_us();
        for (size_t g = 0; g < generations; g++)
            if (!generation(c))
                return 0;
        ms = (double)(clock_mono_us() - t) / 1e3 / (double)generations;
        best = ms < best ? ms : best;
        buf_fini(&image);
        t = clock_mono_us();
        if (cma_save(c, &image, NULL) != BBT_OK)
            return 0;
        save_ms = (double)(clock_mono_us() - t) / 1e3;
        cma_free(c);
    }
    printf("{\"d\": %zu, \"popsize\": %d, \"kind\": \"%s\", \"threads\": %d, "
           "\"ms_per_generation\": %.4f, \"save_ms\": %.3f, \"image_bytes\": %zu}\n",
        dim, POPSIZE, kind == CMA_FULL ? "full" : "separable", blas_threads_now(), best,
        save_ms, image.len);
    (void)fflush(stdout);
    buf_fini(&image);
    return 1;
}

int main(int argc, char **argv)
{
    const char *dims = "100,500,1000";
    int threads = 1;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            threads = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--dims") == 0)
            dims = argv[i + 1];
    }
    blas_threads(threads);
    fprintf(stderr, "%s\n", blas_name());
    while (*dims) {
        char *end;
        size_t dim = strtoul(dims, &end, 10);

        if (end == dims || !measure(dim, CMA_FULL) || !measure(dim, CMA_SEPARABLE)) {
            fprintf(stderr, "usage: cma [--threads N] [--dims D,D,...]\n");
            return 2;
        }
        dims = *end == ',' ? end + 1 : end;
    }
    return 0;
}
