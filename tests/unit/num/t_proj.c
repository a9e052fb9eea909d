#include "golden.h"

#include "base/alloc.h"
#include "num/blas.h"
#include "num/proj.h"
#include "num/rng.h"

#include <math.h>
#include <string.h>

static struct proj make(size_t rows, size_t cols, enum proj_dist dist)
{
    struct proj_opts o = {.rows = rows,
        .cols = cols,
        .dist = dist,
        .seed = 42,
        .alpha = 0.5,
        .sigma = 2,
        .embed_std = 0.15};
    struct proj p;

    assert_int_equal(proj_init(&p, &o, NULL), BBT_OK);
    return p;
}

/* Elements: range, deviation; the deviation that proj_std() promises. */
static void elements(void **state)
{
    enum { ROWS = 2000, COLS = 50 };
    float row[COLS];
    (void)state;

    for (int dist = PROJ_UNIFORM; dist <= PROJ_NORMAL; dist++) {
        struct proj p = make(ROWS, COLS, (enum proj_dist)dist);
        double sum = 0, squares = 0, top = 0, n = (double)ROWS * COLS;
        double want =
            dist == PROJ_UNIFORM ? 1 / sqrt(3.0 * COLS) : 0.5 * 0.15 / (2 * sqrt(COLS));

        for (size_t r = 0; r < ROWS; r++) {
            proj_row(&p, r, row);
            for (int c = 0; c < COLS; c++) {
                sum += (double)row[c];
                squares += (double)row[c] * (double)row[c];
                top = fmax(top, fabs((double)row[c]));
            }
        }
        assert_true(fabs(proj_std(&p) / want - 1) < 1e-12);
        assert_true(fabs(sum / n) < 4 * want / sqrt(n));
        assert_true(fabs(sqrt(squares / n) / want - 1) < 4 / sqrt(2 * n));
        if (dist == PROJ_UNIFORM)
            assert_true(top <= 1 / sqrt(COLS) * (1 + 1e-6) && top > 0.999 / sqrt(COLS));
    }
}

/* Against sums in double over proj_row(): right rows, right columns, right layout. */
static void product(void **state)
{
    enum { ROWS = 1000, COLS = 300, N = 11 };
    static double z[N * COLS];
    static float out[N * ROWS], p0[ROWS], row[COLS];
    struct proj p = make(ROWS, COLS, PROJ_NORMAL);
    (void)state;

    rng_fill_normal(1, RNG_TEST, 0, N * COLS, z);
    rng_fill_normalf(2, RNG_TEST, 0, ROWS, p0);
    assert_int_equal(proj_apply(&p, z, N, p0, out, NULL), BBT_OK);
    for (size_t r = 0; r < ROWS; r++) {
        proj_row(&p, r, row);
        for (size_t k = 0; k < N; k++) {
            double want = (double)p0[r];

            for (size_t c = 0; c < COLS; c++)
                want += (double)row[c] * z[k * COLS + c];
            assert_true(fabs((double)out[k * ROWS + r] - want) < 1e-6);
        }
    }
}

/* A candidate's prompt does not depend, to the bit, on its company or on the cache. */
static void alone_or_together(void **state)
{
    enum { ROWS = 3001, COLS = 250, N = 19 };
    static double z[N * COLS];
    static float all[N * ROWS], one[2 * ROWS], cached[N * ROWS];
    (void)state;

    rng_fill_normal(3, RNG_TEST, 0, N * COLS, z);
    for (int threads = 1; threads <= 2; threads++) {
        struct proj p = make(ROWS, COLS, PROJ_UNIFORM);

        blas_threads(threads);
        assert_int_equal(proj_apply(&p, z, N, NULL, all, NULL), BBT_OK);
        for (size_t k = 0; k < N; k++) {
            size_t n = k + 1 < N ? 2 : 1;

            assert_int_equal(proj_apply(&p, z + k * COLS, n, NULL, one, NULL), BBT_OK);
            assert_memory_equal(one, all + k * ROWS, n * ROWS * sizeof *one);
        }
        assert_int_equal(proj_cache(&p, NULL), BBT_OK);
        assert_non_null(p.a);
        assert_int_equal(proj_apply(&p, z, N, NULL, cached, NULL), BBT_OK);
        assert_memory_equal(cached, all, sizeof all);
        proj_fini(&p);
    }
    blas_threads(1);
}

