/* sglang_score.c -- /v1/score: label scores of many examples under one prompt in one request. */
#include "prov/sglang.h"

#include "prov/startup.h"

#include <math.h>

/* ---- questions ---- */

/* Do all examples begin with the same token, and go on? */
static bool same_start(const struct prov_batch *b)
{
    for (size_t r = 0; r < b->rows; r++)
        if (b->ids[r * b->cols] != b->ids[0] || b->len[r] < 2)
            return false;
    return true;
}

/* How many leading tokens go into the query, before the prompt: 1 where every example starts
 * with the model's first token, else 0. Without a prompt a query cannot be empty: then any
 * token will do that all have in common. */
static enum bbt_rc score_lead(const struct prov_model *m, const struct prov_ask *ask,
    size_t *ret, struct bbt_err *err)
{
    const struct prov_batch *b = ask->batch;
    size_t with = 0;

    for (size_t r = 0; m->bos_id >= 0 && r < b->rows; r++)
        with += b->ids[r * b->cols] == m->bos_id;
    if (with && with < b->rows)
        return bbt_fail(err, BBT_INVALID,
            "only some examples start with token %d, they need one query", (int)m->bos_id);
    for (size_t r = 0; r < b->rows; r++) {
        if (with && b->len[r] < 2)
            return bbt_fail(err, BBT_INVALID, "example %zu has no text", r);
        for (int32_t i = 0; ask->prompt && i < b->len[r]; i++)
            if (b->ids[r * b->cols + (size_t)i] == m->slot_id)
                return bbt_fail(err, BBT_INVALID,
                    "example %zu contains token %d, which stands for prompt rows", r,
                    (int)m->slot_id);
    }
    if (!with && !ask->prompt && !same_start(b))
        return bbt_fail(err, BBT_INVALID,
            "without a soft prompt this provider takes only examples that begin with the same "
            "token (one per request, or set bos_id)");
    *ret = with > 0 || !ask->prompt;
    return BBT_OK;
}

static void put_query(struct pen *p, const struct prov_model *m, const struct prov_ask *ask,
    size_t lead)
{
    const struct prov_batch *b = ask->batch;

    pen_raw(p, ",\"query\":[");
    if (lead)
        pen_format(p, "%d", (int)b->ids[0]);
    for (size_t i = 0; ask->prompt && i < ask->prompt_rows; i++)
        pen_format(p, i || lead ? ",%d" : "%d", (int)m->slot_id);
    pen_raw(p, "],\"items\":[");
    for (size_t r = 0; r < b->rows; r++) {
        if (r)
            pen_raw(p, ",");
        pen_ids(p, b->ids + r * b->cols + lead, (size_t)b->len[r] - lead);
    }
    pen_raw(p, "]");
}

static const struct dialog_need score_need = {
    .label_ids = true, .prepend_only = true, .soft_prompt = true};

/* Pieces: up to the prompt's rows, the rest; without a prompt all in one. */
static enum bbt_rc score_part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check(m, ask, &score_need, err);
    size_t lead = 0;
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc == BBT_OK && ask->prompt && m->slot_id < 0)
        rc = bbt_fail(err, BBT_INVALID,
            "this provider needs an unused token in the place of prompt rows (set slot_id)");
    if (rc == BBT_OK)
        rc = score_lead(m, ask, &lead, err);
    if (rc != BBT_OK)
        return rc;
    p = chain_part(ret, m->body_max);
    pen_raw(&p, "{\"model\":");
    pen_text(&p, m->name);
    put_query(&p, m, ask, lead);
    if (ask->prompt) {
        pen_format(&p, ",\"embed_override_token_id\":%d,\"query_embed_overrides\":[",
            (int)m->slot_id);
        (void)chain_cut(&p, ret);
        pen_raw(&p, "]");
    }
    pen_raw(&p, ",\"label_token_ids\":");
    pen_ids(&p, ask->label_ids, ask->labels);
    pen_raw(&p, ",\"apply_softmax\":false,\"item_first\":false");
    pen_members(&p, m->params);
    pen_raw(&p, "}");
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc score_part_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check_prompt(m, ask, &score_need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK || !ask->prompt)
        return rc;
    p = chain_part(ret, m->body_max);
    pen_rows(&p, ask->prompt, ask->prompt_rows, ask->hidden);
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc score_encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    struct prov_http h;
    struct chain c = dialog_begin(m, "/v1/score", &h);

    chain_weave(&c, batch, prompt);
    return dialog_send(&c, ask->id, ret, err);
}

/* ---- answers ---- */

/* [[p, ...], ...]: probabilities under the whole vocabulary. 0 is underflow. */
static enum bbt_rc take_scores(
    const json_t *scores, struct prov_answer *a, struct bbt_err *err)
{
    if (json_array_size(scores) != a->rows)
        return bbt_fail(err, BBT_CORRUPT, "response: %zu scores for %zu examples",
            json_array_size(scores), a->rows);
    for (size_t r = 0; r < a->rows; r++) {
        const json_t *row = json_array_get(scores, r);

        if (json_array_size(row) != a->labels)
            return bbt_fail(err, BBT_CORRUPT, "response: %zu scores for %zu labels",
                json_array_size(row), a->labels);
        for (size_t c = 0; c < a->labels; c++) {
            double v;

            if (!dialog_number(json_array_get(row, c), &v) || v < 0 || v > 1.001)
                return dialog_corrupt(err, "a score is not a probability");
            dialog_put(a, r, c, v > 0 ? log(v) : DIALOG_FLOOR);
        }
    }
    return BBT_OK;
}

static enum bbt_rc score_decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_answer a = {0};
    json_t *root = NULL;
    enum bbt_rc rc = dialog_open(r, &root, err);

    (void)m;
    if (rc == BBT_OK)
        rc = dialog_answer(ask, &a, err);
    if (rc == BBT_OK)
        rc = take_scores(json_object_get(root, "scores"), &a, err);
    if (rc == BBT_OK)
        rc = dialog_finish(&a, NULL, err);
    if (rc == BBT_OK)
        dialog_usage(root, ask, &a);
    json_decref(root);
    if (rc != BBT_OK) {
        prov_answer_fini(&a);
        return rc;
    }
    *ret = a;
    return BBT_OK;
}

/* ---- the dialect ---- */

static enum bbt_rc score_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    return startup_next(&sglang_score_adapter, m, step, ret, err);
}

static enum bbt_rc score_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    return startup_take(&sglang_score_adapter, sglang_ours, m, step, r, err);
}

const struct prov_adapter sglang_score_adapter = {
    .name = "sglang-score",
    .soft_prompt = true,
    .probe_next = score_probe_next,
    .probe_take = score_probe_take,
    .part_batch = score_part_batch,
    .part_prompt = score_part_prompt,
    .encode = score_encode,
    .decode = score_decode,
    .tokens_encode = sglang_tokens_encode,
    .tokens_decode = dialog_take_tokens,
    .framed_encode = sglang_framed_encode,
};
