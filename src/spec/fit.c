#include "spec/fit.h"

#include <math.h>
#include <string.h>

struct rule {
    bool broken;
    const char *key, *why, *fix;
};

/* Prompt rows in front of the text of a causal model, at its input embedding, are all that the
 * servers of language models take. */
static enum bbt_rc check_lm(const struct conf_provider *p, const struct conf_model *m,
    const struct job_spec *s, struct bbt_err *err)
{
    const struct rule rules[] = {
        {s->mode == JOB_ADD, "prompt.mode", "prompt rows can only stand before the text there",
            "set mode: concat; with init: random_tokens it is the prompt that add would give"},
        {s->at == JOB_AT_HIDDEN, "prompt.at", "prompt rows enter at the input embedding there",
            "set at: embedding"},
        {!m->hidden && !m->embeddings, "model", "nothing tells how wide the model is",
            "set `hidden` or `embeddings` of the model in the daemon's configuration"},
        {!m->embeddings && s->projection == JOB_PROJ_NORMAL && isnan(s->scale),
            "prompt.projection.scale", "auto needs the model's embeddings",
            "set `embeddings` of the model in the daemon's configuration, or scale to a number"},
        {!m->embeddings && s->init == JOB_INIT_RANDOM_TOKENS, "prompt.init",
            "random_tokens needs the model's embeddings",
            "set `embeddings` of the model in the daemon's configuration, or init: zero"},
        {p->kind == CONF_SGLANG_SCORE && m->slot_id < 0, "model",
            "it needs a token that stands where prompt rows go",
            "set `slot_id` of the model in the daemon's configuration: a reserved, unused token"},
    };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].broken)
            return bbt_fail(err, BBT_INVALID, "%s: provider \"%s\" is %s: %s (%s)", rules[i].key,
                p->name, conf_kind_name(p->kind), rules[i].why, rules[i].fix);
    return BBT_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

enum bbt_rc fit_stand_in(const struct conf_provider *p, const struct conf_model *m,
    const struct conf_provider *q, const struct conf_model *n, struct bbt_err *err)
{
    const struct {
        bool differs;
        const char *key;
    } keys[] = {
        {p->kind != q->kind, "kind"},
        {p->mode != q->mode, "mode"},
        {!same_text(m->tokenizer, n->tokenizer), "tokenizer"},
        {!m->embeddings != !n->embeddings, "embeddings"},
        {m->batch != n->batch, "batch"},
        {m->top != n->top, "top"},
        {m->bos_id != n->bos_id, "bos_id"},
        {m->slot_id != n->slot_id, "slot_id"},
        {m->vocab_size != n->vocab_size, "vocab_size"},
        {m->max_length != n->max_length, "max_length"},
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].differs)
            return bbt_fail(err, BBT_INVALID,
                "fallback: \"%s\" cannot stand in for \"%s\": `%s` of model \"%s\" differs "
                "in the daemon's configuration (make it the same, or leave it out)",
                q->name, p->name, keys[i].key, m->name);
    return BBT_OK;
}

enum bbt_rc fit_check(const struct conf_provider *p, const struct conf_model *m,
    const struct job_spec *s, struct bbt_err *err)
{
    if (s->prompt == JOB_NONE || p->kind == CONF_KSERVE2)
        return BBT_OK;
    if (conf_text_only(p))
        return bbt_fail(err, BBT_INVALID,
            "prompt.kind: provider \"%s\" is %s: it takes text only, a soft prompt cannot be "
            "sent to it (set prompt: {kind: none} to measure the baselines there)",
            p->name, conf_kind_name(p->kind));
    return check_lm(p, m, s, err);
}

enum bbt_rc fit_fallback(const struct conf *c, const struct conf_provider *p,
    const struct conf_model *m, const struct job_spec *s, struct bbt_err *err)
{
    for (size_t i = 0; i < s->fallback.nr; i++) {
        const struct conf_provider *q = conf_provider(c, s->fallback.item[i]);
        const struct conf_model *n = q ? conf_model(q, s->model) : NULL;
        enum bbt_rc rc;

        if (!n)
            return bbt_fail(err, BBT_INVALID,
                "fallback: the daemon's configuration has no provider \"%s\" with a model "
                "\"%s\" (leave it out, or add it there)",
                s->fallback.item[i], s->model);
        rc = fit_stand_in(p, m, q, n, err);
        if (rc != BBT_OK)
            return rc;
    }
    return BBT_OK;
}
