/* vllm_embeds.c -- vLLM's completions of whole prompts as rows, one tensor file per example:
 *
 *   base64( file head | rows before | prompt's rows | rows after | file tail )
 *
 * The rows' text is in the parts; a request writes head and tail, which have the numbers' CRC,
 * and the few bytes where two runs meet. Added prompts make sums, which are written once for
 * all examples that have the same tokens there. */
#include "prov/vllm.h"

#include "base/alloc.h"
#include "prov/crc.h"
#include "prov/run.h"
#include "prov/startup.h"
#include "prov/tensor.h"
#include "prov/torchzip.h"
#include "prov/whole.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct dialog_need need = {
    .labels_max = VLLM_LABELS_MAX, .label_ids = true, .soft_prompt = true};

static enum prov_type type_of(const struct prov_model *m)
{
    return m->embed_type ? m->embed_type : PROV_FP32;
}

/* ---- rows as runs ---- */

/* Where in a group of three a row of a file stands that so many rows come before. */
static size_t phase_of(const struct prov_model *m, size_t rows)
{
    return (torchzip_head_len(type_of(m)) + rows % 3 * (m->hidden % 3) *
                                                tensor_size(type_of(m))) % 3;
}

/* `v` is used up. */
static enum bbt_rc put_run(struct pen *p, const struct prov_model *m, float *v, size_t rows,
    size_t before, struct prov_piece *ret, struct bbt_err *err)
{
    if (torchzip_check(type_of(m), v, rows, m->hidden, err) != BBT_OK)
        return BBT_INVALID;
    run_put(p, v, tensor_pack(v, type_of(m), rows * m->hidden), phase_of(m, before), ret);
    return BBT_OK;
}

static void cut_run(struct pen *p, struct prov_part *part, const struct prov_piece *run)
{
    struct prov_piece *piece = chain_cut(p, part);
    struct prov_piece place;

    if (!piece)
        return;
    place = *piece;
    *piece = *run;
    piece->at = place.at;
    piece->n = place.n;
}

/* ---- parts ---- */

static enum bbt_rc put_tokens(struct pen *p, struct prov_part *part, const struct prov_model *m,
    const struct prov_ask *ask, float *room, struct bbt_err *err)
{
    size_t soft = ask->prompt ? ask->prompt_rows : 0;
    enum bbt_rc rc = BBT_OK;

    for (size_t r = 0; rc == BBT_OK && p->rc == BBT_OK && r < ask->batch->rows; r++) {
        struct prov_piece run = {0};
        struct whole w;

        rc = whole_plan(m, ask, r, &w, err);
        if (rc == BBT_OK)
            rc = whole_look_up(m, w.id, w.before, room, err);
        if (rc == BBT_OK)
            rc = put_run(p, m, room, w.before, 0, &run, err);
        if (rc != BBT_OK)
            break;
        cut_run(p, part, &run);
        rc = whole_look_up(m, w.id + w.from, w.len - w.from, room, err);
        if (rc == BBT_OK)
            rc = put_run(p, m, room, w.len - w.from, w.before + soft, &run, err);
        cut_run(p, part, &run);
    }
    return rc;
}

static void put_limits(struct pen *p, const struct prov_ask *ask)
{
    pen_format(p, "],\"max_tokens\":1,\"logprobs\":%zu,\"allowed_token_ids\":", vllm_top(ask));
    pen_ids(p, ask->label_ids, ask->labels);
    pen_raw(p, ",\"add_special_tokens\":false");
}

/* Pieces: the head; of each example the rows before and those after the prompt; up to the
 * salt; the rest (without a prompt in one with it). */
static enum bbt_rc part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check(m, ask, &need, err);
    float *room;
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    room = whole_room(m, ask);
    if (!room)
        return bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
    p = chain_part(ret, m->body_max);
    pen_raw(&p, "{\"model\":");
    pen_text(&p, m->name);
    pen_raw(&p, ",\"prompt_embeds\":[");
    (void)chain_cut(&p, ret);
    rc = put_tokens(&p, ret, m, ask, room, err);
    bbt_free(room);
    if (rc != BBT_OK) {
        prov_part_fini(ret);
        return rc;
    }
    put_limits(&p, ask);
    vllm_tail(&p, ret, m, ask);
    return chain_part_end(&p, ret, err);
}

