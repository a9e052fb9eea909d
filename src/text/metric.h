/* metric.h -- how good predictions are. Classes are numbers; every figure is in [0, 1], and
 * NaN where nothing was measured (n = 0). */
#ifndef TEXT_METRIC_H
#define TEXT_METRIC_H

#include <stddef.h>
#include <stdint.h>

enum metric_kind { METRIC_ACCURACY, METRIC_F1, METRIC_KIND_NR };

/* "accuracy", "f1"; and back, METRIC_KIND_NR where there is none. */
const char *metric_name(enum metric_kind kind);
enum metric_kind metric_parse(const char *name);

/* Share of rows where both are equal. */
double metric_accuracy(const uint32_t *truth, const uint32_t *pred, size_t n);

/* 2 TP / (2 TP + FP + FN) of class `positive`; 0 where that is 0 / 0. */
double metric_f1(
    const uint32_t *truth, const uint32_t *pred, size_t n, uint32_t positive);

/* The accuracy, or the F1 of class `positive`. */
double metric_score(enum metric_kind kind, const uint32_t *truth, const uint32_t *pred,
    size_t n, uint32_t positive);

/* Share of the most frequent class: what always saying the same would score. */
double metric_majority(const uint32_t *truth, size_t n, uint32_t classes);

/* ret[c] = share of class c's rows that were predicted as c; NaN for a class without rows.
 */
void metric_recall(const uint32_t *truth, const uint32_t *pred, size_t n,
    uint32_t classes, double *ret);

#endif
