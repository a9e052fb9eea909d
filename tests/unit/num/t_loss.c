#include "golden.h"

#include "num/loss.h"

#include <math.h>

static const float three[] = {1, 3, 2, -1, .5f, .5f};
static const int32_t three_gold[] = {1, 1, 0};
static const float two[] = {2, 1, 0, 0, 0, 0};
static const int32_t two_gold[] = {0, 2};

static void near(double got, double want, double tol)
{
    if (!(fabs(got - want) <= tol))
        fail_msg("got %.12g, want %.12g", got, want);
}

static double ce(const float *l, const int32_t *g, size_t rows, size_t labels)
{
    double v = NAN;

    assert_int_equal(loss_ce(l, g, rows, labels, &v, NULL), BBT_OK);
    return v;
}

static double hinge(
    const float *l, const int32_t *g, size_t rows, size_t labels, double m)
{
    double v = NAN;

    assert_int_equal(loss_hinge(l, g, rows, labels, m, &v, NULL), BBT_OK);
    return v;
}

static void by_hand(void **state)
{
    double v;
    (void)state;

    near(hinge(three, three_gold, 3, 2, 2), 7.0 / 3.0, 1e-15);
    near(ce(three, three_gold, 3, 2), 1.2895542, 5e-8);
    near(hinge(two, two_gold, 2, 3, 2), 2.5, 0);
    near(ce(two, two_gold, 2, 3), 0.7531091, 5e-8);
    near(ce(two, two_gold, 2, 3), (log(1 + exp(-1) + exp(-2)) + log(3)) / 2, 1e-15);
    assert_int_equal(loss_neg_accuracy(three, three_gold, 3, 2, &v, NULL), BBT_OK);
    near(v, -2.0 / 3.0, 1e-15); /* the tie of row 2 goes to label 0, which is right */
    assert_int_equal(loss_neg_accuracy(two, two_gold, 2, 3, &v, NULL), BBT_OK);
    near(v, -0.5, 0);
}

static void laws(void **state)
{
    float shifted[6], flat[8] = {0}, apart[] = {5, 3, 3, 0, 2, 0};
    int32_t gold[] = {0, 3}, right[] = {0, 1}, only[] = {0, 0};
    (void)state;

    for (int i = 0; i < 6; i++)
        shifted[i] = three[i] + (i < 2 ? 64.0f : -512.0f);
    near(ce(shifted, three_gold, 3, 2), ce(three, three_gold, 3, 2), 1e-13);
    near(hinge(shifted, three_gold, 3, 2, 2), hinge(three, three_gold, 3, 2, 2), 1e-13);
    near(ce(flat, gold, 2, 4), log(4), 1e-15);
    near(hinge(flat, gold, 2, 4, 2), 6, 0);
    near(hinge(apart, right, 2, 3, 2), 0, 0);
    assert_true(hinge(apart, right, 2, 3, 2.5) > 0);
    near(hinge(apart, only, 2, 1, 2), 0, 0); /* one label is always right */
}

/* Far apart logits neither overflow nor lose the loss. */
static void extremes(void **state)
{
    float far[] = {3e38f, -3e38f}, near_zero[] = {20, -20};
    int32_t right = 0, wrong = 1;
    double v;
    (void)state;

    near(ce(far, &right, 1, 2), 0, 0);
    v = ce(far, &wrong, 1, 2);
    assert_true(isfinite(v) && v > 5e38);
    near(ce(near_zero, &wrong, 1, 2), 40, 1e-12);
}

static void softmax(void **state)
{
    double p[6], q[6];
    (void)state;

    assert_int_equal(loss_softmax(three, 3, 2, p, NULL), BBT_OK);
    assert_int_equal(loss_log_softmax(three, 3, 2, q, NULL), BBT_OK);
    near(p[0], 1 / (1 + exp(2)), 1e-15);
    near(p[4], 0.5, 1e-15);
    for (int i = 0; i < 3; i++)
        near(p[2 * i] + p[2 * i + 1], 1, 1e-15);
    near(-(q[1] + q[3] + q[4]) / 3, ce(three, three_gold, 3, 2), 1e-15);
}

/* Garbage is an error, never a score; and the result is left alone. */
static void refused(void **state)
{
    float bad[] = {1, NAN, 2, 3}, inf[] = {1, 2, -INFINITY, 3}, good[] = {1, 2, 3, 4};
    int32_t gold[] = {0, 1}, above[] = {0, 2}, below[] = {-1, 0};
    double v = 42;
    struct bbt_err err;
    (void)state;

    for (int k = 0; k < LOSS_KIND_NR; k++) {
        enum loss_kind kind = (enum loss_kind)k;

        assert_int_equal(loss_of(kind, bad, gold, 2, 2, &v, &err), BBT_INVALID);
        assert_int_equal(loss_of(kind, inf, gold, 2, 2, &v, &err), BBT_INVALID);
        assert_int_equal(loss_of(kind, good, above, 2, 2, &v, &err), BBT_INVALID);
        assert_int_equal(loss_of(kind, good, below, 2, 2, &v, &err), BBT_INVALID);
        assert_int_equal(loss_of(kind, good, gold, 0, 2, &v, &err), BBT_INVALID);
        assert_int_equal(loss_of(kind, good, gold, 2, 0, &v, &err), BBT_INVALID);
    }
    assert_int_equal(loss_hinge(good, gold, 2, 2, NAN, &v, &err), BBT_INVALID);
    assert_int_equal(loss_softmax(bad, 2, 2, &v, &err), BBT_INVALID);
    assert_int_equal(loss_of(LOSS_KIND_NR, good, gold, 2, 2, &v, &err), BBT_INVALID);
    assert_true(v == 42);
    assert_int_equal(loss_of(LOSS_HINGE, good, gold, 2, 2, &v, &err), BBT_OK);
    near(v, hinge(good, gold, 2, 2, LOSS_MARGIN), 0);
}

static void names(void **state)
{
    (void)state;
    for (int k = 0; k < LOSS_KIND_NR; k++)
        assert_int_equal(loss_parse(loss_name((enum loss_kind)k)), k);
    assert_int_equal(loss_parse("mse"), LOSS_KIND_NR);
    assert_string_equal(loss_name(LOSS_KIND_NR), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(laws),
        cmocka_unit_test(extremes),
        cmocka_unit_test(softmax),
        cmocka_unit_test(refused),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
