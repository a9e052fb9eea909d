#include "forward.h"

#include "base/alloc.h"
#include "embed.h"
#include "fused.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* Positions that go through the layers together. Enough to keep the products busy, few enough
 * that what flows between them stays in the cache (bench/run forward). */
#define GROUP_POSITIONS 1024u

/* Some rows on their way. n positions lie behind one another; row i has those from at[i] to
 * at[i + 1], and its answer is read at position mask[i]. */
struct group {
    const struct weights *w;
    const struct fused *f;
    const struct query *q;
    size_t first, rows, n;
    size_t at[GROUP_POSITIONS + 1], mask[GROUP_POSITIONS];
    size_t span_max;
    float *x;      /* n x H: the hidden states */
    float *qkv;    /* n x 3H */
    float *ctx;    /* n x H */
    float *y;      /* n x H */
    float *inner;  /* n x inner */
    float *score;  /* span_max x span_max */
};

void forward_room_fini(struct forward_room *room)
{
    bbt_free(room->mem);
    room->mem = NULL;
    room->floats = 0;
}

/* c (rows x outs) = a (rows x ins) * m (outs x ins) transposed */
static void product(
    const float *a, size_t rows, const float *m, size_t outs, size_t ins, float *c)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outs, (int)ins, 1.0f,
        a, (int)ins, m, (int)ins, 0.0f, c, (int)outs);
}

/* Every position of every row looks at its whole row; result in g->ctx. */
static void attend(struct group *g)
{
    size_t h = g->w->conf.hidden, heads = g->w->conf.heads, d = h / heads;
    float scale = 1.0f / sqrtf((float)d);

    for (size_t r = 0; r < g->rows; r++) {
        int n = (int)(g->at[r + 1] - g->at[r]);
        const float *row = g->qkv + g->at[r] * 3 * h;
        float *ctx = g->ctx + g->at[r] * h;

        for (size_t k = 0; k < heads; k++) {
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, (int)d, 1.0f,
                row + k * d, (int)(3 * h), row + h + k * d, (int)(3 * h), 0.0f, g->score, n);
            g->f->softmax(g->score, (size_t)n, (size_t)n, (size_t)n, scale);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, (int)d, n, 1.0f,
                g->score, n, row + 2 * h + k * d, (int)(3 * h), 0.0f, ctx + k * d, (int)h);
        }
    }
}

/* Residual, LayerNorm, feed-forward, residual, LayerNorm on `n` positions. `x` holds the
 * layer's input and gets its output; g->ctx the attention's result. */
static void finish_layer(struct group *g, const struct weights_layer *l, float *x, size_t n)
{
    const struct lmconf *c = &g->w->conf;

    product(g->ctx, n, l->att, c->hidden, c->hidden, g->y);
    g->f->norm(x, g->y, l->att_bias, n, c->hidden, l->att_norm, c->eps);
    product(x, n, l->up, c->inner, c->hidden, g->inner);
    g->f->gelu(g->inner, n, c->inner, l->up_bias);
    product(g->inner, n, l->down, c->hidden, c->inner, g->y);
    g->f->norm(x, g->y, l->down_bias, n, c->hidden, l->down_norm, c->eps);
}

static void run_layer(struct group *g, const struct weights_layer *l)
{
    size_t h = g->w->conf.hidden;

    product(g->x, g->n, l->qkv, 3 * h, h, g->qkv);
    g->f->bias(g->qkv, g->n, 3 * h, 3 * h, l->qkv_bias);
    attend(g);
    finish_layer(g, l, g->x, g->n);
}

/* One position of each row looks at its row. `kv` is n x 2H, `query` rows x H. */
static void attend_masks(struct group *g, const float *kv, const float *query)
{
    size_t h = g->w->conf.hidden, heads = g->w->conf.heads, d = h / heads;
    float scale = 1.0f / sqrtf((float)d);

    for (size_t r = 0; r < g->rows; r++) {
        size_t n = g->at[r + 1] - g->at[r];
        const float *row = kv + g->at[r] * 2 * h;

        for (size_t k = 0; k < heads; k++) {
            for (size_t i = 0; i < n; i++)
                g->score[i] =
                    g->f->dot(query + r * h + k * d, row + i * 2 * h + k * d, d);
            g->f->softmax(g->score, 1, n, n, scale);
            cblas_sgemv(CblasRowMajor, CblasTrans, (int)n, (int)d, 1.0f, row + h + k * d,
                (int)(2 * h), g->score, 1, 0.0f, g->ctx + r * h + k * d, 1);
        }
    }
}

/* In the last layer only the asked positions need a query and a feed-forward part: keys and
 * values are computed for all, the rest for one position of each row. Their hidden states end
 * in the first `rows` rows of g->x. */
