/* vllm.c -- vLLM's server: chat with a part of prompt rows. */
#include "prov/vllm.h"

#include "prov/base64.h"
#include "prov/dialog.h"
#include "prov/startup.h"
#include "prov/torchzip.h"

#include <stdio.h>
#include <string.h>

#define TOP_MAX 20 /* --max-logprobs, if the operator set no other: more is refused */
#define RESERVED "<prompt_embeds>" /* refused by the server in texts */

/* ---- questions ---- */

/* "data" of rows x hidden numbers: base64 of a tensor file. */
static enum bbt_rc put_tensor(struct pen *p, const struct prov_model *m, const float *v,
    size_t rows, struct bbt_err *err)
{
    struct bbt_buf file;
    enum bbt_rc rc;

    buf_init(&file, m->body_max);
    rc = torchzip_put(
        &file, m->embed_type ? m->embed_type : PROV_FP32, v, rows, m->hidden, err);
    if (rc != BBT_OK)
        return rc;
    pen_raw(p, "\"");
    if (p->rc == BBT_OK)
        p->rc = base64_put(p->b, file.data, file.len);
    pen_raw(p, "\"");
    buf_fini(&file);
    return BBT_OK;
}

size_t vllm_top(const struct prov_ask *ask)
{
    return ask->labels < TOP_MAX ? ask->labels : TOP_MAX;
}

void vllm_wanted(struct pen *p, const struct prov_ask *ask)
{
    pen_raw(p, ",\"temperature\":0,\"repetition_penalty\":1.0,\"presence_penalty\":0,"
               "\"frequency_penalty\":0,\"logprob_token_ids\":");
    pen_ids(p, ask->label_ids, ask->labels);
    pen_raw(p, ",\"return_tokens_as_token_ids\":true");
}

void vllm_tail(struct pen *p, struct prov_part *part, const struct prov_model *m,
    const struct prov_ask *ask)
{
    vllm_wanted(p, ask);
    if (ask->prompt) {
        pen_raw(p, ",\"cache_salt\":\"");
        (void)chain_cut(p, part);
        pen_raw(p, "\"");
    }
    pen_members(p, m->params);
    pen_raw(p, "}");
    (void)chain_cut(p, part);
}

static const struct dialog_need chat_need = {.labels_max = VLLM_LABELS_MAX, .text = true,
    .label_ids = true, .prepend_only = true, .soft_prompt = true};

/* Pieces: up to the tensor, up to the salt, the rest; without a prompt all in one. */
static enum bbt_rc chat_part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check_one(m, ask, &chat_need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    if (strstr(ask->batch->text[0], RESERVED))
        return bbt_fail(err, BBT_INVALID,
            "the text contains \"" RESERVED "\", which the server refuses (drop the example)");
    p = chain_part(ret, m->body_max);
    pen_raw(&p, "{\"model\":");
    pen_text(&p, m->name);
    pen_raw(&p, ",\"messages\":[{\"role\":\"user\",\"content\":[");
    if (ask->prompt) {
        pen_raw(&p, "{\"type\":\"prompt_embeds\",\"data\":");
        (void)chain_cut(&p, ret);
        pen_raw(&p, "},");
    }
    pen_raw(&p, "{\"type\":\"text\",\"text\":");
    pen_text(&p, ask->batch->text[0]);
    /* Without the second line a reasoning model's first token is not the answer's. */
    pen_format(&p, "}]}],\"max_completion_tokens\":1,\"logprobs\":true,\"top_logprobs\":%zu,"
                   "\"chat_template_kwargs\":{\"enable_thinking\":false}", vllm_top(ask));
    vllm_tail(&p, ret, m, ask);
    return chain_part_end(&p, ret, err);
}

