#include "spec/conf_kind.h"

#include <stdio.h>
#include <string.h>

#define BATCH_DEFAULT 32

const char *const conf_kind_names[CONF_KIND_NR + 1] = {"kserve2", "openai", "openai-chat",
    "vllm", "sglang-score", "sglang-generate", "llamacpp", "trtllm", NULL};

/* The Open Inference Protocol: paths begin with /v2, and there is no call to tokenise. */
static bool named_tensors(const struct conf_provider *p)
{
    return p->kind == CONF_KSERVE2 || p->kind == CONF_TRTLLM;
}

/* Paths are appended to it, and they begin with the version. */
static void check_no_version(
    const struct conf_provider *p, size_t i, struct spec_problems *problems)
{
    size_t n = p->url ? strlen(p->url) : 0;
    char pointer[96];

    n -= n && p->url[n - 1] == '/';
    if (named_tensors(p) || n < 4 || memcmp(p->url + n - 3, "/v1", 3) != 0)
        return;
    (void)snprintf(pointer, sizeof pointer, "/providers/%zu/url", i);
    problem_add(problems, pointer, false, "the address without /v1",
        "providers[%zu].url: ends in /v1, which bbtd appends by itself", i);
}

bool conf_single(const struct conf_provider *p)
{
    return p->kind == CONF_OPENAI_CHAT || p->kind == CONF_LLAMACPP ||
           p->kind == CONF_TRTLLM || (p->kind == CONF_VLLM && p->mode == CONF_CHAT_PART);
}

bool conf_text_only(const struct conf_provider *p)
{
    return p->kind == CONF_OPENAI || p->kind == CONF_OPENAI_CHAT || p->kind == CONF_LLAMACPP;
}

const char *conf_kind_name(enum conf_kind k)
{
    return (unsigned)k < CONF_KIND_NR ? conf_kind_names[k] : "unknown";
}

/* What the model's dialect cannot do without. */
static void check_model(const struct conf_provider *p, size_t i, size_t a,
    struct spec_problems *problems)
{
    const struct conf_model *m = (const struct conf_model *)p->models.item + a;
    bool whole = p->kind == CONF_SGLANG_GENERATE ||
                 (p->kind == CONF_VLLM && p->mode == CONF_EMBEDS);
    const struct {
        bool is;
        const char *what, *fix;
    } lacks[] = {
        {named_tensors(p) && !m->tokenizer, "\"tokenizer\" is missing",
            "folder with the model's vocabulary: this protocol has no call to tokenise"},
        {p->kind == CONF_TRTLLM && !m->vocab_size, "\"vocab_size\" is missing",
            "the model's own, from its config.json: prompt rows are numbered from there"},
        {whole && !m->embeddings, "\"embeddings\" is missing",
            "the model's safetensors file or folder: this provider takes whole prompts as "
            "rows"},
        {conf_single(p) && m->batch > 1, "this provider takes one example per request",
            "leave batch out"},
    };
    char pointer[96];

    (void)snprintf(pointer, sizeof pointer, "/providers/%zu/models/%zu", i, a);
    for (size_t k = 0; k < sizeof lacks / sizeof lacks[0]; k++)
        if (lacks[k].is)
            problem_add(problems, pointer, false, lacks[k].fix,
                "providers[%zu].models[%zu]: %s", i, a, lacks[k].what);
}

void conf_kind_settle(struct conf *c, struct spec_problems *problems)
{
    const struct conf_provider *p = c->providers.item;

    for (size_t i = 0; i < c->providers.nr; i++) {
        struct conf_model *m = p[i].models.item;

        check_no_version(&p[i], i, problems);
        for (size_t k = 0; k < p[i].models.nr; k++) {
            if (m[k].batch == 0)
                m[k].batch = conf_single(&p[i]) ? 1 : BATCH_DEFAULT;
            check_model(&p[i], i, k, problems);
        }
    }
}
