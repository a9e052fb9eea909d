#include "num/loss.h"

#include <math.h>
#include <string.h>

static const char *const names[LOSS_KIND_NR] = {
    [LOSS_CE] = "ce", [LOSS_HINGE] = "hinge", [LOSS_NEG_ACCURACY] = "accuracy"};

const char *loss_name(enum loss_kind kind)
{
    return (unsigned)kind < LOSS_KIND_NR ? names[kind] : "unknown";
}

enum loss_kind loss_parse(const char *name)
{
    for (unsigned k = 0; k < LOSS_KIND_NR; k++)
        if (strcmp(name, names[k]) == 0)
            return (enum loss_kind)k;
    return LOSS_KIND_NR;
}

static enum bbt_rc check_logits(
    const float *logit, size_t rows, size_t labels, struct bbt_err *err)
{
    if (rows == 0 || labels == 0)
        return bbt_fail(
            err, BBT_INVALID, "no logits: %zu rows, %zu labels", rows, labels);
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < labels; c++)
            if (!isfinite(logit[i * labels + c]))
                return bbt_fail(err, BBT_INVALID,
                    "logit of row %zu, label %zu is not finite", i, c);
    return BBT_OK;
}

static enum bbt_rc check(const float *logit, const int32_t *gold, size_t rows,
    size_t labels, struct bbt_err *err)
{
    enum bbt_rc rc = check_logits(logit, rows, labels, err);

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; i < rows; i++)
        if (gold[i] < 0 || (size_t)gold[i] >= labels)
            return bbt_fail(err, BBT_INVALID,
                "gold label %d of row %zu: only %zu labels", (int)gold[i], i, labels);
    return BBT_OK;
}

/* log(sum(exp(logit))), with the largest taken out so that nothing overflows. */
static double log_sum_exp(const float *logit, size_t n)
{
    double top = logit[loss_argmax(logit, n)];
    double sum = 0.0;

    for (size_t c = 0; c < n; c++)
        sum += exp((double)logit[c] - top);
    return top + log(sum);
}

enum bbt_rc loss_ce(const float *logit, const int32_t *gold, size_t rows, size_t labels,
    double *ret, struct bbt_err *err)
{
    enum bbt_rc rc = check(logit, gold, rows, labels, err);
    double sum = 0.0;

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; i < rows; i++) {
        const float *row = logit + i * labels;

        sum += log_sum_exp(row, labels) - (double)row[gold[i]];
    }
    *ret = sum / (double)rows;
    return BBT_OK;
}

enum bbt_rc loss_hinge(const float *logit, const int32_t *gold, size_t rows,
    size_t labels, double margin, double *ret, struct bbt_err *err)
{
    enum bbt_rc rc = check(logit, gold, rows, labels, err);
    double sum = 0.0;

    if (rc != BBT_OK)
        return rc;
    if (!isfinite(margin) || margin < 0)
        return bbt_fail(
            err, BBT_INVALID, "hinge margin %g is not a number >= 0", margin);
    for (size_t i = 0; i < rows; i++) {
        const float *row = logit + i * labels;
        double right = (double)row[gold[i]];

        for (size_t c = 0; c < labels; c++)
            if ((int32_t)c != gold[i])
                sum += fmax(0.0, (double)row[c] - right + margin);
    }
    *ret = sum / (double)rows;
    return BBT_OK;
}

enum bbt_rc loss_neg_accuracy(const float *logit, const int32_t *gold, size_t rows,
    size_t labels, double *ret, struct bbt_err *err)
{
    enum bbt_rc rc = check(logit, gold, rows, labels, err);
    size_t right = 0;

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; i < rows; i++)
        right += loss_argmax(logit + i * labels, labels) == (size_t)gold[i];
    *ret = -(double)right / (double)rows;
    return BBT_OK;
}

enum bbt_rc loss_of(enum loss_kind kind, const float *logit, const int32_t *gold,
    size_t rows, size_t labels, double *ret, struct bbt_err *err)
{
    switch (kind) {
    case LOSS_CE:
        return loss_ce(logit, gold, rows, labels, ret, err);
    case LOSS_HINGE:
        return loss_hinge(logit, gold, rows, labels, LOSS_MARGIN, ret, err);
    case LOSS_NEG_ACCURACY:
        return loss_neg_accuracy(logit, gold, rows, labels, ret, err);
    case LOSS_KIND_NR:
        break;
    }
    return bbt_fail(err, BBT_INVALID, "no such loss: %d", (int)kind);
}

enum bbt_rc loss_log_softmax(
    const float *logit, size_t rows, size_t labels, double *ret, struct bbt_err *err)
{
    enum bbt_rc rc = check_logits(logit, rows, labels, err);

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; i < rows; i++) {
        const float *row = logit + i * labels;
        double lse = log_sum_exp(row, labels);

        for (size_t c = 0; c < labels; c++)
            ret[i * labels + c] = (double)row[c] - lse;
    }
    return BBT_OK;
}

enum bbt_rc loss_softmax(
    const float *logit, size_t rows, size_t labels, double *ret, struct bbt_err *err)
{
    enum bbt_rc rc = loss_log_softmax(logit, rows, labels, ret, err);

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; i < rows * labels; i++)
        ret[i] = exp(ret[i]);
    return BBT_OK;
}

size_t loss_argmax(const float *logit, size_t n)
{
    size_t best = 0;

    for (size_t c = 1; c < n; c++)
        if (logit[c] > logit[best])
            best = c;
    return best;
}