/* Pieces: the tensor, the salt. */
static enum bbt_rc chat_part_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    char salt[DIALOG_SALT];
    enum bbt_rc rc = dialog_check_prompt(m, ask, &chat_need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK || !ask->prompt)
        return rc;
    p = chain_part(ret, m->body_max);
    rc = put_tensor(&p, m, ask->prompt, ask->prompt_rows, err);
    if (rc != BBT_OK) {
        prov_part_fini(ret);
        return rc;
    }
    (void)chain_cut(&p, ret);
    dialog_salt(ask, salt);
    pen_raw(&p, salt);
    (void)chain_cut(&p, ret);
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc chat_encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    struct prov_http h;
    struct chain c = dialog_begin(m, "/v1/chat/completions", &h);

    chain_weave(&c, batch, prompt);
    return dialog_send(&c, ask->id, ret, err);
}

/* ---- answers ---- */

enum bbt_rc vllm_take(const json_t *v, struct prov_answer *a, size_t r, size_t c,
    struct bbt_err *err)
{
    double lp;

    if (!dialog_number(v, &lp))
        return dialog_corrupt(err, "a log-probability is not a finite number");
    dialog_put(a, r, c, lp);
    return BBT_OK;
}

/* content[0].top_logprobs: [{"token":"token_id:N","logprob":x}] */
static enum bbt_rc take_chat(const struct prov_ask *ask, const json_t *choice, size_t r,
    struct prov_answer *a, float *least, struct bbt_err *err)
{
    const json_t *content = json_object_get(json_object_get(choice, "logprobs"), "content");
    const json_t *top = json_object_get(json_array_get(content, 0), "top_logprobs");
    enum bbt_rc rc = BBT_OK;
    char key[32];
    size_t i;
    json_t *v;

    (void)least;
    if (!json_is_array(top))
        return bbt_fail(err, BBT_INVALID, "the server gives no log-probabilities");
    json_array_foreach (top, i, v)
        for (size_t c = 0; rc == BBT_OK && c < ask->labels; c++) {
            (void)snprintf(key, sizeof key, "token_id:%d", (int)ask->label_ids[c]);
            if (!strcmp(json_get_str(v, "token", ""), key))
                rc = vllm_take(json_object_get(v, "logprob"), a, r, c, err);
        }
    return rc;
}

static enum bbt_rc chat_decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    (void)m;
    return dialog_choices(ask, r, take_chat, false, ret, err);
}

/* ---- tokens ---- */

static enum bbt_rc tokenize(const struct prov_model *m, const char *text, bool framed,
    struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http h;
    struct chain c = dialog_begin(m, "/tokenize", &h);
    struct pen *p = &c.pen;

    pen_raw(p, "{\"model\":");
    pen_text(p, m->name);
    pen_raw(p, ",\"prompt\":");
    pen_text(p, text);
    pen_format(p, ",\"add_special_tokens\":%s}", framed ? "true" : "false");
    return dialog_send(&c, NULL, ret, err);
}

enum bbt_rc vllm_tokens_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err)
{
    return tokenize(m, text, false, ret, err);
}

enum bbt_rc vllm_framed_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err)
{
    return tokenize(m, text, true, ret, err);
}

/* ---- start-up ---- */

const char *const vllm_ours[] = {"model", "messages", "prompt", "prompt_embeds",
    "max_tokens", "max_completion_tokens", "temperature", "logprobs", "top_logprobs",
    "logprob_token_ids", "allowed_token_ids", "return_tokens_as_token_ids", "cache_salt",
    "repetition_penalty", "presence_penalty", "frequency_penalty", "add_special_tokens",
    "chat_template_kwargs", "n", "echo", "stream", "suffix", NULL};

static enum bbt_rc chat_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    return startup_next(&vllm_adapter, m, step, ret, err);
}

static enum bbt_rc chat_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    enum bbt_rc rc = startup_take(&vllm_adapter, vllm_ours, m, step, r, err);

    m->batch_max = 1; /* one conversation per request */
    return rc;
}

const struct prov_adapter vllm_adapter = {
    .name = "vllm",
    .soft_prompt = true,
    .wants_text = true,
    .probe_next = chat_probe_next,
    .probe_take = chat_probe_take,
    .part_batch = chat_part_batch,
    .part_prompt = chat_part_prompt,
    .encode = chat_encode,
    .decode = chat_decode,
    .tokens_encode = vllm_tokens_encode,
    .tokens_decode = dialog_take_tokens,
    .framed_encode = vllm_framed_encode,
};
