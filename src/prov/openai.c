/* openai.c -- text questions of the OpenAI interface, completions and chat: the baselines on
 * every provider. Labels are found by their text in the list of the likeliest tokens. */
#include "prov/adapters.h"

#include "prov/dialog.h"
#include "prov/startup.h"

#include <math.h>
#include <string.h>

/* What the hosted service allows. */
#define TOP_COMPLETIONS 5
#define TOP_CHAT 20

/* ---- questions ---- */

static const struct dialog_need need = {.text = true, .label_text = true};

static void put_tail(struct pen *p, const struct prov_model *m)
{
    pen_raw(p, ",\"temperature\":0,\"seed\":0");
    pen_members(p, m->params);
    pen_raw(p, "}");
}

static enum bbt_rc part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check(m, ask, &need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    p = chain_part(ret, m->body_max);
    pen_raw(&p, "{\"model\":");
    pen_text(&p, m->name);
    pen_raw(&p, ",\"prompt\":[");
    for (size_t r = 0; r < ask->batch->rows; r++) {
        if (r)
            pen_raw(&p, ",");
        pen_text(&p, ask->batch->text[r]);
    }
    pen_format(&p, "],\"max_tokens\":1,\"logprobs\":%zu", m->top ? m->top : TOP_COMPLETIONS);
    put_tail(&p, m);
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc chat_part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check_one(m, ask, &need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    p = chain_part(ret, m->body_max);
    pen_raw(&p, "{\"model\":");
    pen_text(&p, m->name);
    pen_raw(&p, ",\"messages\":[{\"role\":\"user\",\"content\":");
    pen_text(&p, ask->batch->text[0]);
    pen_format(&p, "}],\"max_completion_tokens\":1,\"logprobs\":true,\"top_logprobs\":%zu",
        m->top ? m->top : TOP_CHAT);
    put_tail(&p, m);
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    (void)prompt;
    return dialog_whole(m, ask, "/v1/completions", batch, ret, err);
}

static enum bbt_rc chat_encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    (void)prompt;
    return dialog_whole(m, ask, "/v1/chat/completions", batch, ret, err);
}

/* ---- answers ---- */

static enum bbt_rc no_logprobs(struct bbt_err *err)
{
    return bbt_fail(err, BBT_INVALID,
        "the model gives no log-probabilities (reasoning models usually do not)");
}

/* One token of the list: its number goes to the label that is spelt so, and into *least. */
static enum bbt_rc take_value(const json_t *v, double *lp, float *least, bool first,
    struct bbt_err *err)
{
    if (!dialog_number(v, lp))
        return dialog_corrupt(err, "a log-probability is not a finite number");
    *least = first ? dialog_logprob(*lp) : fminf(*least, dialog_logprob(*lp));
    return BBT_OK;
}

/* logprobs.top_logprobs[0]: {"text":x} */
static enum bbt_rc take_completion(const struct prov_ask *ask, const json_t *choice,
    size_t r, struct prov_answer *a, float *least, struct bbt_err *err)
{
    const json_t *list = json_object_get(json_object_get(choice, "logprobs"), "top_logprobs");
    json_t *top = json_array_get(list, 0), *v;
    bool first = true;
    const char *key;

    if (!json_is_object(top) || json_object_size(top) == 0)
        return no_logprobs(err);
    json_object_foreach (top, key, v) {
        double lp;
        enum bbt_rc rc = take_value(v, &lp, least, first, err);

        if (rc != BBT_OK)
            return rc;
        first = false;
        for (size_t c = 0; c < ask->labels; c++)
            if (!strcmp(key, ask->label_text[c]))
                dialog_put(a, r, c, lp);
    }
    return BBT_OK;
}

/* Is the token that label? By its bytes where they are told: its text may be mangled. A chat
 * template ends before the answer, so one leading space on either side makes no difference. */
static bool spelt(const json_t *token, const char *label)
{
    const json_t *bytes = json_object_get(token, "bytes");
    const char *text = json_get_str(token, "token", "");
    size_t n = json_array_size(bytes), i = 0;

    label += label[0] == ' ';
    if (!json_is_array(bytes))
        return !strcmp(text + (text[0] == ' '), label);
    i = n && json_integer_value(json_array_get(bytes, 0)) == ' ';
    for (; i < n; i++, label++)
        if (!*label || json_integer_value(json_array_get(bytes, i)) != (unsigned char)*label)
            return false;
    return !*label;
}

/* logprobs.content[0].top_logprobs: [{"token","bytes","logprob"}], the likeliest first: of
 * two spellings of a label the likelier counts. */
static enum bbt_rc take_chat(const struct prov_ask *ask, const json_t *choice, size_t r,
    struct prov_answer *a, float *least, struct bbt_err *err)
{
    const json_t *content = json_object_get(json_object_get(choice, "logprobs"), "content");
    const json_t *top = json_object_get(json_array_get(content, 0), "top_logprobs");
    size_t i;
    json_t *v;

    if (json_array_size(top) == 0)
        return no_logprobs(err);
    json_array_foreach (top, i, v) {
        double lp;
        enum bbt_rc rc = take_value(json_object_get(v, "logprob"), &lp, least, i == 0, err);

        if (rc != BBT_OK)
            return rc;
        for (size_t c = 0; c < ask->labels; c++)
            if (spelt(v, ask->label_text[c]))
                dialog_put(a, r, c, lp);
    }
    return BBT_OK;
}

static enum bbt_rc decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    (void)m;
    return dialog_choices(ask, r, take_completion, true, ret, err);
}

static enum bbt_rc chat_decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    (void)m;
    return dialog_choices(ask, r, take_chat, true, ret, err);
}

/* ---- start-up ---- */

static const char *const ours[] = {"model", "prompt", "messages", "max_tokens",
    "max_completion_tokens", "logprobs", "top_logprobs", "temperature", "seed", "n", "echo",
    "stream", "best_of", NULL};

static enum bbt_rc probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    return startup_next(&openai_adapter, m, step, ret, err);
}

static enum bbt_rc probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    return startup_take(&openai_adapter, ours, m, step, r, err);
}

static enum bbt_rc chat_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    return startup_next(&openai_chat_adapter, m, step, ret, err);
}

static enum bbt_rc chat_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    m->batch_max = 1; /* one conversation per request */
    return startup_take(&openai_chat_adapter, ours, m, step, r, err);
}

const struct prov_adapter openai_adapter = {
    .name = "openai",
    .wants_text = true,
    .wants_label_text = true,
    .probe_next = probe_next,
    .probe_take = probe_take,
    .part_batch = part_batch,
    .part_prompt = dialog_no_prompt,
    .encode = encode,
    .decode = decode,
};

const struct prov_adapter openai_chat_adapter = {
    .name = "openai-chat",
    .wants_text = true,
    .wants_label_text = true,
    .probe_next = chat_probe_next,
    .probe_take = chat_probe_take,
    .part_batch = chat_part_batch,
    .part_prompt = dialog_no_prompt,
    .encode = chat_encode,
    .decode = chat_decode,
};
