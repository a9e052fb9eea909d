#include "bench.h"

#include "base/json.h"
#include "engine/demo.h"
#include "engine/score.h"

/* Three labels, four rows whose answers are worked out by hand below. */
static const float LOGIT[] = {
    2, 0, 0, /* says 0, is 0 */
    0, 1, 0, /* says 1, is 0 */
    0, 3, 0, /* says 1, is 1 */
    1, 0, 0, /* says 0, is 2 */
};
static uint32_t truth[] = {0, 0, 1, 2};
static int32_t gold[] = {0, 0, 1, 2};
static struct verb_label labels[] = {{"g", "good"}, {"b", "bad"}, {"f", "fair"}};

static void need(const char *what, double got, double want)
{
    if (!(fabs(got - want) < 1e-9))
        print_error("%s: %.12g, by hand %.12g\n", what, got, want);
    assert_true(fabs(got - want) < 1e-9);
}

struct oracle {
    struct job_spec spec;
    struct verb verb;
    struct task_set set;
    struct bbt_err err;
};

static struct oracle oracle_of(void)
{
    return (struct oracle){.spec = {.metric = JOB_ACCURACY, .margin = 2},
        .verb = {.n = 3, .labels = (void *)labels},
        .set = {.n = 4, .truth = truth, .gold = gold}};
}

static double metric_of(struct oracle *o)
{
    double v = -1;

    assert_int_equal(score_metric(&o->spec, &o->verb, &o->set, LOGIT, &v, &o->err), BBT_OK);
    return v;
}

static double loss_now(struct oracle *o)
{
    double v = -1;

    assert_int_equal(score_loss(&o->spec, &o->verb, &o->set, LOGIT, &v, &o->err), BBT_OK);
    return v;
}

static void test_metrics(void **state)
{
    struct oracle o = oracle_of();

    (void)state;
    need("accuracy", metric_of(&o), 2.0 / 4);
    o.spec.metric = JOB_F1;
    /* class 0: tp 1 fp 1 fn 1 -> 1/2; class 1: tp 1 fp 1 fn 0 -> 2/3; class 2: 0 */
    need("macro f1", metric_of(&o), (0.5 + 2.0 / 3 + 0) / 3);
    o.spec.positive = (char *)(uintptr_t) "b";
    need("f1 of b", metric_of(&o), 2.0 / 3);
}

static void test_losses(void **state)
{
    struct oracle o = oracle_of();
    double e = exp(1.0);

    (void)state;
    need("cross entropy", loss_now(&o),
        (log(e * e + 2) - 2 + log(e + 2) + log(exp(3.0) + 2) - 3 + log(e + 2)) / 4);
    o.spec.loss = JOB_HINGE;
    /* sums over wrong labels of max(0, logit - gold + 2): 0+0, 3+2, 0+0, 3+2 */
    need("hinge", loss_now(&o), (0 + 5 + 0 + 5) / 4.0);
    o.spec.loss = JOB_NEGATIVE_METRIC;
    need("negative accuracy", loss_now(&o), -0.5);
    o.spec.metric = JOB_F1;
    need("negative f1", loss_now(&o), -(0.5 + 2.0 / 3) / 3);
}

/* A number that is none is never a score. */
static void test_not_finite(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    struct oracle o = oracle_of();
    float logit[12];
    double v = 7;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        memcpy(logit, LOGIT, sizeof logit);
        logit[5] = bad[i];
        assert_int_equal(
            score_metric(&o.spec, &o.verb, &o.set, logit, &v, &o.err), BBT_INVALID);
        assert_int_equal(
            score_loss(&o.spec, &o.verb, &o.set, logit, &v, &o.err), BBT_INVALID);
        assert_int_equal(score_calibrate(logit, 4, LOGIT, 4, 3, &o.err), BBT_INVALID);
    }
    assert_true(v == 7);
}

/* A bias that is the same everywhere goes away; what is left is the text's own. */
static void test_calibrate(void **state)
{
    float x[] = {5, 1, 0, 9, 1, 0}, few[] = {4, 0, 0, 4, 0, 0};
    double z = log(exp(4.0) + 2);
    struct bbt_err err;

    (void)state;
    assert_int_equal(score_calibrate(x, 2, few, 2, 3, &err), BBT_OK);
    need("row 0, label 0", (double)x[0],
        (double)(float)(5 - log(exp(5.0) + exp(1.0) + 1) - (4 - z)));
    need("row 0, label 1", (double)x[1],
        (double)(float)(1 - log(exp(5.0) + exp(1.0) + 1) - (0 - z)));
    /* raw scores say label 0 in both rows; without the bias only in the second */
    assert_true(x[1] > x[2] && x[0] == x[0]);
    assert_true(x[3] - x[4] > x[0] - x[1]);
}

static json_t *sheet_shown(const float *tuned, const float *manual, const float *const *shown,
    size_t orders, enum job_prompt prompt)
{
    struct oracle o = oracle_of();
    struct demo demo = {.shots = 3, .orders = orders, .used = 2, .why = "too short"};
    struct task task = {.verb = &o.verb, .test = o.set, .train_plain = o.set, .demo = &demo};
    struct rec_job job = {.id = 3, .name = "sheet"};
    struct rec_best best = {.gen = 4};
    struct score_input in = {.spec = &o.spec, .task = &task, .job = &job, .best = &best,
        .reason = "budget", .blas = "test", .server = "fake", .embed_std = NAN,
        .tuned = tuned, .manual = manual, .context = shown, .orders = orders};
    json_t *v = NULL;

    o.spec.prompt = prompt;
    assert_int_equal(score_sheet(&in, &v, &o.err), BBT_OK);
    return v;
}

