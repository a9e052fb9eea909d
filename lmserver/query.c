#include "query.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

void query_fini(struct query *q)
{
    bbt_free(q->ids);
    bbt_free(q->keep);
    bbt_free(q->mask_pos);
    bbt_free(q->prompt);
    bbt_free(q->labels);
    bbt_free(q->place);
    bbt_free(q->len);
    memset(q, 0, sizeof *q);
}

size_t query_front(const struct query *q)
{
    return q->compose == QUERY_PREPEND ? q->prompt_rows : 0;
}

size_t query_span(const struct query *q, size_t r)
{
    return query_front(q) + q->len[r];
}

const float *query_prompt(const struct query *q, size_t r, size_t hidden)
{
    if (!q->prompt_rows)
        return NULL;
    return q->prompt + (q->prompt_sets > 1 ? r : 0) * q->prompt_rows * hidden;
}

static bool keeps(const struct query *q, size_t r, size_t c)
{
    return !q->keep || q->keep[r * q->cols + c];
}

/* Sizes only: afterwards every product below fits and is small. */
static enum bbt_rc check_sizes(
    struct query *q, const struct lmconf *conf, struct bbt_err *err)
{
    size_t front = query_front(q);

    if (q->rows == 0 || q->cols == 0)
        return bbt_fail(err, BBT_INVALID, "input_ids is empty");
    if (q->prompt_rows > conf->tokens)
        return bbt_fail(err, BBT_INVALID,
            "a prompt of %zu rows: the model has %zu positions", q->prompt_rows,
            conf->tokens);
    q->too_large = true;
    if (q->rows > QUERY_ROWS_MAX)
        return bbt_fail(err, BBT_INVALID, "%zu rows in one request: at most %u", q->rows,
            QUERY_ROWS_MAX);
    if (q->cols > QUERY_TOKENS_MAX || q->rows * (q->cols + front) > QUERY_TOKENS_MAX)
        return bbt_fail(err, BBT_INVALID,
            "%zu rows of %zu tokens and %zu prompt rows are over the limit of %u positions "
            "in one request", q->rows, q->cols, front, QUERY_TOKENS_MAX);
    if (q->rows * (q->labels ? q->label_nr : conf->vocab) > QUERY_OUT_MAX)
        return bbt_fail(err, BBT_INVALID,
            "the answer would hold more than %u numbers: send fewer rows, or label_ids",
            QUERY_OUT_MAX);
    q->too_large = false;
    return BBT_OK;
}

static enum bbt_rc check_numbers(
    const struct query *q, const struct lmconf *conf, struct bbt_err *err)
{
    size_t prompt = q->prompt_sets * q->prompt_rows * conf->hidden;

    for (size_t i = 0; i < q->rows * q->cols; i++)
        if (q->ids[i] < 0 || (size_t)q->ids[i] >= conf->vocab)
            return bbt_fail(err, BBT_INVALID,
                "input_ids: row %zu, column %zu is %d, the vocabulary has %zu tokens",
                i / q->cols, i % q->cols, q->ids[i], conf->vocab);
    for (size_t i = 0; i < q->label_sets * q->label_nr; i++)
        if (q->labels[i] < 0 || (size_t)q->labels[i] >= conf->vocab)
            return bbt_fail(err, BBT_INVALID,
                "label_ids: element %zu is %d, the vocabulary has %zu tokens", i,
                q->labels[i], conf->vocab);
    for (size_t i = 0; i < prompt; i++)
        if (!isfinite(q->prompt[i]))
            return bbt_fail(err, BBT_INVALID,
                "prompt_embedding: element %zu is not a finite number", i);
    return BBT_OK;
}

/* The row of the position table for each token of row r. BERT counts columns; RoBERTa counts
 * tokens that are not padding, from pad + 1, and gives padding tokens the place `pad`. */
static enum bbt_rc set_places(
    struct query *q, size_t r, const struct lmconf *conf, struct bbt_err *err)
{
    size_t shift = q->at == QUERY_EMBEDDING ? query_front(q) : 0, seen = 0;

    for (size_t c = 0; c < q->cols; c++) {
        size_t i = r * q->cols + c, place;
        bool padding = conf->family == LMCONF_ROBERTA && (size_t)q->ids[i] == conf->pad;

        if (padding)
            place = conf->pad;
        else
            place = conf->first_pos + shift +
                    (conf->family == LMCONF_ROBERTA ? seen++ : c);
        if (place >= conf->positions && keeps(q, r, c))
            return bbt_fail(err, BBT_INVALID,
                "row %zu is longer than the model's %zu positions%s", r, conf->tokens,
                shift ? ", prompt included" : "");
        q->place[i] = place < conf->positions ? (int32_t)place : 0;
        q->len[r] += keeps(q, r, c);
    }
    return BBT_OK;
}

static enum bbt_rc check_row(
    struct query *q, size_t r, const struct lmconf *conf, struct bbt_err *err)
{
    size_t adds = q->compose == QUERY_ADD ? q->prompt_rows : 0;
    int32_t mask = q->mask_pos[r];
    enum bbt_rc rc = set_places(q, r, conf, err);

    if (rc != BBT_OK)
        return rc;
    if (mask < 0 || (size_t)mask >= q->cols || !keeps(q, r, (size_t)mask))
        return bbt_fail(err, BBT_INVALID,
            "mask_pos: row %zu is %d, which is no token of that row", r, mask);
    for (size_t c = 1; c <= adds; c++)
        if (c >= q->cols || !keeps(q, r, c))
            return bbt_fail(err, BBT_INVALID,
                "row %zu has no token at position %zu: a prompt of %zu rows is added at "
                "the positions 1 to %zu", r, c, adds, adds);
    return BBT_OK;
}

enum bbt_rc query_check(struct query *q, const struct lmconf *conf, struct bbt_err *err)
{
    enum bbt_rc rc = check_sizes(q, conf, err);

    if (rc == BBT_OK)
        rc = check_numbers(q, conf, err);
    if (rc != BBT_OK)
        return rc;
    q->place = bbt_calloc(q->rows * q->cols, sizeof q->place[0]);
    q->len = bbt_calloc(q->rows, sizeof q->len[0]);
    if (!q->place || !q->len)
        return bbt_fail(err, BBT_NOMEM, "no memory for this request");
    for (size_t r = 0; r < q->rows && rc == BBT_OK; r++)
        rc = check_row(q, r, conf, err);
    q->out_cols = q->labels ? q->label_nr : conf->vocab;
    return rc;
}
