/* sglang_generate.c -- /generate: generation from whole prompts as rows. */
#include "prov/sglang.h"

#include "base/alloc.h"
#include "prov/startup.h"
#include "prov/whole.h"

#include <math.h>

static const struct dialog_need generate_need = {.label_ids = true, .soft_prompt = true};

/* Rows of tokens as text; each list of them is a piece. */
static enum bbt_rc put_tokens(struct pen *p, struct prov_part *part, const struct prov_model *m,
    const int32_t *id, size_t n, float *room, struct bbt_err *err)
{
    enum bbt_rc rc = whole_look_up(m, id, n, room, err);

    for (size_t i = 0; rc == BBT_OK && i < n * m->hidden; i++)
        if (!isfinite(room[i]))
            rc = bbt_fail(err, BBT_INVALID, "token %d has an embedding that is not finite",
                (int)id[i / m->hidden]);
    if (rc == BBT_OK)
        pen_rows(p, room, n, m->hidden);
    (void)chain_cut(p, part);
    return rc;
}

static enum bbt_rc put_examples(struct pen *p, struct prov_part *part,
    const struct prov_model *m, const struct prov_ask *ask, struct bbt_err *err)
{
    float *room = whole_room(m, ask);
    enum bbt_rc rc = BBT_OK;

    if (!room)
        return bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
    for (size_t r = 0; rc == BBT_OK && p->rc == BBT_OK && r < ask->batch->rows; r++) {
        struct whole w;

        rc = whole_plan(m, ask, r, &w, err);
        if (rc == BBT_OK)
            rc = put_tokens(p, part, m, w.id, w.before, room, err);
        if (rc == BBT_OK)
            rc = put_tokens(p, part, m, w.id + w.from, w.len - w.from, room, err);
    }
    bbt_free(room);
    return rc;
}

static void put_wanted(struct pen *p, struct prov_part *part, const struct prov_model *m,
    const struct prov_ask *ask)
{
    pen_raw(p, "],\"sampling_params\":{\"max_new_tokens\":1,\"temperature\":0},"
               "\"return_logprob\":true,\"logprob_start_len\":-1,\"top_logprobs_num\":0,"
               "\"token_ids_logprob\":[");
    for (size_t r = 0; r < ask->batch->rows; r++) {
        if (r)
            pen_raw(p, ",");
        pen_ids(p, ask->label_ids, ask->labels);
    }
    pen_raw(p, "]");
    if (part && ask->prompt) {
        pen_raw(p, ",\"extra_key\":\"");
        (void)chain_cut(p, part);
        pen_raw(p, "\"");
    }
    pen_members(p, m->params);
    pen_raw(p, "}");
}

/* Pieces: of each example the rows before and those after the prompt; up to the salt; the rest
 * (without a prompt in one with it). */
static enum bbt_rc generate_part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check(m, ask, &generate_need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    p = chain_part(ret, m->body_max);
    rc = put_examples(&p, ret, m, ask, err);
    if (rc != BBT_OK) {
        prov_part_fini(ret);
        return rc;
    }
    put_wanted(&p, ret, m, ask);
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

/* Pieces: the rows (nothing where they are added), the salt. */
static enum bbt_rc generate_part_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    char salt[DIALOG_SALT];
    enum bbt_rc rc = dialog_check_prompt(m, ask, &generate_need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK || !ask->prompt)
        return rc;
    p = chain_part(ret, m->body_max);
    if (ask->compose == PROV_PREPEND)
        pen_rows(&p, ask->prompt, ask->prompt_rows, ask->hidden);
    (void)chain_cut(&p, ret);
    dialog_salt(ask, salt);
    pen_raw(&p, salt);
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

/* Sums of rows, set aside in own bytes for all examples with the same tokens there. */
struct sums {
    float *room;
    struct whole last; /* the example that they were made for */
    size_t at, n;
};

static enum bbt_rc put_sums(struct chain *c, struct sums *s, const struct prov_model *m,
    const struct prov_ask *ask, const struct whole *w, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    if (!s->last.id || !whole_same(ask, &s->last, w)) {
        if (!s->room && !(s->room = whole_room(m, ask)))
            return bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
        rc = whole_prompt(m, ask, w, s->room, err);
        for (size_t i = 0; rc == BBT_OK && i < ask->prompt_rows * m->hidden; i++)
            if (!isfinite(s->room[i]))
                rc = bbt_fail(
                    err, BBT_INVALID, "the soft prompt has a number that is not finite");
        if (rc != BBT_OK)
            return rc;
        s->at = chain_aside(c);
        pen_rows(&c->pen, s->room, ask->prompt_rows, m->hidden);
        s->n = chain_kept(c);
        s->last = *w;
    }
    chain_again(c, s->at, s->n);
    return rc;
}

static enum bbt_rc put_example(struct chain *c, struct sums *s, const struct prov_model *m,
    const struct prov_ask *ask, const struct prov_part *batch, const struct prov_part *prompt,
    size_t r, struct bbt_err *err)
{
    struct whole w;
    enum bbt_rc rc = whole_plan(m, ask, r, &w, err);

    if (rc != BBT_OK)
        return rc;
    pen_raw(&c->pen, r ? ",[" : "[");
    chain_piece(c, batch, 2 * r);
    if (ask->prompt && w.before)
        pen_raw(&c->pen, ",");
    if (ask->prompt && ask->compose == PROV_PREPEND)
        chain_piece(c, prompt, 0);
    else if (ask->prompt)
        rc = put_sums(c, s, m, ask, &w, err);
    if (w.from < w.len)
        pen_raw(&c->pen, ",");
    chain_piece(c, batch, 2 * r + 1);
    pen_raw(&c->pen, "]");
    return rc;
}

static enum bbt_rc generate_encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    size_t rows = ask->batch->rows;
    struct prov_http h;
    struct chain c = dialog_begin(m, "/generate", &h);
    struct sums sums = {.n = 0};
    enum bbt_rc rc = BBT_OK;

    pen_raw(&c.pen, "{\"input_embeds\":[");
    for (size_t r = 0; rc == BBT_OK && c.pen.rc == BBT_OK && r < rows; r++)
        rc = put_example(&c, &sums, m, ask, batch, prompt, r, err);
    bbt_free(sums.room);
    if (rc != BBT_OK) {
        chain_drop(&c);
        return rc;
    }
    for (size_t i = 2 * rows; i < batch->pieces; i++) {
        if (i > 2 * rows)
            chain_piece(&c, prompt, 1);
        chain_piece(&c, batch, i);
    }
    return dialog_send(&c, ask->id, ret, err);
}

