/* kserve2_reply.c -- answers of the kserve2 dialect. Only the numbers that were asked for
 * are kept, whatever the deployment's output shape; anything that is not exactly what the
 * question calls for is an error, never a guess. */
#include "prov/kserve2.h"

#include "base/alloc.h"
#include "prov/kserve2_stream.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- labels out of every output shape ---- */

struct prov_reading {
    struct stream s;
    struct stream_output out;
    const struct prov_model *m;
    const struct prov_ask *ask;
    float *logit; /* rows x labels */
};

/* The output as [rows, positions, width]: [B,C] and [B,V] have one position. */
struct layout {
    size_t rows, positions, width;
    bool direct; /* one column per label, in order */
};

static enum bbt_rc wrong_shape(
    const struct stream_output *o, const char *why, struct bbt_err *err)
{
    char text[120];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < o->rank && n < sizeof text - 22; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%zu", i ? "," : "", o->shape[i]);
    return bbt_fail(
        err, BBT_CORRUPT, "response: output \"%s\" has the shape [%s]: %s", o->name, text, why);
}

static bool has_columns(const struct prov_ask *ask, size_t width)
{
    for (size_t i = 0; i < ask->labels; i++)
        if ((size_t)ask->label_ids[i] >= width)
            return false;
    return true;
}

