#include "prov/prov.h"

#include "base/alloc.h"
#include "base/json.h"
#include "prov/adapters.h"
#include "prov/kserve2.h"

#include <string.h>
#include <strings.h>

#define BODY_MAX (64u * 1024u * 1024u) /* Triton's default limit for a request */
#define PARAMS_MAX (64u * 1024u)

static const struct prov_adapter *const adapters[] = {
    &kserve2_adapter, &vllm_adapter, &vllm_embeds_adapter, &sglang_score_adapter,
    &sglang_generate_adapter, &openai_adapter, &openai_chat_adapter, &llamacpp_adapter,
    &trtllm_adapter};
static const char *const names[] = {"kserve2", "vllm", "vllm-embeds", "sglang-score",
    "sglang-generate", "openai", "openai-chat", "llamacpp", "trtllm", NULL};

const struct prov_adapter *prov_adapter_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof adapters / sizeof adapters[0]; i++)
        if (!strcmp(adapters[i]->name, name))
            return adapters[i];
    return NULL;
}

const char *const *prov_adapter_names(void)
{
    return names;
}

void prov_answer_fini(struct prov_answer *a)
{
    if (!a)
        return;
    bbt_free(a->logit);
    *a = (struct prov_answer){0};
}

void prov_embed_fini(struct prov_embed *e)
{
    if (!e)
        return;
    bbt_free(e->row);
    *e = (struct prov_embed){0};
}

void prov_tokens_fini(struct prov_tokens *t)
{
    if (!t)
        return;
    bbt_free(t->id);
    *t = (struct prov_tokens){0};
}

enum bbt_rc prov_encode(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, struct prov_http *ret, struct bbt_err *err)
{
    struct prov_part batch = {0}, prompt = {0};
    struct prov_http h = {0};
    enum bbt_rc rc = a->part_batch(m, ask, &batch, err);

    if (rc == BBT_OK)
        rc = a->part_prompt(m, ask, &prompt, err);
    if (rc == BBT_OK)
        rc = a->encode(m, ask, &batch, &prompt, &h, err);
    if (rc == BBT_OK)
        rc = prov_http_join(&h, err);
    prov_part_fini(&batch);
    prov_part_fini(&prompt);
    prov_http_fini(ret);
    if (rc != BBT_OK) {
        prov_http_fini(&h);
        return rc;
    }
    *ret = h;
    return BBT_OK;
}

const char *prov_reply_header(const struct prov_reply *r, const char *name)
{
    return r->header ? r->header(r->arg, name) : NULL;
}

void prov_model_init(struct prov_model *m)
{
    *m = (struct prov_model){
        .own_params = true, .body_max = BODY_MAX, .bos_id = -1, .slot_id = -1};
}

void prov_model_fini(struct prov_model *m)
{
    if (!m)
        return;
    bbt_free(m->params);
    prov_model_init(m);
}

enum bbt_rc prov_model_copy(
    const struct prov_model *m, struct prov_model *ret, struct bbt_err *err)
{
    char *params = bbt_strdup(m->params);

    if (m->params && !params)
        return bbt_fail(err, BBT_NOMEM, "no memory for a model");
    *ret = *m;
    ret->params = params;
    return BBT_OK;
}

static enum bbt_rc check_params(const json_t *params, struct bbt_err *err)
{
    static const char *const ours[] = {
        "compose", "prompt_at", "binary_data_output", "binary_data_size"};
    const char *key;
    json_t *v;

    if (!json_is_object(params))
        return bbt_fail(err, BBT_INVALID, "parameters must be an object");
    json_object_foreach ((json_t *)(size_t)params, key, v) {
        if (!json_is_string(v) && !json_is_number(v) && !json_is_boolean(v))
            return bbt_fail(err, BBT_INVALID,
                "parameter \"%s\" must be a text, a number or true/false", key);
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
            if (!strcmp(key, ours[i]))
                return bbt_fail(err, BBT_INVALID,
                    "parameter \"%s\" is set by bbtd itself (remove it)", key);
    }
    return BBT_OK;
}

enum bbt_rc prov_model_params(
    struct prov_model *m, const json_t *params, struct bbt_err *err)
{
    char *text = NULL;

    if (params) {
        enum bbt_rc rc = check_params(params, err);

        if (rc != BBT_OK)
            return rc;
        text = json_print(params);
        if (!text)
            return bbt_fail(err, BBT_NOMEM, "no memory for the request parameters");
        if (strlen(text) > PARAMS_MAX) {
            bbt_free(text);
            return bbt_fail(err, BBT_INVALID, "parameters are over 64 KiB");
        }
    }
    bbt_free(m->params);
    m->params = text;
    return BBT_OK;
}
