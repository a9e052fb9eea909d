#include "infer.h"

#include "base/alloc.h"
#include "base/hint.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* --- what may be in a request --- */

static enum bbt_rc check_names(const struct oip_request *r, const char *const *inputs,
    size_t inputs_nr, const char *const *outputs, size_t outputs_nr, struct bbt_err *err)
{
    for (size_t i = 0; i < r->in_nr; i++) {
        const char *name = r->in[i].name, *near;
        size_t k = 0;

        while (k < inputs_nr && strcmp(name, inputs[k]))
            k++;
        near = k < inputs_nr ? NULL : hint_nearest(name, inputs, inputs_nr);
        if (k == inputs_nr)
            return bbt_fail(err, BBT_INVALID, "unknown input '%.60s'%s%s%s", name,
                near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    for (size_t i = 0; i < r->wish_nr; i++) {
        size_t k = 0;

        while (k < outputs_nr && strcmp(r->wish[i].name, outputs[k]))
            k++;
        if (k == outputs_nr)
            return bbt_fail(
                err, BBT_INVALID, "unknown output '%.60s'", r->wish[i].name);
    }
    return BBT_OK;
}

/* A parameter with a closed list of words; its absence means the first. */
static enum bbt_rc read_choice(const struct oip_request *r, const char *key,
    const char *const words[2], unsigned *ret, struct bbt_err *err)
{
    const json_t *v = json_object_get(r->params, key);
    const char *s = v ? json_string_value(v) : words[0];

    for (unsigned i = 0; i < 2; i++)
        if (s && !strcmp(s, words[i])) {
            *ret = i;
            return BBT_OK;
        }
    return bbt_fail(err, BBT_INVALID, "parameter '%s' is '%s' or '%s'", key, words[0],
        words[1]);
}

/* A mistyped parameter must not silently mean the default. The protocol's own are allowed. */
static enum bbt_rc read_params(
    const struct oip_request *r, struct query *q, struct bbt_err *err)
{
    static const char *const known[] = {"compose", "prompt_at", "binary_data_output",
        "priority", "timeout", "sequence_id", "sequence_start", "sequence_end"};
    static const char *const compose[2] = {"add", "prepend"};
    static const char *const at[2] = {"hidden", "embedding"};
    unsigned which = 0, where = 0;
    enum bbt_rc rc;
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)(uintptr_t)r->params, key, v) {
        size_t k = 0;

        while (k < COUNT(known) && strcmp(key, known[k]))
            k++;
        if (k == COUNT(known))
            return bbt_fail(err, BBT_INVALID, "unknown parameter '%.60s'", key);
    }
    rc = read_choice(r, "compose", compose, &which, err);
    if (rc == BBT_OK)
        rc = read_choice(r, "prompt_at", at, &where, err);
    q->compose = which ? QUERY_PREPEND : QUERY_ADD;
    q->at = where ? QUERY_EMBEDDING : QUERY_HIDDEN;
    return rc;
}

/* --- the tensors --- */

static const struct oip_tensor *need(
    const struct oip_request *r, const char *name, struct bbt_err *err)
{
    const struct oip_tensor *t = oip_find(r, name);

    if (!t)
        (void)bbt_fail(err, BBT_INVALID, "input '%s' is missing", name);
    return t;
}

static enum bbt_rc read_ids(
    const struct oip_request *r, struct query *q, struct bbt_err *err)
{
    const struct oip_tensor *t = need(r, "input_ids", err);

    if (!t)
        return BBT_INVALID;
    if (t->rank != 2)
        return bbt_fail(err, BBT_INVALID, "input_ids has rank %zu; [rows, tokens] is "
            "expected", t->rank);
    q->rows = t->shape[0];
    q->cols = t->shape[1];
    return oip_ints(t, &q->ids, err);
}

static enum bbt_rc read_keep(
    const struct oip_request *r, struct query *q, struct bbt_err *err)
{
    const struct oip_tensor *t = oip_find(r, "attention_mask");
    int32_t *v = NULL;
    enum bbt_rc rc;

    if (!t)
        return BBT_OK;
    if (t->rank != 2 || t->shape[0] != q->rows || t->shape[1] != q->cols)
        return bbt_fail(
            err, BBT_INVALID, "attention_mask has another shape than input_ids");
    rc = oip_ints(t, &v, err);
    if (rc != BBT_OK)
        return rc;
    q->keep = bbt_alloc_array(t->count, 1);
    for (size_t i = 0; q->keep && i < t->count && rc == BBT_OK; i++) {
        q->keep[i] = v[i] == 1;
        if (v[i] != 0 && v[i] != 1)
            rc = bbt_fail(err, BBT_INVALID,
                "attention_mask: element %zu is %d; 0 and 1 are expected", i, v[i]);
    }
    if (!q->keep)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for attention_mask");
    bbt_free(v);
    return rc;
}

static enum bbt_rc read_mask_pos(
    const struct oip_request *r, struct query *q, struct bbt_err *err)
{
    const struct oip_tensor *t = need(r, "mask_pos", err);

    if (!t)
        return BBT_INVALID;
    if (t->rank > 2 || t->shape[0] != q->rows || t->count != q->rows)
        return bbt_fail(err, BBT_INVALID,
            "mask_pos does not have the shape [%zu] or [%zu, 1]", q->rows, q->rows);
    return oip_ints(t, &q->mask_pos, err);
}

static enum bbt_rc read_prompt(const struct oip_request *r, const struct lmconf *conf,
    struct query *q, struct bbt_err *err)
{
    const struct oip_tensor *t = oip_find(r, "prompt_embedding");