static void laws(void **state)
{
    enum { ROWS = 4000, COLS = 40 };
    static float p0[ROWS], a[ROWS], b[ROWS], ab[ROWS], zero[ROWS];
    double z1[COLS], z2[COLS], z3[COLS], z0[COLS] = {0}, len = 0, out = 0;
    struct proj p = make(ROWS, COLS, PROJ_NORMAL);
    (void)state;

    rng_fill_normalf(5, RNG_TEST, 0, ROWS, p0);
    rng_fill_normal(6, RNG_TEST, 0, COLS, z1);
    rng_fill_normal(7, RNG_TEST, 0, COLS, z2);
    for (int c = 0; c < COLS; c++)
        z3[c] = 3 * z1[c] - 2 * z2[c];
    assert_int_equal(proj_apply(&p, z0, 1, p0, zero, NULL), BBT_OK);
    assert_memory_equal(zero, p0, sizeof p0);
    assert_int_equal(proj_apply(&p, z1, 1, NULL, a, NULL), BBT_OK);
    assert_int_equal(proj_apply(&p, z2, 1, NULL, b, NULL), BBT_OK);
    assert_int_equal(proj_apply(&p, z3, 1, NULL, ab, NULL), BBT_OK);
    for (int r = 0; r < ROWS; r++)
        assert_true(fabsf(ab[r] - (3 * a[r] - 2 * b[r])) < 1e-5f);
    /* Johnson-Lindenstrauss: lengths grow by std sqrt(rows), +- 1 / sqrt(2 rows) */
    for (int c = 0; c < COLS; c++)
        len += (z1[c] - z2[c]) * (z1[c] - z2[c]);
    for (int r = 0; r < ROWS; r++)
        out += pow((double)a[r] - (double)b[r], 2);
    assert_true(
        fabs(sqrt(out / len) / (proj_std(&p) * sqrt(ROWS)) - 1) < 4 / sqrt(2 * ROWS));
    assert_int_equal(proj_apply(&p, z1, 0, p0, zero, NULL), BBT_OK);
}

/* The matrix is the seed's: the same again, another for another seed. */
static void seeds(void **state)
{
    struct proj p = make(100, 30, PROJ_NORMAL), q = p;
    float a[30], b[30];
    (void)state;

    proj_row(&p, 99, a);
    proj_row(&q, 99, b);
    assert_memory_equal(a, b, sizeof a);
    q.seed++;
    proj_row(&q, 99, b);
    assert_memory_not_equal(a, b, sizeof a);
    proj_row(&p, 98, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void refused(void **state)
{
    struct proj_opts o = {.rows = 10, .cols = 5, .dist = PROJ_NORMAL}, bad;
    struct proj p;
    double z[5] = {0, 0, NAN, 0, 0};
    float out[10];
    struct bbt_err err;
    (void)state;

    assert_int_equal(proj_init(&p, &o, &err), BBT_INVALID); /* no embed_std: no scale */
    o.dist = PROJ_UNIFORM;
    bad = o;
    bad.rows = 0;
    assert_int_equal(proj_init(&p, &bad, &err), BBT_INVALID);
    bad.rows = SIZE_MAX;
    assert_int_equal(proj_init(&p, &bad, &err), BBT_INVALID);
    bad = o;
    bad.cols = PROJ_COLS_MAX + 1;
    assert_int_equal(proj_init(&p, &bad, &err), BBT_INVALID);
    bad = o;
    bad.scale = -1;
    assert_int_equal(proj_init(&p, &bad, &err), BBT_INVALID);
    bad.scale = NAN;
    assert_int_equal(proj_init(&p, &bad, &err), BBT_INVALID);
    bad = o;
    bad.dist = (enum proj_dist)7;
    assert_int_equal(proj_init(&p, &bad, &err), BBT_INVALID);
    assert_int_equal(proj_init(&p, &o, &err), BBT_OK);
    assert_int_equal(proj_apply(&p, z, 1, NULL, out, &err), BBT_INVALID);
    z[2] = 1e300;
    assert_int_equal(proj_apply(&p, z, 1, NULL, out, &err), BBT_INVALID);
    assert_int_equal(proj_apply(&p, z, SIZE_MAX, NULL, out, &err), BBT_INVALID);
}

static void no_memory(void **state)
{
    struct proj p = make(100, 30, PROJ_NORMAL);
    double z[30] = {1};
    float out[100];
    long n = 0;
    enum bbt_rc rc;
    (void)state;

    do {
        (void)bbt_alloc_fault(n++, 0);
        rc = proj_apply(&p, z, 1, NULL, out, NULL);
        (void)bbt_alloc_fault(-1, 0);
    } while (rc == BBT_NOMEM);
    assert_int_equal(rc, BBT_OK);
    assert_true(n > 3);
    (void)bbt_alloc_fault(0, 0);
    assert_int_equal(proj_cache(&p, NULL), BBT_NOMEM);
    (void)bbt_alloc_fault(-1, 0);
    assert_null(p.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements),
        cmocka_unit_test(product),
        cmocka_unit_test(alone_or_together),
        cmocka_unit_test(laws),
        cmocka_unit_test(seeds),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