/* The same question about ids, which the server looks up itself. */
static enum bbt_rc generate_plain(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http h;
    struct chain c;
    enum bbt_rc rc = dialog_check(m, ask, &generate_need, err);

    *ret = (struct prov_http){0};
    if (rc != BBT_OK)
        return rc;
    c = dialog_begin(m, "/generate", &h);
    for (size_t r = 0; r < ask->batch->rows; r++) {
        pen_raw(&c.pen, r ? "," : "{\"input_ids\":[");
        pen_ids(&c.pen, ask->batch->ids + r * ask->batch->cols, (size_t)ask->batch->len[r]);
    }
    put_wanted(&c.pen, NULL, m, ask);
    return dialog_send(&c, ask->id, ret, err);
}

/* output_token_ids_logprobs[0]: [[logprob, id, text], ...] in any order. */
static enum bbt_rc take_generated(const struct prov_ask *ask, const json_t *meta, size_t r,
    struct prov_answer *a, struct bbt_err *err)
{
    const json_t *list =
        json_array_get(json_object_get(meta, "output_token_ids_logprobs"), 0);
    json_t *v;
    size_t i;

    if (!json_is_array(list))
        return bbt_fail(err, BBT_INVALID, "the server gives no log-probabilities");
    json_array_foreach (list, i, v) {
        const json_t *id = json_array_get(v, 1);
        double lp;

        for (size_t c = 0; json_is_integer(id) && c < ask->labels; c++) {
            if (json_integer_value(id) != ask->label_ids[c])
                continue;
            if (!dialog_number(json_array_get(v, 0), &lp))
                return dialog_corrupt(err, "a log-probability is not a finite number");
            dialog_put(a, r, c, lp);
        }
    }
    return BBT_OK;
}

static enum bbt_rc take_list(const json_t *root, const struct prov_ask *ask,
    struct prov_answer *a, struct bbt_err *err)
{
    bool single = json_is_object(root);
    size_t n = single ? 1 : json_array_size(root);
    long long in = 0, out = 0;

    if (n != a->rows)
        return bbt_fail(
            err, BBT_CORRUPT, "response: %zu answers for %zu examples", n, a->rows);
    for (size_t r = 0; r < n; r++) {
        const json_t *v = single ? root : json_array_get(root, r);
        const json_t *meta = json_object_get(v, "meta_info");
        long long row_in = json_get_int(meta, "prompt_tokens", -1);
        long long row_out = json_get_int(meta, "completion_tokens", 0);
        enum bbt_rc rc = take_generated(ask, meta, r, a, err);

        if (rc != BBT_OK)
            return rc;
        in = in < 0 || row_in < 0 || row_in > INT32_MAX ? -1 : in + row_in;
        out += row_out > 0 && row_out < INT32_MAX ? row_out : 0;
    }
    dialog_usage(NULL, ask, a);
    if (in >= 0)
        a->tokens_in = (uint64_t)in;
    a->tokens_out = (uint64_t)out;
    return BBT_OK;
}

static enum bbt_rc generate_decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_answer a = {0};
    json_t *root = NULL;
    enum bbt_rc rc = dialog_open(r, &root, err);

    (void)m;
    if (rc == BBT_OK)
        rc = dialog_answer(ask, &a, err);
    if (rc == BBT_OK)
        rc = take_list(root, ask, &a, err);
    if (rc == BBT_OK)
        rc = dialog_finish(&a, NULL, err);
    json_decref(root);
    if (rc != BBT_OK) {
        prov_answer_fini(&a);
        return rc;
    }
    *ret = a;
    return BBT_OK;
}

/* ---- the dialect ---- */

static enum bbt_rc generate_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    return startup_next(&sglang_generate_adapter, m, step, ret, err);
}

static enum bbt_rc generate_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    return startup_take(&sglang_generate_adapter, sglang_ours, m, step, r, err);
}

const struct prov_adapter sglang_generate_adapter = {
    .name = "sglang-generate",
    .soft_prompt = true,
    .probe_next = generate_probe_next,
    .probe_take = generate_probe_take,
    .part_batch = generate_part_batch,
    .part_prompt = generate_part_prompt,
    .encode = generate_encode,
    .decode = generate_decode,
    .tokens_encode = sglang_tokens_encode,
    .tokens_decode = dialog_take_tokens,
    .framed_encode = sglang_framed_encode,
    .plain_encode = generate_plain,
};