    if (!t)
        return BBT_OK;
    if (t->rank < 2 || t->rank > 3)
        return bbt_fail(err, BBT_INVALID, "prompt_embedding has rank %zu; [L, H], [1, L, H] "
            "or [rows, L, H] is expected", t->rank);
    if (t->shape[t->rank - 1] != conf->hidden)
        return bbt_fail(err, BBT_INVALID,
            "prompt_embedding is %zu wide, the model's hidden size is %zu",
            t->shape[t->rank - 1], conf->hidden);
    q->prompt_sets = t->rank == 3 ? t->shape[0] : 1;
    q->prompt_rows = t->shape[t->rank - 2];
    if (q->prompt_sets != 1 && q->prompt_sets != q->rows)
        return bbt_fail(err, BBT_INVALID,
            "prompt_embedding has %zu prompts for %zu rows: 1, or one per row",
            q->prompt_sets, q->rows);
    return oip_floats(t, &q->prompt, err);
}

static enum bbt_rc read_labels(
    const struct oip_request *r, struct query *q, struct bbt_err *err)
{
    const struct oip_tensor *t = oip_find(r, "label_ids");

    if (!t)
        return BBT_OK;
    q->label_sets = t->rank == 2 ? t->shape[0] : 1;
    q->label_nr = t->shape[t->rank - 1];
    if (t->rank > 2 || q->label_nr == 0 ||
        (q->label_sets != 1 && q->label_sets != q->rows))
        return bbt_fail(err, BBT_INVALID,
            "label_ids does not have the shape [C] or [%zu, C]", q->rows);
    return oip_ints(t, &q->labels, err);
}

enum bbt_rc infer_query(const struct oip_request *r, const struct lmconf *conf,
    struct query *ret, struct bbt_err *err)
{
    static const char *const inputs[] = {
        "input_ids", "attention_mask", "prompt_embedding", "mask_pos", "label_ids"};
    static const char *const outputs[] = {"logits"};
    enum bbt_rc rc =
        check_names(r, inputs, COUNT(inputs), outputs, COUNT(outputs), err);

    if (rc == BBT_OK)
        rc = read_params(r, ret, err);
    if (rc == BBT_OK)
        rc = read_ids(r, ret, err);
    if (rc == BBT_OK)
        rc = read_keep(r, ret, err);
    if (rc == BBT_OK)
        rc = read_mask_pos(r, ret, err);
    if (rc == BBT_OK)
        rc = read_prompt(r, conf, ret, err);
    if (rc == BBT_OK)
        rc = read_labels(r, ret, err);
    return rc == BBT_OK ? query_check(ret, conf, err) : rc;
}

enum bbt_rc infer_answer(const char *model, const struct oip_request *r,
    const struct query *q, const float *logits, struct bbt_buf *ret, size_t *ret_head,
    struct bbt_err *err)
{
    struct oip_out out = {"logits", logits, 2, {q->rows, q->out_cols}, false};

    (void)oip_wants(r, out.name, &out.binary);
    return oip_response(model, r->id, &out, 1, ret, ret_head, err);
}

/* --- the embedding model --- */

static enum bbt_rc copy_rows(const struct oip_tensor *t, const struct weights *w,
    float **ret, struct bbt_err *err)
{
    size_t h = w->conf.hidden;
    int32_t *ids = NULL;
    float *rows = NULL;
    enum bbt_rc rc = oip_ints(t, &ids, err);

    if (rc == BBT_OK && !(rows = bbt_alloc_array(t->count, h * sizeof *rows)))
        rc = bbt_fail(err, BBT_NOMEM, "no memory for %zu rows", t->count);
    for (size_t i = 0; rc == BBT_OK && i < t->count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= w->conf.vocab)
            rc = bbt_fail(err, BBT_INVALID,
                "input_ids: element %zu is %d, the vocabulary has %zu tokens", i, ids[i],
                w->conf.vocab);
        else
            memcpy(rows + i * h, w->words + (size_t)ids[i] * h, h * sizeof *rows);
    }
    bbt_free(ids);
    if (rc != BBT_OK) {
        bbt_free(rows);
        return rc;
    }
    *ret = rows;
    return BBT_OK;
}

enum bbt_rc infer_embedding(const char *model, const struct oip_request *r,
    const struct weights *w, struct bbt_buf *ret, size_t *ret_head, struct bbt_err *err)
{
    static const char *const inputs[] = {"input_ids"};
    static const char *const outputs[] = {"embedding", "mean", "std"};
    const float mean = (float)w->words_mean, std = (float)w->words_std;
    struct oip_out out[] = {{.name = outputs[0], .rank = 2},
        {outputs[1], &mean, 1, {1}, false}, {outputs[2], &std, 1, {1}, false}};
    enum bbt_rc rc =
        check_names(r, inputs, COUNT(inputs), outputs, COUNT(outputs), err);
    const struct oip_tensor *t;
    float *rows = NULL;
    size_t n = 0;

    t = rc == BBT_OK ? need(r, "input_ids", err) : NULL;
    if (!t)
        return BBT_INVALID;
    if (t->rank != 1 || t->count == 0 || t->count * w->conf.hidden > QUERY_OUT_MAX)
        return bbt_fail(err, BBT_INVALID,
            "input_ids does not have the shape [N] with N from 1 to %zu",
            QUERY_OUT_MAX / w->conf.hidden);
    rc = copy_rows(t, w, &rows, err);
    if (rc != BBT_OK)
        return rc;
    out[0].data = rows;
    out[0].shape[0] = t->count;
    out[0].shape[1] = w->conf.hidden;
    for (size_t i = 0; i < COUNT(out); i++)
        if (oip_wants(r, out[i].name, &out[i].binary))
            out[n++] = out[i];
    rc = oip_response(model, r->id, out, n, ret, ret_head, err);
    bbt_free(rows);
    return rc;
}
