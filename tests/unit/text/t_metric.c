/* Metrics by hand and by law. */
#include "textunit.h"

#include "text/metric.h"

#include <math.h>

static void same(double got, double want, double tolerance)
{
    assert_true(fabs(got - want) <= tolerance);
}

static void by_hand(void **state)
{
    const uint32_t truth[] = {0, 0, 0, 1, 1, 2}, pred[] = {0, 0, 1, 1, 0, 0};
    double recall[4];

    (void)state;
    same(metric_accuracy(truth, pred, 6), 0.5, 1e-15);
    /* class 0: TP 2, FP 2, FN 1 */
    same(metric_f1(truth, pred, 6, 0), 4.0 / 7.0, 1e-15);
    same(metric_f1(truth, pred, 6, 1), 0.5, 1e-15);
    same(metric_f1(truth, pred, 6, 2), 0.0, 0);
    same(metric_f1(truth, pred, 6, 3), 0.0, 0); /* neither there nor said */
    same(metric_majority(truth, 6, 3), 0.5, 0);
    metric_recall(truth, pred, 6, 4, recall);
    same(recall[0], 2.0 / 3.0, 1e-15);
    same(recall[1], 0.5, 0);
    same(recall[2], 0.0, 0);
    assert_true(isnan(recall[3]));
    same(metric_score(METRIC_ACCURACY, truth, pred, 6, 0), 0.5, 0);
    same(metric_score(METRIC_F1, truth, pred, 6, 1), 0.5, 0);
}

static void of_nothing(void **state)
{
    (void)state;
    assert_true(isnan(metric_accuracy(NULL, NULL, 0)));
    assert_true(isnan(metric_f1(NULL, NULL, 0, 0)));
    assert_true(isnan(metric_majority(NULL, 0, 2)));
}

/* Accuracy is the mean of the recalls weighted by how many rows a class has; F1 is the
 * harmonic mean of precision and recall, and the same with truth and prediction swapped. */
static void laws(void **state)
{
    uint32_t truth[200], pred[200];
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 50; round++) {
        double recall[3], precision[3], sum = 0;
        size_t there[3] = {0};

        for (size_t i = 0; i < 200; i++) {
            truth[i] = (uint32_t)(rnd(&seed) % 3);
            pred[i] = (uint32_t)(rnd(&seed) % 3);
            there[truth[i]]++;
        }
        metric_recall(truth, pred, 200, 3, recall);
        metric_recall(pred, truth, 200, 3, precision);
        for (uint32_t c = 0; c < 3; c++) {
            double f1 = 2 * recall[c] * precision[c] / (recall[c] + precision[c]);

            sum += recall[c] * (double)there[c];
            same(metric_f1(truth, pred, 200, c), f1, 1e-12);
            same(metric_f1(pred, truth, 200, c), f1, 1e-12);
        }
        same(metric_accuracy(truth, pred, 200), sum / 200, 1e-12);
    }
}

static void names(void **state)
{
    (void)state;
    assert_int_equal(metric_parse("f1"), METRIC_F1);
    assert_int_equal(metric_parse("accuracy"), METRIC_ACCURACY);
    assert_int_equal(metric_parse("F1"), METRIC_KIND_NR);
    assert_string_equal(metric_name(METRIC_F1), "f1");
    assert_string_equal(metric_name(METRIC_KIND_NR), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(of_nothing),
        cmocka_unit_test(laws),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
