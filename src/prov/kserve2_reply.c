/* kserve2_reply.c -- answers of the kserve2 dialect. Only the numbers that were asked for
 * are kept, whatever the deployment's output shape; anything that is not exactly what the
 * question calls for is an error, never a guess. */
#include "prov/kserve2.h"

#include "base/alloc.h"
#include "base/json.h"
#include "prov/jcut.h"
#include "prov/tensor.h"
#include "prov/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANK_MAX 8

struct reply {
    struct jcut head;
    const uint8_t *raw; /* binary part */
    size_t raw_len;
};

/* One output, found and measured. Its numbers are either raw or JSON. */
struct output {
    const char *name;
    enum prov_type type;
    size_t shape[RANK_MAX], rank, count;
    const uint8_t *raw;  /* count elements, or NULL */
    const uint8_t *json; /* array text, or NULL */
    size_t json_len;
};

/* ---- envelope ---- */

/* A header value that is a whole number and nothing else. */
static bool header_size(const char *text, size_t *ret)
{
    size_t v = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, (size_t)10, &v) ||
            __builtin_add_overflow(v, (size_t)(*p - '0'), &v))
            return false;
    if (p == text || *p)
        return false;
    *ret = v;
    return true;
}

static enum bbt_rc corrupt(struct bbt_err *err, const char *why)
{
    return bbt_fail(err, BBT_CORRUPT, "response: %s", why);
}

/* Splits the response into its JSON part and its raw part. */
static enum bbt_rc open_reply(
    const struct prov_reply *r, struct reply *ret, struct bbt_err *err)
{
    const char *value = prov_reply_header(r, "Inference-Header-Content-Length");
    size_t head = r->len;
    char said[256];
    struct reply p = {0};
    enum bbt_rc rc;

    if (value && (!header_size(value, &head) || head > r->len))
        return corrupt(err, "Inference-Header-Content-Length is not within the body");
    rc = jcut_parse(r->body, head, "response", &p.head, err);
    if (rc != BBT_OK)
        return rc;
    p.raw = value ? r->body + head : NULL;
    p.raw_len = value ? r->len - head : 0;
    if (json_is_object(p.head.root) && !json_object_get(p.head.root, "error")) {
        *ret = p;
        return BBT_OK;
    }
    jcut_fini(&p.head);
    verdict_error_text(r->body, head, said, sizeof said, NULL, 0);
    return bbt_fail(err, BBT_CORRUPT, "an error inside a good status: %s", said);
}

static enum bbt_rc read_shape(const json_t *shape, struct output *o, struct bbt_err *err)
{
    size_t i;
    json_t *v;

    if (!json_is_array(shape) || json_array_size(shape) == 0 ||
        json_array_size(shape) > RANK_MAX)
        return corrupt(err, "an output without a shape");
    o->count = 1;
    json_array_foreach (shape, i, v) {
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return corrupt(err, "a dimension that is no size");
        o->shape[o->rank++] = (size_t)json_integer_value(v);
        if (__builtin_mul_overflow(o->count, (size_t)json_integer_value(v), &o->count))
            return corrupt(err, "a shape too large for any memory");
    }
    return BBT_OK;
}

/* Where an output's numbers are: the next `*used` raw bytes, or a JSON array. */
static enum bbt_rc find_data(const struct reply *p, const json_t *v, struct output *o,
    size_t *used, struct bbt_err *err)
{
    const json_t *size = json_object_get(json_object_get(v, "parameters"), "binary_data_size");
    const json_t *data = json_object_get(v, "data");
    size_t bytes, want;

    if (!size) {
        if (!json_is_integer(data) || (size_t)json_integer_value(data) >= p->head.pieces)
            return corrupt(err, "an output without data");
        o->json = p->head.piece[json_integer_value(data)].at;
        o->json_len = p->head.piece[json_integer_value(data)].len;
        return BBT_OK;
    }
    if (data || !json_is_integer(size) || json_integer_value(size) < 0)
        return corrupt(err, "a binary_data_size that is none");
    if (!p->raw)
        return corrupt(err, "raw tensors, but no Inference-Header-Content-Length");
    bytes = (size_t)json_integer_value(size);
    if (bytes > p->raw_len - *used)
        return corrupt(err, "ends before the raw tensors do");
    if (o->type != PROV_TYPE_NONE &&
        (__builtin_mul_overflow(o->count, tensor_size(o->type), &want) || want != bytes))
        return corrupt(err, "a raw tensor whose size is not that of its shape");
    o->raw = p->raw + *used;
    *used += bytes;
    return BBT_OK;
}

/* Walks all outputs, because each one's raw bytes start where the last one's ended, and
 * fills those whose names are in ret[0 .. n). */
