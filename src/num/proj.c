#include "num/proj.h"

#include "base/alloc.h"
#include "num/rng.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdbool.h>

/* A is made and multiplied a block of rows at a time, small enough for the second-level
 * cache; candidates go in groups of GROUP, padded with zeros. The shape of every
 * product is therefore a property of A alone, and with it the order of every sum: that
 * is what makes a row's result independent of its neighbours and of the cache. */
#define GROUP 8
#define BLOCK_CELLS (1u << 18)

static size_t block_rows(const struct proj *p)
{
    size_t rows = BLOCK_CELLS / p->cols;

    return rows < 1 ? 1 : rows > p->rows ? p->rows : rows;
}

/* 0 stands for the default. */
static double or_one(double v)
{
    return v == 0.0 ? 1.0 : v;
}

enum bbt_rc proj_init(struct proj *p, const struct proj_opts *opts, struct bbt_err *err)
{
    double root, factor;

    if (opts->rows == 0 || opts->cols == 0 || opts->cols > PROJ_COLS_MAX ||
        opts->rows > PROJ_CELLS_MAX / opts->cols)
        return bbt_fail(err, BBT_INVALID,
            "projection of %zu dimensions to %zu: sizes out of range", opts->cols,
            opts->rows);
    root = sqrt((double)opts->cols);
    if (opts->dist == PROJ_UNIFORM)
        factor = or_one(opts->scale) / root;
    else if (opts->dist == PROJ_NORMAL)
        factor = or_one(opts->alpha) * opts->embed_std / (root * or_one(opts->sigma));
    else
        return bbt_fail(err, BBT_INVALID, "no such distribution: %d", (int)opts->dist);
    if (!isfinite(factor) || factor <= 0.0 || factor > 1e6)
        return bbt_fail(err, BBT_INVALID, "projection scale %g is not usable", factor);
    *p = (struct proj){.rows = opts->rows,
        .cols = opts->cols,
        .dist = opts->dist,
        .seed = opts->seed,
        .factor = factor};
    return BBT_OK;
}

/* Rows [row, row + n) of A. The product with the factor is rounded once, here, so that
 * the cached and the fresh matrix are the same. */
static void make_rows(const struct proj *p, size_t row, size_t n, float *a)
{
    uint64_t first = (uint64_t)row * p->cols;
    size_t cells = n * p->cols;
    float factor = (float)p->factor;

    if (p->dist == PROJ_UNIFORM)
        rng_fill_uniformf(p->seed, RNG_PROJ, first, cells, a);
    else
        rng_fill_normalf(p->seed, RNG_PROJ, first, cells, a);
    for (size_t i = 0; i < cells; i++)
        a[i] *= factor;
}

enum bbt_rc proj_cache(struct proj *p, struct bbt_err *err)
{
    float *a;

    if (p->a || (uint64_t)p->rows * p->cols > PROJ_CACHE_BYTES / sizeof *a)
        return BBT_OK;
    a = bbt_alloc_array(p->rows * p->cols, sizeof *a);
    if (!a)
        return bbt_fail(err, BBT_NOMEM, "no memory for the projection");
    make_rows(p, 0, p->rows, a);
    p->a = a;
    return BBT_OK;
}

void proj_fini(struct proj *p)
{
    bbt_free(p->a);
    p->a = NULL;
}

double proj_std(const struct proj *p)
{
    return p->dist == PROJ_UNIFORM ? p->factor / sqrt(3.0) : p->factor;
}

void proj_row(const struct proj *p, size_t row, float *ret)
{
    assert(row < p->rows);
    make_rows(p, row, 1, ret);
}

/* zf = the candidates as floats, padded to whole groups. */
static enum bbt_rc to_float(
    const double *z, size_t n, size_t cols, float *zf, struct bbt_err *err)
{
    for (size_t i = 0; i < n * cols; i++) {
        zf[i] = (float)z[i];
        if (!isfinite(zf[i]))
            return bbt_fail(err, BBT_INVALID,
                "candidate %zu, coordinate %zu is not a finite float", i / cols,
                i % cols);
    }
    return BBT_OK;
}

/* out rows of one group and one block of A: tmp (GROUP x rows) = zf A'. */
static void multiply(
    const struct proj *p, const float *zf, const float *a, size_t rows, float *tmp)
{
    int m = GROUP, n = (int)rows, k = (int)p->cols;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, zf, k, a, k,
        0.0f, tmp, n);
}

static bool add_p0(const float *tmp, const float *p0, size_t n, float *out)
{
    bool finite = true;

    for (size_t i = 0; i < n; i++) {
        out[i] = p0 ? p0[i] + tmp[i] : tmp[i];
        finite &= isfinite(out[i]) != 0;
    }
    return finite;
}

enum bbt_rc proj_apply(const struct proj *p, const double *z, size_t n, const float *p0,
    float *out, struct bbt_err *err)
{
    size_t block = block_rows(p), groups = n / GROUP + (n % GROUP != 0);
    float *zf = NULL, *fresh = NULL, *tmp = NULL;
    enum bbt_rc rc = BBT_OK;
    bool finite = true;

    if (n > PROJ_CELLS_MAX / p->rows || n > PROJ_CELLS_MAX / p->cols)
        return bbt_fail(err, BBT_INVALID, "%zu candidates are too many", n);
    zf = bbt_calloc(groups * GROUP * p->cols, sizeof *zf);
    fresh = p->a ? NULL : bbt_alloc_array(block * p->cols, sizeof *fresh);
    tmp = bbt_alloc_array(block * GROUP, sizeof *tmp);
    if (!zf || !tmp || (!p->a && !fresh)) {
        rc = bbt_fail(err, BBT_NOMEM, "no memory to project %zu candidates", n);
        goto out;
    }
    rc = to_float(z, n, p->cols, zf, err);
    if (rc != BBT_OK)
        goto out;
    for (size_t row = 0; row < p->rows; row += block) {
        size_t rows = p->rows - row < block ? p->rows - row : block;
        const float *a = p->a ? p->a + row * p->cols : fresh;

        if (!p->a)
            make_rows(p, row, rows, fresh);
        for (size_t c = 0; c < n; c++) {
            if (c % GROUP == 0)
                multiply(p, zf + c * p->cols, a, rows, tmp);
            finite &= add_p0(tmp + c % GROUP * rows, p0 ? p0 + row : NULL, rows,
                out + c * p->rows + row);
        }
    }
    if (!finite)
        rc = bbt_fail(err, BBT_INVALID, "a prompt leaves the range of floats");
out:
    bbt_free(zf);
    bbt_free(fresh);
    bbt_free(tmp);
    return rc;
}
