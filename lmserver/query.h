/* query.h -- one question to the model, as plain arrays: token rows, soft prompt, where to
 * look, which labels. Filled by a decoder, then checked once against the model; afterwards
 * the forward pass asks nothing any more.
 *
 * How a prompt of L rows enters (row 0 of the text is its [CLS] or <s>):
 *   add, hidden        added at positions 1..L to the output of the embedding's LayerNorm
 *   add, embedding     added at positions 1..L to the word embeddings
 *   prepend, hidden    put in front behind that LayerNorm, without position; tokens keep theirs
 *   prepend, embedding put in front as word embeddings at positions 0..L-1; tokens move by L
 */
#ifndef LMSERVER_QUERY_H
#define LMSERVER_QUERY_H

#include "base/err.h"
#include "lmconf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_ROWS_MAX 1024u
#define QUERY_TOKENS_MAX (256u * 1024u) /* rows x columns, prepended prompt rows included */
#define QUERY_OUT_MAX (16u * 1024u * 1024u) /* numbers in the answer */

enum query_compose { QUERY_ADD, QUERY_PREPEND };
enum query_at { QUERY_HIDDEN, QUERY_EMBEDDING };

struct query {
    size_t rows, cols;
    int32_t *ids;      /* rows x cols */
    uint8_t *keep;     /* rows x cols: the token counts; NULL = all do */
    int32_t *mask_pos; /* rows; column in `ids`, prompt not counted */
    float *prompt;     /* sets x prompt_rows x hidden; NULL = none */
    size_t prompt_rows, prompt_sets; /* sets: 0 none, 1 for all rows, or `rows` */
    enum query_compose compose;
    enum query_at at;
    int32_t *labels; /* label_sets x label_nr; NULL = the whole vocabulary */
    size_t label_nr, label_sets; /* sets: 0, 1 or `rows` */

    /* set by query_check() */
    int32_t *place; /* rows x cols: row of the position table */
    size_t *len;    /* rows: tokens that count */
    size_t out_cols; /* numbers per row of the answer */
    bool too_large;  /* why it failed: the same with fewer rows could do */
};

/* Everything the forward pass relies on. BBT_INVALID with a sentence for the user. */
BBT_NODISCARD enum bbt_rc query_check(
    struct query *q, const struct lmconf *conf, struct bbt_err *err);

/* Prompt rows that stand in front of row tokens (0 unless prepended). */
size_t query_front(const struct query *q);

/* Positions that row r occupies in the forward pass. After query_check(). */
size_t query_span(const struct query *q, size_t r);

/* The prompt of row r, prompt_rows x hidden, or NULL. */
const float *query_prompt(const struct query *q, size_t r, size_t hidden);

/* Frees the arrays; an all-zero query is fine. */
void query_fini(struct query *q);

#endif