static enum bbt_rc find_outputs(
    const struct reply *p, struct output *ret, size_t n, struct bbt_err *err)
{
    const json_t *list = json_object_get(p->head.root, "outputs");
    size_t i, used = 0;
    json_t *v;

    if (!json_is_array(list))
        return corrupt(err, "no list of outputs");
    json_array_foreach (list, i, v) {
        const char *name = json_get_str(v, "name", "");
        struct output o = {.type = tensor_type_parse(json_get_str(v, "datatype", NULL))};
        enum bbt_rc rc = read_shape(json_object_get(v, "shape"), &o, err);

        if (rc == BBT_OK)
            rc = find_data(p, v, &o, &used, err);
        if (rc != BBT_OK)
            return rc;
        for (size_t k = 0; k < n; k++)
            if (!strcmp(ret[k].name, name)) {
                if (ret[k].rank)
                    return corrupt(err, "the same output twice");
                o.name = ret[k].name;
                ret[k] = o;
            }
    }
    if (used != p->raw_len)
        return corrupt(err, "bytes left over after the raw tensors");
    for (size_t k = 0; k < n; k++)
        if (!ret[k].rank)
            return bbt_fail(
                err, BBT_CORRUPT, "response: no output \"%s\"", ret[k].name);
        else if (ret[k].type == PROV_TYPE_NONE || tensor_is_int(ret[k].type))
            return bbt_fail(err, BBT_CORRUPT,
                "response: output \"%s\" has a type that holds no reals", ret[k].name);
    return BBT_OK;
}

/* ---- picking numbers ---- */

/* Element `at` of the output goes to out[to]. Sorted by `at`. */
struct want {
    size_t at, to;
};

struct picker {
    const struct want *want;
    size_t n, next;
    float *out;
    bool bad; /* a number that is wanted is not finite as a float */
};

static void take_number(void *arg, size_t at, double v)
{
    struct picker *p = arg;

    for (; p->next < p->n && p->want[p->next].at == at; p->next++) {
        float f = (float)v;

        p->out[p->want[p->next].to] = f;
        p->bad |= !isfinite(f);
    }
}

/* Reads the wanted elements; each lies within o->count. */
static enum bbt_rc pick_numbers(const struct output *o, const struct want *want, size_t n,
    float *out, struct bbt_err *err)
{
    struct picker p = {.want = want, .n = n, .out = out};
    size_t size = tensor_size(o->type);

    if (o->json) {
        struct bbt_err why;

        if (jcut_numbers(o->json, o->json_len, o->shape, o->rank, take_number, &p, &why) !=
            BBT_OK)
            return bbt_fail(
                err, BBT_CORRUPT, "response: output \"%s\": %s", o->name, why.msg);
    } else {
        for (size_t i = 0; i < n; i++)
            take_number(&p, want[i].at, tensor_get(o->raw + want[i].at * size, o->type));
    }
    if (p.bad)
        return bbt_fail(err, BBT_CORRUPT,
            "response: output \"%s\" has a number that is not finite", o->name);
    return BBT_OK;
}

/* ---- labels out of every output shape ---- */

/* The output as [rows, positions, width]: [B,C] and [B,V] have one position. */
struct layout {
    size_t rows, positions, width;
    bool direct; /* one column per label, in order */
};

static enum bbt_rc wrong_shape(const struct output *o, const char *why, struct bbt_err *err)
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
    const struct output *o, struct layout *ret, struct bbt_err *err)
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
    const struct want *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static enum bbt_rc pick_labels(const struct prov_ask *ask, const struct output *o,
    const struct layout *l, float *out, struct bbt_err *err)
{
    size_t labels = ask->labels, rows = ask->batch->rows, base;
    size_t shift = l->positions > 1 && ask->prompt && ask->compose == PROV_PREPEND
                       ? ask->prompt_rows : 0;
    struct want *want = bbt_alloc_array(labels * rows, sizeof *want);
    enum bbt_rc rc;

    if (!want)
        return bbt_fail(err, BBT_NOMEM, "no memory for an answer");
    for (size_t r = 0; r < rows; r++) {
        base = r * l->positions;
        if (l->positions > 1)
            base += (size_t)ask->batch->mask_pos[r] + shift;
        for (size_t k = 0; k < labels; k++)
            want[r * labels + k] = (struct want){
                .at = base * l->width + (l->direct ? k : (size_t)ask->label_ids[k]),
                .to = r * labels + k};
    }
    qsort(want, rows * labels, sizeof *want, by_place);
    rc = pick_numbers(o, want, rows * labels, out, err);
    bbt_free(want);
    return rc;
}