static enum bbt_rc try_sheet(
    const float *tuned, const float *manual, const float *few, json_t **ret)
{
    struct oracle o = oracle_of();
    struct task task = {.verb = &o.verb, .test = o.set, .train_plain = o.set};
    struct rec_job job = {.id = 3, .name = "sheet",
        .usage = {.requests = 12, .active_us = 2500000}};
    struct rec_best best = {.gen = 4, .cand = REC_CAND_MEAN, .dev = 0.5, .dev_loss = NAN};
    struct score_input in = {.spec = &o.spec, .task = &task, .job = &job, .best = &best,
        .reason = "budget", .blas = "test", .server = "fake", .embed_std = NAN,
        .tuned = tuned, .manual = manual, .few = few};

    return score_sheet(&in, ret, &o.err);
}

static json_t *sheet_of(const float *tuned, const float *manual, const float *few)
{
    json_t *v = NULL;

    assert_int_equal(try_sheet(tuned, manual, few, &v), BBT_OK);
    return v;
}

/* Any allocation may be refused: the whole sheet, or none. */
static void test_sheet_memory(void **state)
{
    json_t *whole = sheet_of(LOGIT, LOGIT, LOGIT);
    unsigned refused = 0;

    (void)state;
    for (int sticky = 0; sticky < 2; sticky++)
        for (long k = 0;; k++) {
            json_t *v = NULL;
            unsigned long asked;
            enum bbt_rc rc;

            (void)bbt_alloc_fault(k, sticky);
            rc = try_sheet(LOGIT, LOGIT, LOGIT, &v);
            asked = bbt_alloc_fault(-1, 0);
            assert_true(rc == BBT_OK ? json_equal(v, whole) : rc == BBT_NOMEM && !v);
            json_decref(v);
            if (asked <= (unsigned long)k)
                break;
            refused += rc != BBT_OK;
        }
    assert_true(refused > 100);
    json_decref(whole);
}

static void test_sheet(void **state)
{
    static const float right[] = {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    json_t *v = sheet_of(right, LOGIT, LOGIT);

    (void)state;
    need("tuned", json_get_num(v, "tuned_test", -1), 1.0);
    need("manual", json_get_num(v, "manual_test", -1), 0.5);
    need("majority", json_get_num(v, "majority", -1), 0.5);
    need("gain", json_get_num(v, "gain_vs_manual", -1), 0.5);
    need("seconds", json_get_num(json_object_get(v, "usage"), "seconds", -1), 2.5);
    need("recall", json_get_num(json_object_get(v, "recall_manual"), "g", -1), 0.5);
    assert_string_equal(json_get_str(json_object_get(v, "best"), "candidate", ""), "mean");
    assert_true(json_is_null(json_object_get(json_object_get(v, "best"), "dev_loss")));
    assert_non_null(strstr(json_get_str(v, "verdict", ""), "gained 50.0 points"));
    json_decref(v);
    v = sheet_of(LOGIT, right, LOGIT);
    assert_non_null(strstr(json_get_str(v, "verdict", ""), "no gain"));
    json_decref(v);
    v = sheet_of(NULL, NULL, NULL);
    assert_true(json_is_null(json_object_get(v, "tuned_test")));
    assert_null(json_object_get(v, "recall_tuned"));
    json_decref(v);
}

/* Mean and range over the orders, and said plainly who is better. */
static void test_context(void **state)
{
    static const float right[] = {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},
                       wrong[] = {0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0}, alike[12] = {0};
    const float *const shown[] = {right, LOGIT, wrong};
    json_t *v = sheet_shown(right, LOGIT, shown, 3, JOB_SOFT);
    const json_t *c = json_object_get(v, "in_context");

    (void)state;
    need("mean", json_get_num(c, "test", -1), 0.5);
    need("least", json_get_num(c, "least", -1), 0.0);
    need("most", json_get_num(c, "most", -1), 1.0);
    need("gain", json_get_num(v, "gain_vs_in_context", -1), 0.5);
    assert_int_equal(json_get_int(c, "shots", -1), 3);
    assert_int_equal(json_get_int(c, "used", -1), 2);
    assert_string_equal(json_get_str(c, "note", ""), "too short");
    assert_non_null(strstr(json_get_str(v, "verdict", ""), "50.0 points over in-context"));
    json_decref(v);
    v = sheet_shown(LOGIT, wrong, shown, 1, JOB_SOFT);
    assert_non_null(strstr(json_get_str(v, "verdict", ""), "no gain over in-context"));
    json_decref(v);
    v = sheet_shown(NULL, alike, shown, 2, JOB_NONE);
    assert_non_null(strstr(json_get_str(v, "verdict", ""), "no search"));
    assert_non_null(strstr(json_get_str(v, "verdict", ""), "in-context learning has 0.7500"));
    assert_null(json_object_get(v, "best"));
    assert_int_equal(json_get_int(v, "undecided_manual", -1), 4); /* no label was told */
    json_decref(v);
    v = sheet_shown(NULL, NULL, NULL, 0, JOB_NONE); /* no room for one demonstration */
    assert_true(json_is_null(json_object_get(json_object_get(v, "in_context"), "test")));
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_calibrate),
        cmocka_unit_test(test_sheet),
        cmocka_unit_test(test_sheet_memory),
        cmocka_unit_test(test_context),
    };

    json_use_alloc();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