static enum bbt_rc lay_out(const struct prov_model *m, const struct prov_ask *ask,
    const struct stream_output *o, struct layout *ret, struct bbt_err *err)
{
    size_t rows = m->rows_fixed ? m->rows_fixed : ask->batch->rows;
    size_t cols = m->cols_fixed ? m->cols_fixed : ask->batch->cols;
    size_t prepended =
        ask->prompt && ask->compose == PROV_PREPEND ? ask->prompt_rows : 0;
    struct layout l = {.rows = rows, .positions = 1};

    if (o->rank < 2 || o->rank > 3)
        return wrong_shape(o, "two or three dimensions are due", err);
    l.width = o->shape[o->rank - 1];
    if (o->rank == 3)
        l.positions = o->shape[1];
    if (o->shape[0] != rows)
        return wrong_shape(o, "another number of examples than was asked about", err);
    if (o->rank == 3 && l.positions != 1 && l.positions != cols + prepended)
        return wrong_shape(o, "another number of tokens than was sent", err);
    l.direct = l.positions == 1 && l.width == ask->labels;
    if (!l.direct && m->hidden && l.width == m->hidden)
        return bbt_fail(err, BBT_INVALID,
            "output \"%s\" has the model's hidden size %zu: these are hidden states, not "
            "scores of words (deploy the model with its language-model head)", o->name,
            l.width);
    if (l.positions > 1 && !ask->batch->mask_pos)
        return wrong_shape(o, "one row per token, but no mask position is known", err);
    if (!l.direct && !has_columns(ask, l.width))
        return wrong_shape(o, "a label's column is missing", err);
    *ret = l;
    return BBT_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct stream_want *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static enum bbt_rc plan_labels(void *arg, struct stream_output *o, struct bbt_err *err)
{
    struct prov_reading *r = arg;
    const struct prov_ask *ask = r->ask;
    size_t labels = ask->labels, rows = ask->batch->rows, base, shift;
    struct layout l = {0};
    enum bbt_rc rc = lay_out(r->m, ask, o, &l, err);

    if (rc != BBT_OK)
        return rc;
    r->logit = bbt_alloc_array(labels * rows, sizeof *r->logit);
    o->want = bbt_alloc_array(labels * rows, sizeof *o->want);
    if (!r->logit || !o->want)
        return bbt_fail(err, BBT_NOMEM, "no memory for an answer");
    o->out = r->logit;
    o->wants = labels * rows;
    shift = l.positions > 1 && ask->prompt && ask->compose == PROV_PREPEND
        ? ask->prompt_rows : 0;
    for (size_t i = 0; i < rows; i++) {
        base = i * l.positions;
        if (l.positions > 1)
            base += (size_t)ask->batch->mask_pos[i] + shift;
        for (size_t k = 0; k < labels; k++)
            o->want[i * labels + k] = (struct stream_want){
                .at = base * l.width + (l.direct ? k : (size_t)ask->label_ids[k]),
                .to = i * labels + k};
    }
    qsort(o->want, o->wants, sizeof *o->want, by_place);
    return BBT_OK;
}

static uint64_t tokens_sent(const struct prov_ask *ask)
{
    uint64_t n = 0;

    for (size_t r = 0; r < ask->batch->rows; r++)
        n += (uint64_t)ask->batch->len[r];
    if (ask->prompt && ask->compose == PROV_PREPEND)
        n += (uint64_t)ask->batch->rows * ask->prompt_rows;
    return n;
}

static enum bbt_rc begin(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *head, struct prov_reading **ret, struct bbt_err *err)
{
    struct prov_reading *r;
    size_t n;

    if (__builtin_mul_overflow(ask->batch->rows, ask->labels, &n) || n == 0)
        return bbt_fail(err, BBT_INVALID, "an empty question");
    r = bbt_calloc(1, sizeof *r);
    if (!r)
        return bbt_fail(err, BBT_NOMEM, "no memory for a response");
    *ret = r;
    r->m = m;
    r->ask = ask;
    r->out.name = m->tensor.logits;
    r->s = (struct stream){
        .out = &r->out, .outs = 1, .id = ask->id, .plan = plan_labels, .arg = r};
    return stream_begin(&r->s, head, err);
}

static enum bbt_rc feed(
    struct prov_reading *r, const void *bytes, size_t len, struct bbt_err *err)
{
    return stream_feed(&r->s, bytes, len, err);
}

static enum bbt_rc finish(struct prov_reading *r, struct prov_answer *ret, struct bbt_err *err)
{
    enum bbt_rc rc = stream_finish(&r->s, err);

    if (rc != BBT_OK)
        return rc;
    *ret = (struct prov_answer){.logit = r->logit,
        .rows = r->ask->batch->rows,
        .labels = r->ask->labels,
        .tokens_in = tokens_sent(r->ask)};
    r->logit = NULL;
    return BBT_OK;
}

static void reading_free(struct prov_reading *r)
{
    if (!r)
        return;
    stream_fini(&r->s);
    bbt_free(r->logit);
    bbt_free(r);
}

const struct prov_read kserve2_read = {
    .begin = begin, .feed = feed, .finish = finish, .free = reading_free};

/* ---- rows of the input embedding ---- */

enum { OUT_ROWS, OUT_MEAN, OUT_STD, OUTS };

struct embedding {
    struct stream s;
    struct stream_output out[OUTS];
    const struct prov_model *m;
    size_t n, body_len;
    float *row, scale[OUTS]; /* scale[OUT_MEAN], scale[OUT_STD] */
};

static enum bbt_rc check_rows(
    const struct embedding *e, const struct stream_output *o, struct bbt_err *err)
{
    size_t hidden = o->shape[o->rank - 1];

    if (e->m->hidden && hidden != e->m->hidden)
        return wrong_shape(o, "its rows are not as wide as the soft prompt's", err);
    /* [n,H] or [1,n,H] */
    if (o->rank < 2 || o->rank > 3 || o->shape[o->rank - 2] != e->n ||
        (o->rank == 3 && o->shape[0] != 1) || hidden == 0)
        return wrong_shape(o, "one row per token is due", err);
    /* Before memory is taken for it: a number takes at least two bytes. */
    if (o->count > e->body_len)
        return stream_corrupt(err, "fewer numbers than its shape says");
    return BBT_OK;
}

static enum bbt_rc plan_embedding(void *arg, struct stream_output *o, struct bbt_err *err)
{
    struct embedding *e = arg;

    if (o == &e->out[OUT_ROWS]) {
        if (check_rows(e, o, err) != BBT_OK)
            return BBT_CORRUPT;
        e->row = bbt_alloc_array(o->count, sizeof *e->row);
        o->out = e->row;
    } else {
        if (o->count != 1)
            return stream_corrupt(err, "mean and std of the embedding are not one number each");
        o->out = &e->scale[o - e->out];
    }
    o->wants = o->count;
    o->want = bbt_alloc_array(o->wants, sizeof *o->want);
    if (!o->out || !o->want)
        return bbt_fail(err, BBT_NOMEM, "no memory for an embedding");
    for (size_t i = 0; i < o->wants; i++)
        o->want[i] = (struct stream_want){i, i};
    return BBT_OK;
}

enum bbt_rc kserve2_embed_decode(const struct prov_model *m, size_t n,
    const struct prov_reply *r, struct prov_embed *ret, struct bbt_err *err)
{
    struct embedding e = {.m = m, .n = n, .body_len = r->len,
        .out = {{.name = "embedding"}, {.name = "mean"}, {.name = "std"}}};
    enum bbt_rc rc;

    e.s = (struct stream){.out = e.out, .outs = OUTS, .plan = plan_embedding, .arg = &e};
    rc = stream_begin(&e.s, r, err);
    if (rc == BBT_OK)
        rc = stream_feed(&e.s, r->body, r->len, err);
    if (rc == BBT_OK)
        rc = stream_finish(&e.s, err);
    if (rc == BBT_OK && !(e.scale[OUT_STD] > 0))
        rc = stream_corrupt(err, "the embedding's standard deviation is not positive");
    if (rc == BBT_OK) {
        *ret = (struct prov_embed){.row = e.row,
            .rows = n,
            .hidden = e.out[OUT_ROWS].shape[e.out[OUT_ROWS].rank - 1],
            .mean = (double)e.scale[OUT_MEAN],
            .std = (double)e.scale[OUT_STD]};
        e.row = NULL;
    }
    stream_fini(&e.s);
    bbt_free(e.row);
    return rc;
}
