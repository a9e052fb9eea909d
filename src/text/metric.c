#include "text/metric.h"

#include <math.h>
#include <string.h>

static const char *const names[METRIC_KIND_NR] = {"accuracy", "f1"};

const char *metric_name(enum metric_kind kind)
{
    return (unsigned)kind < METRIC_KIND_NR ? names[kind] : "unknown";
}

enum metric_kind metric_parse(const char *name)
{
    unsigned k = 0;

    while (k < METRIC_KIND_NR && strcmp(names[k], name) != 0)
        k++;
    return (enum metric_kind)k;
}

double metric_accuracy(const uint32_t *truth, const uint32_t *pred, size_t n)
{
    size_t right = 0;

    for (size_t i = 0; i < n; i++)
        right += truth[i] == pred[i];
    return n ? (double)right / (double)n : NAN;
}

double metric_f1(const uint32_t *truth, const uint32_t *pred, size_t n, uint32_t positive)
{
    size_t hit = 0, marked = 0;

    for (size_t i = 0; i < n; i++) {
        hit += truth[i] == positive && pred[i] == positive;
        marked += (size_t)(truth[i] == positive) + (size_t)(pred[i] == positive);
    }
    if (n == 0)
        return NAN;
    return marked ? 2.0 * (double)hit / (double)marked : 0.0;
}

double metric_score(enum metric_kind kind, const uint32_t *truth, const uint32_t *pred,
    size_t n, uint32_t positive)
{
    return kind == METRIC_F1 ? metric_f1(truth, pred, n, positive)
                             : metric_accuracy(truth, pred, n);
}

double metric_majority(const uint32_t *truth, size_t n, uint32_t classes)
{
    size_t most = 0;

    for (uint32_t c = 0; c < classes; c++) {
        size_t count = 0;

        for (size_t i = 0; i < n; i++)
            count += truth[i] == c;
        most = count > most ? count : most;
    }
    return n ? (double)most / (double)n : NAN;
}

void metric_recall(const uint32_t *truth, const uint32_t *pred, size_t n, uint32_t classes,
    double *ret)
{
    for (uint32_t c = 0; c < classes; c++) {
        size_t hit = 0, there = 0;

        for (size_t i = 0; i < n; i++) {
            there += truth[i] == c;
            hit += truth[i] == c && pred[i] == c;
        }
        ret[c] = there ? (double)hit / (double)there : NAN;
    }
}