/* Pieces: the rows, as they stand in the first example (nothing where they are added); the
 * salt. */
static enum bbt_rc part_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check_prompt(m, ask, &need, err);
    struct prov_piece run = {0};
    char salt[DIALOG_SALT];
    float *room = NULL;
    struct whole w;
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK || !ask->prompt)
        return rc;
    rc = whole_plan(m, ask, 0, &w, err);
    if (rc == BBT_OK && !(room = whole_room(m, ask)))
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
    p = chain_part(ret, m->body_max);
    if (rc == BBT_OK && ask->compose == PROV_PREPEND) {
        rc = whole_prompt(m, ask, &w, room, err);
        if (rc == BBT_OK)
            rc = put_run(&p, m, room, ask->prompt_rows, w.before, &run, err);
    }
    bbt_free(room);
    if (rc != BBT_OK) {
        prov_part_fini(ret);
        return rc;
    }
    cut_run(&p, ret, &run);
    dialog_salt(ask, salt);
    pen_raw(&p, salt);
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

/* ---- a request ---- */

struct writing {
    const struct prov_model *m;
    const struct prov_ask *ask;
    const struct prov_part *batch, *prompt;
    struct chain *c;
    struct base64 text;
    float *room;           /* for sums */
    struct whole last;     /* the example for which `sum` was written */
    struct prov_piece sum; /* the prompt's rows, set aside in own bytes */
};

/* The prompt's rows for that example: of the part, or written here, unless they were for the
 * example before. */
static enum bbt_rc find_prompt(struct writing *wr, const struct whole *w,
    const struct prov_piece **ret, struct bbt_err *err)
{
    const struct prov_piece *run = &wr->prompt->piece[0];
    size_t phase = phase_of(wr->m, w->before);
    enum bbt_rc rc;

    *ret = run;
    if (run->raw && run->phase == phase)
        return BBT_OK;
    *ret = &wr->sum;
    if (wr->last.id && wr->sum.phase == phase && whole_same(wr->ask, &wr->last, w))
        return BBT_OK;
    if (!wr->room && !(wr->room = whole_room(wr->m, wr->ask)))
        return bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
    rc = whole_prompt(wr->m, wr->ask, w, wr->room, err);
    if (rc != BBT_OK)
        return rc;
    wr->sum.at = chain_aside(wr->c);
    rc = put_run(&wr->c->pen, wr->m, wr->room, wr->ask->prompt_rows, w->before, &wr->sum, err);
    wr->sum.n = chain_kept(wr->c);
    wr->last = *w;
    return rc;
}

/* `part` NULL: it is own bytes. */
static void put_piece(struct writing *wr, const struct prov_piece *run,
    const struct prov_part *part)
{
    bool fits = run_first(&wr->text, &wr->c->pen, run);

    assert(fits || wr->c->pen.rc != BBT_OK); /* the phase follows from what came before */
    if (part)
        chain_lend(wr->c, part->bytes.data + run->at, run->n);
    else
        chain_again(wr->c, run->at, run->n);
    run_last(&wr->text, &wr->c->pen, run);
}

static enum bbt_rc put_example(struct writing *wr, size_t r, struct bbt_err *err)
{
    static const struct prov_piece nothing;
    const struct prov_piece *before = &wr->batch->piece[1 + 2 * r], *after = before + 1;
    const struct prov_piece *soft = &nothing;
    struct pen *p = &wr->c->pen;
    struct torchzip_frame f;
    struct whole w;
    uint32_t crc;
    enum bbt_rc rc = whole_plan(wr->m, wr->ask, r, &w, err);