/* An answer that carries somebody else's id was crossed on the way. */
static enum bbt_rc check_id(
    const struct reply *p, const struct prov_ask *ask, struct bbt_err *err)
{
    const char *id = json_get_str(p->head.root, "id", "");

    if (ask->id && id[0] && strcmp(id, ask->id))
        return bbt_fail(err, BBT_CORRUPT, "response: is for \"%.80s\", not for \"%.80s\"",
            id, ask->id);
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

enum bbt_rc kserve2_decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    struct output o = {.name = m->tensor.logits};
    struct layout l = {0};
    struct reply p = {0};
    size_t rows = ask->batch->rows, n;
    float *logit = NULL;
    enum bbt_rc rc;

    if (__builtin_mul_overflow(rows, ask->labels, &n) || n == 0)
        return bbt_fail(err, BBT_INVALID, "an empty question");
    rc = open_reply(r, &p, err);
    if (rc != BBT_OK)
        return rc;
    rc = check_id(&p, ask, err);
    if (rc == BBT_OK)
        rc = find_outputs(&p, &o, 1, err);
    if (rc == BBT_OK)
        rc = lay_out(m, ask, &o, &l, err);
    if (rc == BBT_OK && !(logit = bbt_alloc_array(n, sizeof *logit)))
        rc = bbt_fail(err, BBT_NOMEM, "no memory for an answer");
    if (rc == BBT_OK)
        rc = pick_labels(ask, &o, &l, logit, err);
    jcut_fini(&p.head);
    if (rc != BBT_OK) {
        bbt_free(logit);
        return rc;
    }
    *ret = (struct prov_answer){.logit = logit,
        .rows = rows,
        .labels = ask->labels,
        .tokens_in = tokens_sent(ask)};
    return BBT_OK;
}

/* ---- rows of the input embedding ---- */

/* All `n` leading numbers of an output. */
static enum bbt_rc read_all(
    const struct output *o, size_t n, float *out, struct bbt_err *err)
{
    struct want *want = bbt_alloc_array(n, sizeof *want);
    enum bbt_rc rc;

    if (!want)
        return bbt_fail(err, BBT_NOMEM, "no memory for an embedding");
    for (size_t i = 0; i < n; i++)
        want[i] = (struct want){i, i};
    rc = pick_numbers(o, want, n, out, err);
    bbt_free(want);
    return rc;
}

static enum bbt_rc read_embedding(const struct output o[3], size_t n,
    struct prov_embed *ret, struct bbt_err *err)
{
    size_t hidden = o[0].shape[o[0].rank - 1];
    struct prov_embed e = {.rows = n, .hidden = hidden};
    float mean, std;
    enum bbt_rc rc;

    /* [n,H] or [1,n,H] */
    if (o[0].rank < 2 || o[0].rank > 3 || o[0].shape[o[0].rank - 2] != n ||
        (o[0].rank == 3 && o[0].shape[0] != 1) || hidden == 0)
        return wrong_shape(&o[0], "one row per token is due", err);
    if (o[1].count != 1 || o[2].count != 1)
        return corrupt(err, "mean and std of the embedding are not one number each");
    /* Before memory is taken for it: a JSON number takes at least two bytes. */
    if (o[0].json && o[0].count > o[0].json_len)
        return corrupt(err, "fewer numbers than its shape says");
    e.row = bbt_alloc_array(o[0].count, sizeof *e.row);
    if (!e.row)
        return bbt_fail(err, BBT_NOMEM, "no memory for an embedding");
    rc = read_all(&o[0], o[0].count, e.row, err);
    if (rc == BBT_OK)
        rc = read_all(&o[1], 1, &mean, err);
    if (rc == BBT_OK)
        rc = read_all(&o[2], 1, &std, err);
    if (rc == BBT_OK && !(std > 0))
        rc = corrupt(err, "the embedding's standard deviation is not positive");
    if (rc != BBT_OK) {
        bbt_free(e.row);
        return rc;
    }
    e.mean = (double)mean;
    e.std = (double)std;
    *ret = e;
    return BBT_OK;
}

enum bbt_rc kserve2_embed_decode(const struct prov_model *m, size_t n,
    const struct prov_reply *r, struct prov_embed *ret, struct bbt_err *err)
{
    struct output o[3] = {{.name = "embedding"}, {.name = "mean"}, {.name = "std"}};
    struct reply p = {0};
    enum bbt_rc rc = open_reply(r, &p, err);

    if (rc != BBT_OK)
        return rc;
    rc = find_outputs(&p, o, 3, err);
    if (rc == BBT_OK && m->hidden && o[0].shape[o[0].rank - 1] != m->hidden)
        rc = wrong_shape(&o[0], "its rows are not as wide as the soft prompt's", err);
    if (rc == BBT_OK)
        rc = read_embedding(o, n, ret, err);
    jcut_fini(&p.head);
    return rc;
}
