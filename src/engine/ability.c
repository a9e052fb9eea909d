#include "engine/ability.h"

#include "num/embmat.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In the order in which a probe meets them. */
enum row {
    REACH,
    TLS,
    KEY,
    MODEL,
    TOKENS,
    SOFT,
    LABELS,
    REPEAT,
    BATCH,
    CONTEXT,
    STD,
    PRINT,
    LIMITS,
    ROWS
};

static const char *const names[ROWS] = {"reach", "tls", "key", "model", "tokeniser",
    "soft_prompts", "label_logprobs", "repeats", "batch", "context", "embedding_std",
    "fingerprint", "limit_headers"};

const char *ability_is_name(enum ability_is is)
{
    return is == ABILITY_YES ? "yes" : is == ABILITY_NO ? "no" : "open";
}

__attribute__((format(printf, 3, 4))) static void say(
    struct ability *a, enum ability_is is, const char *fmt, ...)
{
    va_list ap;

    a->is = is;
    va_start(ap, fmt);
    (void)vsnprintf(a->text, sizeof a->text, fmt, ap);
    va_end(ap);
}

/* Which row a failure belongs to: by what it calls for, else by how far the probe came. */
static enum row culprit(const struct probe *p)
{
    enum conf_kind kind = p->ep->conf->kind;
    unsigned trials = kind == CONF_TRTLLM ? 4 : 2; /* step of the first trial question */

    if (p->rc == BBT_DENIED || (p->reason && strcmp(p->reason, "auth") == 0))
        return KEY;
    if (p->rc == BBT_AGAIN && p->step == 0)
        return REACH;
    if (p->state_failed == PROBE_TOK)
        return kind == CONF_KSERVE2 || kind == CONF_TRTLLM ? TOKENS : STD;
    if (p->state_failed == PROBE_CANARY || (p->step >= trials && kind != CONF_KSERVE2))
        return p->ep->adapter->soft_prompt ? SOFT : LABELS;
    return p->step == 0 ? REACH : MODEL;
}

static void tell_way(const struct probe *p, struct ability *a)
{
    const struct conf_provider *c = p->ep->conf;
    bool key = c->key.credential || c->key.file || c->key.env;
    bool unix_socket = strncmp(c->url, "unix:", 5) == 0;

    if (p->latency_us)
        say(&a[REACH], ABILITY_YES, "answers, a trial question took %.1f ms",
            (double)p->latency_us / 1e3);
    else
        say(&a[REACH], ABILITY_YES, "answers");
    if (strncmp(c->url, "https:", 6) == 0)
        say(&a[TLS], ABILITY_YES, "https, certificate checked");
    else
        say(&a[TLS], ABILITY_OPEN, unix_socket ? "a socket of this machine: not needed"
                                               : "http: whoever is in between can read it");
    if (key)
        say(&a[KEY], ABILITY_YES, "accepted, sent as %s", c->key_header);
    else
        say(&a[KEY], ABILITY_OPEN, "none is configured, none was asked for");
}

static void tell_soft(const struct probe *p, const struct prov_model *m, struct ability *a)
{
    const struct prov_adapter *ad = p->ep->adapter;

    if (!ad->soft_prompt)
        say(&a[SOFT], ABILITY_NO, "text only: baselines can be measured here, nothing tuned");
    else if (p->plain || !isfinite(p->effect) || p->effect <= 0)
        say(&a[SOFT], ABILITY_OPEN, "not tried (set `hidden` or `embeddings` of the model)");
    else if (m->tokens_between)
        say(&a[SOFT], ABILITY_NO,
            "taken, but the chat template puts %llu more tokens between prompt and text "
            "(--chat-template-content-format openai keeps them together)",
            (unsigned long long)m->tokens_between);
    else
        say(&a[SOFT], ABILITY_YES, "taken; another prompt moves scores by %.3g", p->effect);
    say(&a[LABELS], ABILITY_YES,
        ad->wants_label_text  ? "found by their text among the likeliest tokens"
            : ad->soft_prompt ? "every label that was asked for was told"
                              : "found by their id among the likeliest tokens");
    say(&a[REPEAT], p->drift == 0 ? ABILITY_YES : ABILITY_OPEN,
        p->drift == 0 ? "the same question gets the same answer"
                      : "the same question's answers were %.3g apart",
        p->drift);
}

