#include "cmatest.h"

#include "num/cma_state.h"

/* Runs `f` until the optimiser stops; the reason. */
static const char *reason(
    const struct cma_opts *o, double x0, test_fn *f, uint64_t limit)
{
    struct cma *c = test_cma(o, x0);
    const char *why = "none";

    assert_false(cma_stop(c, &why));
    while (!cma_stop(c, &why) && cma_generation(c) < limit)
        (void)test_step(c, f);
    cma_free(c);
    return why;
}

/* Two kinds of example, as with accuracy: few levels, many ties. */
static double steps(const double *x, size_t n)
{
    (void)n;
    return x[0] > -1e3 ? 1 : 0;
}

static double plane(const double *x, size_t n)
{
    (void)n;
    return x[0];
}

static void reasons(void **state)
{
    struct cma_opts o, only;
    (void)state;

    cma_opts_init(&o, 4);
    only = o;
    only.tol = (struct cma_tol){0};
    assert_string_equal(
        reason(&o, 1, steps, 50), "tolfun"); /* as pycma after a flat start */
    assert_string_equal(reason(&only, 1, steps, 200), "none");
    assert_string_equal(reason(&o, 1, plane, 2000), "tolfacupx");
    only.tol.flat = 1;
    assert_string_equal(reason(&only, 1, steps, 200), "tolflatfitness");
    only.tol = (struct cma_tol){.x = 1e-6};
    assert_string_equal(reason(&only, 1, test_sphere, 2000), "tolx");
    only.tol = (struct cma_tol){.fun = 1e-9};
    assert_string_equal(reason(&only, 1, test_sphere, 2000), "tolfun");
    only.tol = (struct cma_tol){.funhist = 1e-6};
    assert_string_equal(reason(&only, 1, test_sphere, 2000), "tolfunhist");
    only.tol = (struct cma_tol){.condition = 1e3};
    assert_string_equal(reason(&only, 1, test_ellipsoid, 2000), "condition");
}

/* Flat: the best equals the one at three quarters, twice in a row, not once. */
static void flat_twice(void **state)
{
    double tie[8] = {1, 1, 1, 1, 1, 1, 1, 2}, no_tie[8] = {1, 1, 1, 1, 1, 1, 2, 2};
    struct cma_opts o;
    struct cma *c;
    (void)state;

    cma_opts_init(&o, 5);
    c = test_cma(&o, 1);
    assert_int_equal(cma_tell(c, tie, NULL), BBT_OK);
    assert_false(cma_stop(c, NULL));
    assert_int_equal(cma_tell(c, no_tie, NULL), BBT_OK);
    assert_int_equal(cma_tell(c, tie, NULL), BBT_OK);
    assert_false(cma_stop(c, NULL));
    assert_int_equal(cma_tell(c, tie, NULL), BBT_OK);
    assert_true(cma_stop(c, NULL));
    cma_free(c);
}

/* Losses of a float32 service: a flat start is not a flat history. */
static void history(void **state)
{
    double loss[8] = {0};
    struct cma_opts o;
    struct cma *c;
    const char *why;
    (void)state;

    cma_opts_init(&o, 5);
    o.tol.flat = 0;
    o.tol.fun = 0;
    o.tol.funhist = 1e-3;
    c = test_cma(&o, 1);
    for (int g = 0; g < 9; g++) {
        for (int k = 0; k < 8; k++)
            loss[k] = 5 + 1e-5 * k;
        assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
        assert_false(cma_stop(c, NULL));
    }
    assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    assert_true(cma_stop(c, &why));
    assert_string_equal(why, "tolfunhist");
    loss[0] = 4;
    assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    assert_false(cma_stop(c, NULL));
    cma_free(c);
}

static void no_effect(void **state)
{
    struct cma_opts o;
    struct cma *c;
    const char *why;
    (void)state;

    cma_opts_init(&o, 3);
    o.sigma0 = 1e-9;
    o.tol = (struct cma_tol){0};
    c = test_cma(&o, 1e9);
    (void)test_step(c, test_sphere);
    assert_true(cma_stop(c, &why));
    assert_string_equal(why, "noeffectcoord");
    cma_free(c);
}

/* A covariance that cannot be decomposed: the run ends with a reason, the object stays
 * sound and can be saved and loaded. */
static void numeric(void **state)
{
    double loss[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct cma_opts o;
    struct cma *c, *d = NULL;
    struct bbt_buf b;
    const char *why;
    (void)state;

    cma_opts_init(&o, 5);
    c = test_cma(&o, 1);
    c->cov[0] = -1e6;
    assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    assert_true(cma_stop(c, &why));
    assert_string_equal(why, "numeric");
    assert_int_equal(cma_tell(c, loss, NULL), BBT_OK);
    buf_init(&b, 1u << 20);
    assert_int_equal(cma_save(c, &b, NULL), BBT_OK);
    assert_int_equal(cma_load(b.data, b.len, &d, NULL), BBT_OK);
    assert_true(cma_stop(d, &why) && cma_digest(c) == cma_digest(d));
    cma_free(c);
    cma_free(d);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons),
        cmocka_unit_test(flat_twice),
        cmocka_unit_test(history),
        cmocka_unit_test(no_effect),
        cmocka_unit_test(numeric),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
