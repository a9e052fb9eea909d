/* llamacpp.c -- llama.cpp's own /completion: text in, the likeliest tokens with their ids out.
 * No call takes embeddings. */
#include "prov/adapters.h"

#include "prov/canary.h"
#include "prov/dialog.h"
#include "prov/startup.h"

#include <math.h>

#define TOP 1024 /* there is no choice of labels: enough of the likeliest to hold them */

static enum bbt_rc part_batch(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    static const struct dialog_need need = {.text = true, .label_ids = true};
    enum bbt_rc rc = dialog_check_one(m, ask, &need, err);
    struct pen p;

    *ret = (struct prov_part){0};
    if (rc != BBT_OK)
        return rc;
    p = chain_part(ret, m->body_max);
    pen_raw(&p, "{\"prompt\":");
    pen_text(&p, ask->batch->text[0]);
    /* A negative temperature is greedy and leaves the probabilities a plain softmax. The
     * cache is documented to change numbers from call to call. */
    pen_format(&p, ",\"n_predict\":1,\"temperature\":-1,\"n_probs\":%zu,"
                   "\"post_sampling_probs\":false,\"cache_prompt\":false", m->top ? m->top : TOP);
    pen_members(&p, m->params);
    pen_raw(&p, "}");
    return chain_part_end(&p, ret, err);
}

static enum bbt_rc encode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_part *batch, const struct prov_part *prompt, struct prov_http *ret,
    struct bbt_err *err)
{
    (void)prompt;
    return dialog_whole(m, ask, "/completion", batch, ret, err);
}

/* completion_probabilities[0].top_logprobs: [{"id","logprob"}] */
static enum bbt_rc take_top(const json_t *root, const struct prov_ask *ask,
    struct prov_answer *a, float *least, struct bbt_err *err)
{
    const json_t *steps = json_object_get(root, "completion_probabilities"), *top;
    size_t i;
    json_t *v;

    if (!steps)
        steps = json_object_get(root, "probs"); /* so in parts of its documentation */
    top = json_object_get(json_array_get(steps, 0), "top_logprobs");
    if (json_array_size(top) == 0)
        return bbt_fail(err, BBT_INVALID, "the server gives no log-probabilities");
    json_array_foreach (top, i, v) {
        long long id = json_get_int(v, "id", -1);
        double lp;

        if (!dialog_number(json_object_get(v, "logprob"), &lp))
            return dialog_corrupt(err, "a log-probability is not a finite number");
        *least = i ? fminf(*least, dialog_logprob(lp)) : dialog_logprob(lp);
        for (size_t c = 0; c < ask->labels; c++)
            if (id == ask->label_ids[c])
                dialog_put(a, 0, c, lp);
    }
    return BBT_OK;
}

static enum bbt_rc decode(const struct prov_model *m, const struct prov_ask *ask,
    const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_answer a = {0};
    float least = (float)DIALOG_FLOOR;
    json_t *root = NULL;
    long long n;
    enum bbt_rc rc = dialog_open(r, &root, err);

    (void)m;
    if (rc == BBT_OK && ask->batch->rows != 1)
        rc = dialog_corrupt(err, "one answer for several examples");
    if (rc == BBT_OK && json_get_bool(root, "truncated", 0))
        rc = bbt_fail(err, BBT_INVALID, "the example does not fit the server's context");
    if (rc == BBT_OK)
        rc = dialog_answer(ask, &a, err);
    if (rc == BBT_OK)
        rc = take_top(root, ask, &a, &least, err);
    if (rc == BBT_OK)
        rc = dialog_finish(&a, &least, err);
    if (rc != BBT_OK) {
        json_decref(root);
        prov_answer_fini(&a);
        return rc;
    }
    dialog_usage(NULL, ask, &a);
    n = json_get_int(root, "tokens_evaluated", -1);
    if (n >= 0)
        a.tokens_in = (uint64_t)n;
    n = json_get_int(root, "tokens_predicted", -1);
    a.tokens_out = n >= 0 ? (uint64_t)n : 0;
    json_decref(root);
    *ret = a;
    return BBT_OK;
}

static enum bbt_rc tokens_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http h;
    struct chain c = dialog_begin(m, "/tokenize", &h);
    struct pen *p = &c.pen;

    pen_raw(p, "{\"content\":");
    pen_text(p, text);
    pen_raw(p, ",\"add_special\":false}");
    return dialog_send(&c, NULL, ret, err);
}

/* Steps: health (503 while the model loads), the tokeniser, trial questions. One model per
 * server. */
static enum bbt_rc probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    if (step > 1)
        return canary_next(&llamacpp_adapter, m, step - 2, ret, err);
    if (step == 1)
        return tokens_encode(m, "a", ret, err);
    dialog_get("/health", ret);
    return BBT_OK;
}

static enum bbt_rc probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    static const char *const ours[] = {"prompt", "n_predict", "temperature", "n_probs",
        "post_sampling_probs", "cache_prompt", "stream", NULL};
    struct prov_tokens t = {0};
    enum bbt_rc rc;

    m->probed = false;
    m->batch_max = 1;
    if (step > 1)
        return canary_take(&llamacpp_adapter, m, step - 2, r, err);
    if (step == 0) {
        rc = dialog_params(m, ours, err);
        return rc == BBT_OK ? startup_health(r, err) : rc;
    }
    rc = dialog_take_tokens(r, &t, err);
    m->has_tokens = rc == BBT_OK;
    prov_tokens_fini(&t);
    if (rc == BBT_NOTFOUND)
        return bbt_fail(err, BBT_INVALID, "no tokenise call: not a llama.cpp server");
    return rc;
}

const struct prov_adapter llamacpp_adapter = {
    .name = "llamacpp",
    .wants_text = true,
    .probe_next = probe_next,
    .probe_take = probe_take,
    .part_batch = part_batch,
    .part_prompt = dialog_no_prompt,
    .encode = encode,
    .decode = decode,
    .tokens_encode = tokens_encode,
    .tokens_decode = dialog_take_tokens,
};