static void tell_sizes(const struct probe *p, const struct prov_model *m, struct ability *a)
{
    size_t rows = p->rc == BBT_OK ? endpoint_model_rows(p->model) : m->batch_max;
    double mean, std;

    say(&a[BATCH], ABILITY_YES, "%zu example%s per request%s", rows, rows == 1 ? "" : "s",
        rows < m->batch_max ? ": it refused larger ones" : "");
    if (m->context_max)
        say(&a[CONTEXT], ABILITY_YES, "%zu tokens", m->context_max);
    else
        say(&a[CONTEXT], ABILITY_OPEN, "not told (set `max_length` where it matters)");
    if (p->model->mat) {
        embmat_stats(p->model->mat, &mean, &std);
        say(&a[STD], ABILITY_YES, "%.6g (mean %.3g) over %zu x %zu", std, mean,
            embmat_rows(p->model->mat), embmat_cols(p->model->mat));
    } else {
        say(&a[STD], m->has_embedding ? ABILITY_YES : ABILITY_OPEN,
            m->has_embedding ? "the server tells it to each job"
                             : "not known (prompt.projection.scale must be a number)");
    }
}

static void tell_tokens(const struct probe *p, const struct prov_model *m, struct ability *a)
{
    if (m->has_tokens && m->bos_id >= 0)
        say(a, ABILITY_YES, "the server's own; a prompt begins with token %d", (int)m->bos_id);
    else if (m->has_tokens)
        say(a, ABILITY_YES, "the server's own; nothing is put before a prompt");
    else if (p->tokenizer)
        say(a, ABILITY_YES, "out of the configured folder");
    else
        say(a, p->ep->adapter->wants_label_text ? ABILITY_OPEN : ABILITY_NO,
            "none: label words are looked for by their text");
}

size_t ability_list(const struct probe *p, struct ability ret[ABILITY_MAX])
{
    const struct prov_model *m = p->rc == BBT_OK ? &p->model->m : &p->fresh.m;
    enum row bad;

    for (size_t i = 0; i < ROWS; i++)
        ret[i] = (struct ability){.name = names[i], .is = ABILITY_OPEN};
    tell_way(p, ret);
    if (m->hidden)
        say(&ret[MODEL], ABILITY_YES, "\"%s\", %zu numbers per prompt row", m->name, m->hidden);
    else
        say(&ret[MODEL], ABILITY_YES, "\"%s\"", m->name);
    tell_tokens(p, m, &ret[TOKENS]);
    tell_soft(p, m, ret);
    tell_sizes(p, m, ret);
    say(&ret[PRINT], ABILITY_YES, "%s %s %s, model %s%s%s, trial answers %.6f %.6f", m->server,
        m->server_version, m->platform, m->name, m->version[0] ? " version " : "", m->version,
        m->canary[0], m->canary[1]);
    say(&ret[LIMITS], p->seen[0] ? ABILITY_YES : ABILITY_OPEN, "%s",
        p->seen[0] ? p->seen : "none seen");
    if (p->rc == BBT_OK)
        return ROWS;
    bad = culprit(p);
    say(&ret[bad], ABILITY_NO, "%s", p->err.msg);
    for (size_t i = (size_t)bad + 1; i < ROWS; i++) /* not reached */
        say(&ret[i], ABILITY_OPEN, "not tried");
    if (bad == REACH)
        ret[TLS].is = ABILITY_OPEN;
    return ROWS;
}