static void run_last_layer(struct group *g, const struct weights_layer *l)
{
    size_t h = g->w->conf.hidden;
    float *kv = g->qkv, *query = g->qkv + g->n * 2 * h;

    product(g->x, g->n, l->qkv + h * h, 2 * h, h, kv);
    g->f->bias(kv, g->n, 2 * h, 2 * h, l->qkv_bias + h);
    /* row r's mask stands at or behind position r: moving upward overwrites nothing */
    for (size_t r = 0; r < g->rows; r++)
        memmove(g->x + r * h, g->x + g->mask[r] * h, h * sizeof(float));
    product(g->x, g->rows, l->qkv, h, h, query);
    g->f->bias(query, g->rows, h, h, l->qkv_bias);
    attend_masks(g, kv, query);
    finish_layer(g, l, g->x, g->rows);
}

/* The asked positions' hidden states to logits: of the whole vocabulary, or label by label. */
static void run_head(struct group *g, float *out)
{
    const struct weights *w = g->w;
    const struct query *q = g->q;
    size_t h = w->conf.hidden;

    product(g->x, g->rows, w->head, h, h, g->y);
    g->f->gelu(g->y, g->rows, h, w->head_bias);
    g->f->norm(g->y, NULL, NULL, g->rows, h, w->head_norm, w->conf.eps);
    if (!q->labels) {
        product(g->y, g->rows, w->out, w->conf.vocab, h, out);
        g->f->bias(out, g->rows, w->conf.vocab, w->conf.vocab, w->out_bias);
        return;
    }
    for (size_t r = 0; r < g->rows; r++) {
        const int32_t *id =
            q->labels + (q->label_sets > 1 ? g->first + r : 0) * q->label_nr;

        for (size_t k = 0; k < q->label_nr; k++)
            out[r * q->label_nr + k] =
                g->f->dot(g->y + r * h, w->out + (size_t)id[k] * h, h) +
                w->out_bias[id[k]];
    }
}

/* Lays out the next rows of from..to: as many as fit, at least one. */
static void plan(struct group *g, size_t from, size_t to)
{
    g->first = from;
    g->rows = 0;
    g->n = 0;
    g->span_max = 0;
    g->at[0] = 0;
    while (from < to && g->rows < GROUP_POSITIONS) {
        size_t span = query_span(g->q, from);

        if (g->rows && g->n + span > GROUP_POSITIONS)
            break;
        g->n += span;
        g->span_max = span > g->span_max ? span : g->span_max;
        g->at[++g->rows] = g->n;
        from++;
    }
}

/* Cuts the room into the group's matrices. */
static enum bbt_rc furnish(
    struct group *g, struct forward_room *room, struct bbt_err *err)
{
    size_t h = g->w->conf.hidden, each = 6 * h + g->w->conf.inner, need;
    float *p;

    /* the last layer's queries stand behind n x 2H keys and values: rows <= n, it fits */
    if (__builtin_mul_overflow(g->n, each, &need) ||
        __builtin_add_overflow(need, g->span_max * g->span_max, &need))
        return bbt_fail(err, BBT_NOMEM, "the request is too large");
    if (need > room->floats) {
        forward_room_fini(room);
        room->mem = bbt_alloc_array(need, sizeof(float));
        if (!room->mem)
            return bbt_fail(err, BBT_NOMEM, "no memory for the forward pass");
        room->floats = need;
    }
    p = room->mem;
    g->x = p;
    g->qkv = p += g->n * h;
    g->ctx = p += g->n * 3 * h;
    g->y = p += g->n * h;
    g->inner = p += g->n * h;
    g->score = p + g->n * g->w->conf.inner;
    return BBT_OK;
}

static void run_group(struct group *g, float *out)
{
    size_t h = g->w->conf.hidden, layers = g->w->conf.layers;

    for (size_t r = 0; r < g->rows; r++)
        g->mask[r] =
            g->at[r] + embed_row(g->w, g->f, g->q, g->first + r, g->x + g->at[r] * h);
    for (size_t i = 0; i + 1 < layers; i++)
        run_layer(g, &g->w->layer[i]);
    run_last_layer(g, &g->w->layer[layers - 1]);
    run_head(g, out);
}

enum bbt_rc forward_rows(const struct weights *w, const struct query *q,
    const size_t from_to[2], struct forward_room *room, float *out, struct bbt_err *err)
{
    struct group g = {.w = w, .q = q, .f = fused_pick()};
    size_t from = from_to[0], done = 0;
    enum bbt_rc rc = BBT_OK;

    while (from < from_to[1] && rc == BBT_OK) {
        plan(&g, from, from_to[1]);
        rc = furnish(&g, room, err);
        if (rc == BBT_OK)
            run_group(&g, out + done);
        from += g.rows;
        done += g.rows * q->out_cols;
    }
    for (size_t i = 0; i < done && rc == BBT_OK; i++)
        if (!isfinite(out[i]))
            rc = bbt_fail(err, BBT_INVALID,
                "the logits of row %zu are not finite: the prompt's numbers are too large",
                from_to[0] + i / q->out_cols);
    return rc;
}
