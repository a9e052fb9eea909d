/* loss.h -- what a candidate prompt is worth: losses on label-word logits, lower is
 * better.
 *
 * `logit` is rows x labels, row-major; `gold[i]` < labels is the right label of row i.
 * Sums are in double, in row order, so equal input gives equal bits. A logit that is
 * not finite, a gold label out of range, or no rows at all is BBT_INVALID: never a
 * score. */
#ifndef NUM_LOSS_H
#define NUM_LOSS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define LOSS_MARGIN 2.0 /* of the reference code, for every task */

enum loss_kind { LOSS_CE, LOSS_HINGE, LOSS_NEG_ACCURACY, LOSS_KIND_NR };

/* "ce", "hinge", "accuracy"; and back: LOSS_KIND_NR where none. */
const char *loss_name(enum loss_kind kind);
enum loss_kind loss_parse(const char *name);

/* Mean over rows of -log softmax(logit)[gold]. */
BBT_NODISCARD enum bbt_rc loss_ce(const float *logit, const int32_t *gold, size_t rows,
    size_t labels, double *ret, struct bbt_err *err);

/* Mean over rows of the SUM over wrong labels of max(0, logit - logit[gold] + margin).
 */
BBT_NODISCARD enum bbt_rc loss_hinge(const float *logit, const int32_t *gold,
    size_t rows, size_t labels, double margin, double *ret, struct bbt_err *err);

/* Minus the share of rows whose largest logit (the first of equals) is the gold one. */
BBT_NODISCARD enum bbt_rc loss_neg_accuracy(const float *logit, const int32_t *gold,
    size_t rows, size_t labels, double *ret, struct bbt_err *err);

/* Any of them by name; hinge with LOSS_MARGIN. */
BBT_NODISCARD enum bbt_rc loss_of(enum loss_kind kind, const float *logit,
    const int32_t *gold, size_t rows, size_t labels, double *ret, struct bbt_err *err);

/* Softmax and its logarithm over each row; `ret` is rows x labels doubles. */
BBT_NODISCARD enum bbt_rc loss_softmax(
    const float *logit, size_t rows, size_t labels, double *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc loss_log_softmax(
    const float *logit, size_t rows, size_t labels, double *ret, struct bbt_err *err);

/* Index of the largest of `n` > 0 logits, the first of equals. */
size_t loss_argmax(const float *logit, size_t n);

#endif