    if (rc == BBT_OK && wr->ask->prompt)
        rc = find_prompt(wr, &w, &soft, err);
    if (rc != BBT_OK)
        return rc;
    crc = crc_join(crc_join(before->crc, soft->crc, soft->raw), after->crc, after->raw);
    rc = torchzip_frame(type_of(wr->m), w.rows, wr->m->hidden, crc, &f, err);
    if (rc != BBT_OK)
        return rc;
    wr->text = (struct base64){.n = 0};
    pen_raw(p, r ? ",\"" : "\"");
    base64_feed(&wr->text, p, f.head, f.head_len);
    put_piece(wr, before, wr->batch);
    put_piece(wr, soft, soft == &wr->sum ? NULL : wr->prompt);
    put_piece(wr, after, wr->batch);
    base64_feed(&wr->text, p, f.tail, f.tail_len);
    base64_close(&wr->text, p);
    pen_raw(p, "\"");
    return BBT_OK;
}

static enum bbt_rc encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    size_t rows = ask->batch->rows;
    struct prov_http h;
    struct chain c = dialog_begin(m, "/v1/completions", &h);
    struct writing wr = {.m = m, .ask = ask, .batch = batch, .prompt = prompt, .c = &c};
    enum bbt_rc rc = BBT_OK;

    chain_piece(&c, batch, 0);
    for (size_t r = 0; rc == BBT_OK && c.pen.rc == BBT_OK && r < rows; r++)
        rc = put_example(&wr, r, err);
    bbt_free(wr.room);
    if (rc != BBT_OK) {
        chain_drop(&c);
        return rc;
    }
    for (size_t i = 1 + 2 * rows; i < batch->pieces; i++) {
        if (i > 1 + 2 * rows)
            chain_piece(&c, prompt, 1);
        chain_piece(&c, batch, i);
    }
    return dialog_send(&c, ask->id, ret, err);
}

/* The same question about ids, which the server looks up itself. */
static enum bbt_rc plain_encode(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http h;
    struct chain c;
    struct pen *p = &c.pen;
    enum bbt_rc rc = dialog_check(m, ask, &need, err);

    *ret = (struct prov_http){0};
    if (rc != BBT_OK)
        return rc;
    c = dialog_begin(m, "/v1/completions", &h);
    pen_raw(p, "{\"model\":");
    pen_text(p, m->name);
    for (size_t r = 0; r < ask->batch->rows; r++) {
        pen_raw(p, r ? "," : ",\"prompt\":[");
        pen_ids(p, ask->batch->ids + r * ask->batch->cols, (size_t)ask->batch->len[r]);
    }
    put_limits(p, ask);
    vllm_wanted(p, ask);
    pen_members(p, m->params);
    pen_raw(p, "}");
    return dialog_send(&c, ask->id, ret, err);
}

/* ---- answers ---- */

/* top_logprobs[0]: {"token_id:N":x} */
static enum bbt_rc take_completion(const struct prov_ask *ask, const json_t *choice,
    size_t r, struct prov_answer *a, float *least, struct bbt_err *err)
{
    const json_t *list = json_object_get(json_object_get(choice, "logprobs"), "top_logprobs");
    const json_t *top = json_array_get(list, 0);
    enum bbt_rc rc = BBT_OK;
    char key[32];

    (void)least;
    if (!json_is_object(top))
        return bbt_fail(err, BBT_INVALID, "the server gives no log-probabilities");
    for (size_t c = 0; rc == BBT_OK && c < ask->labels; c++) {
        const json_t *v;

        (void)snprintf(key, sizeof key, "token_id:%d", (int)ask->label_ids[c]);
        v = json_object_get(top, key);
        if (v)
            rc = vllm_take(v, a, r, c, err);
    }
    return rc;
}

static enum bbt_rc decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    (void)m;
    return dialog_choices(ask, r, take_completion, false, ret, err);
}

/* ---- start-up ---- */

static enum bbt_rc probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    return startup_next(&vllm_embeds_adapter, m, step, ret, err);
}

static enum bbt_rc probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    return startup_take(&vllm_embeds_adapter, vllm_ours, m, step, r, err);
}

const struct prov_adapter vllm_embeds_adapter = {
    .name = "vllm-embeds",
    .soft_prompt = true,
    .probe_next = probe_next,
    .probe_take = probe_take,
    .part_batch = part_batch,
    .part_prompt = part_prompt,
    .encode = encode,
    .decode = decode,
    .tokens_encode = vllm_tokens_encode,
    .tokens_decode = dialog_take_tokens,
    .framed_encode = vllm_framed_encode,
    .plain_encode = plain_encode,
};
