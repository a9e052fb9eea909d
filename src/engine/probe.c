#include "engine/probe.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "engine/round.h"
#include "num/embmat.h"
#include "num/rng.h"
#include "prov/canary.h"
#include "prov/reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A prompt that is read moves a logit by far more. */
#define EFFECT_MIN 1e-6

/* A start-up step of a generating dialect may ask its model something; nobody tells how much. */
#define STEP_IN 256u
#define STEP_OUT 16u

static void probe_end(struct probe *p, enum bbt_rc rc)
{
    p->state_failed = p->state;
    p->state = PROBE_DONE;
    p->rc = rc;
    p->done = true;
    op_wake(p->wake);
}

static void run_tok(struct port_call *c, struct port_db *db)
{
    struct probe *p = bbt_container(c, struct probe, work);

    (void)db;
    if (p->tokenizer)
        c->rc = tok_open(p->tokenizer, &p->tok, &c->err);
    if (c->rc == BBT_OK && p->model->conf->embeddings && !p->model->mat)
        c->rc = embmat_open(
            p->model->conf->embeddings, p->model->conf->tensor, &p->mat, &c->err);
}

/* The input embedding is the model's from now on, and tells how wide it is. */
static enum bbt_rc take_matrix(struct probe *p, struct bbt_err *err)
{
    struct prov_model *m = &p->fresh.m;
    size_t cols;

    if (!p->model->mat) {
        p->model->mat = p->mat;
        p->mat = NULL;
    }
    if (!p->model->mat && p->plain && p->ep->conf->kind != CONF_KSERVE2) {
        p->hidden_later = m->hidden; /* no width, no trial prompts */
        m->hidden = 0;
    }
    if (!p->model->mat)
        return BBT_OK;
    cols = embmat_cols(p->model->mat);
    if (m->hidden && m->hidden != cols)
        return bbt_fail(err, BBT_INVALID,
            "model %s: `hidden` is %zu in the configuration, its embeddings are %zu wide",
            m->name, m->hidden, cols);
    m->hidden = cols;
    m->token_row = embmat_row;
    m->token_arg = p->model->mat;
    return BBT_OK;
}

static enum bbt_rc encode_step(struct query *c, struct prov_http *ret, struct bbt_err *err)
{
    struct probe *p = bbt_container(c, struct probe, query);

    return p->ep->adapter->probe_next(&p->fresh.m, p->step, ret, err);
}

/* Notes headers that tell limits, each once. */
static void note_headers(struct probe *p, const struct prov_reply *r)
{
    static const char *const names[] = {"ratelimit", "ratelimit-policy", "ratelimit-limit",
        "x-ratelimit-limit", "x-ratelimit-limit-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-requests-limit", "retry-after"};
    size_t len = strlen(p->seen);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (prov_reply_header(r, names[i]) && !strstr(p->seen, names[i]) &&
            len + strlen(names[i]) + 2 < sizeof p->seen)
            len += (size_t)snprintf(p->seen + len, sizeof p->seen - len, "%s%s",
                len ? " " : "", names[i]);
}

static enum bbt_rc decode_step(
    struct query *c, const struct prov_reply *r, struct bbt_err *err)
{
    struct probe *p = bbt_container(c, struct probe, query);

    if (round_generates(p->ep->adapter)) { /* elsewhere it asks for metadata, no tokens */
        c->spent = STEP_IN + STEP_OUT;
        c->spent_out = STEP_OUT;
    }
    note_headers(p, r);
    return p->ep->adapter->probe_take(&p->fresh.m, p->step, r, err);
}

static void ask_of(struct probe *p, struct prov_ask *ask)
{
    bool b = p->canary == 1;

    *ask = (struct prov_ask){
        .batch = &p->batch,
        .prompt = p->prompt + (b ? p->rows * p->hidden : 0),
        .prompt_rows = p->rows,
        .hidden = p->hidden,
        .compose = p->compose,
        .prompt_at = p->at,
        .label_ids = p->labels,
        .labels = 2,
        .id = b ? "canary-b" : "canary-a",
    };
}

static enum bbt_rc encode_canary(struct query *c, struct prov_http *ret, struct bbt_err *err)
{
    struct probe *p = bbt_container(c, struct probe, query);
    struct prov_ask ask;

    ask_of(p, &ask);
    return prov_encode(p->ep->adapter, &p->fresh.m, &ask, ret, err);
}

static enum bbt_rc decode_canary(
    struct query *c, const struct prov_reply *r, struct bbt_err *err)
{
    struct probe *p = bbt_container(c, struct probe, query);
    struct prov_answer a = {0};
    struct prov_ask ask;
    enum bbt_rc rc;

    ask_of(p, &ask);
    rc = prov_decode(p->ep->adapter, &p->fresh.m, &ask, r, &a, err);
    if (rc == BBT_OK)
        memcpy(p->logit[p->canary], a.logit, sizeof p->logit[0]);
    c->spent = a.tokens_in + a.tokens_out;
    c->spent_out = a.tokens_out;
    prov_answer_fini(&a);
    return rc;
}

static void start_call(struct probe *p)
{
    bool canary = p->state == PROBE_CANARY, asks = round_generates(p->ep->adapter);

    query_fini(&p->query);
    p->query = (struct query){
        .ep = p->ep,
        .flow = &p->flow,
        .cost = canary ? (uint64_t)p->len + p->rows : 1,
        .account = canary || asks ? p->account : NULL,
        .cost_more = asks ? STEP_IN : 0,
        .cost_out = asks ? STEP_OUT : 0,
        .encode = canary ? encode_canary : encode_step,
        .decode = canary ? decode_canary : decode_step,
        .raw = !canary,
        .wake = &p->op,
    };
    query_init(&p->query, p->q);
    query_start(&p->query);
}

/* [CLS] slots [MASK] [SEP], padded where the server insists on a length. */
static enum bbt_rc build_canary(struct probe *p, struct bbt_err *err)
{
    const struct prov_model *m = &p->fresh.m;
    const struct tok_special *s = tok_special(p->tok);
    size_t slots, cols, cells;

    p->rows = m->prompt_rows_fixed ? m->prompt_rows_fixed : PROBE_ROWS;
    p->hidden = m->hidden;
    if (p->hidden == 0 || p->hidden > 65536 || p->rows > 4096)
        return bbt_fail(err, BBT_INVALID,
            "model %s: the server does not say how wide its embeddings are (set `hidden` "
            "of this model in the configuration)",
            m->name);
    if (s->cls < 0 || s->sep < 0 || s->mask < 0)
        return bbt_fail(err, BBT_INVALID,
            "tokenizer %s has no class, separator or mask token", p->tokenizer);
    slots = p->compose == PROV_ADD ? p->rows : 0;
    cols = m->cols_fixed > slots + 3 ? m->cols_fixed : slots + 3;
    cells = p->rows * p->hidden;
    p->prompt = bbt_alloc_array(2 * cells, sizeof *p->prompt);
    p->ids = bbt_alloc_array(cols, sizeof *p->ids);
    if (!p->prompt || !p->ids)
        return bbt_fail(err, BBT_NOMEM, "no memory for a canary");
    rng_fill_normalf(1, RNG_INIT, 0, 2 * cells, p->prompt);
    for (size_t i = 0; i < cols; i++)
        p->ids[i] = i == 0 ? s->cls : i <= slots ? s->sep : s->pad < 0 ? s->sep : s->pad;
    p->ids[slots + 1] = s->mask;
    p->ids[slots + 2] = s->sep;
    p->len = (int32_t)(slots + 3);
    p->mask_pos = (int32_t)(slots + 1);
    p->labels[0] = s->cls;
    p->labels[1] = s->sep;
    p->batch = (struct prov_batch){.rows = 1, .cols = cols, .ids = p->ids, .len = &p->len,
        .mask_pos = &p->mask_pos, .pad = s->pad < 0 ? s->sep : s->pad};
    return BBT_OK;
}

/* Another model, or other weights under the same name, answer otherwise. Rounded, because
 * equal ones may differ in the last bits. */
static uint64_t fingerprint_of(const struct probe *p)
{
    const struct prov_model *m = &p->fresh.m;
    struct {
        char name[PROV_NAME_MAX], version[32], server[64], server_version[64], platform[64];
        int64_t logit[4], canary[2]; /* of the trial questions of either kind */
        uint64_t hidden;
    } all = {.hidden = m->hidden};

    memcpy(all.name, m->name, sizeof all.name);
    memcpy(all.version, m->version, sizeof all.version);
    memcpy(all.server, m->server, sizeof all.server);
    memcpy(all.server_version, m->server_version, sizeof all.server_version);
    memcpy(all.platform, m->platform, sizeof all.platform);
    for (size_t i = 0; i < 4; i++)
        all.logit[i] = llround((double)p->logit[i / 2][i % 2] * 1e3);
    for (size_t i = 0; i < 2; i++)
        all.canary[i] = llround(m->canary[i] * 1e3);
    return digest_short(&all, sizeof all);
}

static struct like like_of(const struct probe *p)
{
    const struct prov_model *m = &p->fresh.m;
    unsigned steps = canary_steps(p->ep->adapter, m);
    struct like l = {.hidden = m->hidden};

    _Static_assert(LIKE_ANSWERS == PROV_CANARIES, "an answer each");
    if (p->canary) { /* the trial prompts of a masked model */
        l.answers = LIKE_ANSWERS;
        for (size_t i = 0; i < l.answers; i++)
            l.answer[i] = (double)p->logit[i / 2][i % 2];
    } else if (p->ep->conf->kind != CONF_KSERVE2) {
        l.answers = steps < PROV_CANARIES ? steps : PROV_CANARIES;
        memcpy(l.answer, m->canary, l.answers * sizeof l.answer[0]);
    }
    return l;
}

/* All is well: the model is as it was found. */
static enum bbt_rc adopt(struct probe *p)
{
    p->model->fingerprint = fingerprint_of(p);
    if (p->model->stale) /* the others may be of another model */
        memset(p->model->like, 0, sizeof p->model->like);
    *endpoint_like(p->model, p->compose, p->at) = like_of(p);
    p->fresh.m.edition = p->model->m.edition + 1;
    prov_model_fini(&p->model->m);
    p->model->m = p->fresh.m;
    if (p->hidden_later)
        p->model->m.hidden = p->hidden_later;
    p->model->stale = false;
    p->model->tried = !p->plain;
    p->fresh.m = (struct prov_model){0};
    return BBT_OK;
}

static enum bbt_rc judge_canaries(struct probe *p, struct bbt_err *err)
{
    for (size_t i = 0; i < 2; i++) {
        p->drift = fmax(p->drift, fabs((double)p->logit[0][i] - p->logit[2][i]));
        p->effect = fmax(p->effect, fabs((double)p->logit[0][i] - p->logit[1][i]));
    }
    if (p->drift > LIKE_DRIFT_MAX)
        return bbt_fail(err, BBT_INVALID,
            "the same prompt asked twice gave scores %.3g apart: the server mixes up "
            "prompts (switch prefix caching off) or is not deterministic",
            p->drift);
    if (p->effect < EFFECT_MIN)
        return bbt_fail(err, BBT_INVALID,
            "two different soft prompts gave the same scores: the server ignores the "
            "prompt (check the tensor name prompt_embedding)");
    return adopt(p);
}

/* A language model's dialect has asked its trial questions itself. */
static void end_without_canaries(struct probe *p)
{
    const double *c = p->fresh.m.canary;
    bool soft = p->ep->adapter->soft_prompt && !p->plain;

    p->drift = fabs(c[soft ? 2 : 1] - c[0]);
    p->effect = soft ? fabs(c[1] - c[0]) : NAN;
    p->latency_us = p->query.latency_us;
    probe_end(p, adopt(p));
}

/* Next HTTP step, or the canaries when there is none left. */
static void next_step(struct probe *p)
{
    struct prov_http h = {0};
    struct bbt_err err = {0};
    enum bbt_rc rc = p->ep->adapter->probe_next(&p->fresh.m, p->step, &h, &err);

    prov_http_fini(&h);
    if (rc == BBT_OK) {
        start_call(p);
        return;
    }
    if (rc == BBT_NOTFOUND && (p->plain || p->ep->conf->kind != CONF_KSERVE2)) {
        end_without_canaries(p);
        return;
    }
    if (rc == BBT_NOTFOUND)
        rc = build_canary(p, &err);
    if (rc != BBT_OK) {
        p->err = err;
        p->reason = "provider";
        probe_end(p, rc);
        return;
    }
    p->state = PROBE_CANARY;
    start_call(p);
}

static void after_call(struct probe *p)
{
    if (p->drop) { /* also where the answer was in already when the wish came */
        probe_end(p, BBT_CANCELED);
        return;
    }
    if (p->query.rc != BBT_OK) {
        p->err = p->query.err;
        p->reason = p->query.reason;
        probe_end(p, p->query.rc);
        return;
    }
    if (p->state == PROBE_STEPS) {
        p->step++;
        next_step(p);
        return;
    }
    p->latency_us = p->query.latency_us;
    if (++p->canary < 3) {
        start_call(p);
        return;
    }
    p->reason = "provider";
    probe_end(p, judge_canaries(p, &p->err));
}

static void probe_step(struct op *op)
{
    struct probe *p = bbt_container(op, struct probe, op);

    switch (p->state) {
    case PROBE_TOK:
        if (!p->work.done)
            return;
        if (p->work.rc == BBT_OK)
            p->work.rc = take_matrix(p, &p->work.err);
        if (p->work.rc != BBT_OK || p->drop) {
            p->err = p->work.err;
            p->reason = "provider";
            probe_end(p, p->drop ? BBT_CANCELED : p->work.rc);
            return;
        }
        p->state = PROBE_STEPS;
        next_step(p);
        return;
    case PROBE_STEPS:
    case PROBE_CANARY:
        if (p->query.done)
            after_call(p);
        return;
    case PROBE_DONE:
        return;
    }
}

void probe_start(struct probe *p, struct turnq *q)
{
    op_init(&p->op, q, probe_step);
    p->q = q;
    p->rc = endpoint_model_init(&p->fresh, p->model->conf, &p->err);
    if (p->rc != BBT_OK) {
        probe_end(p, p->rc);
        return;
    }
    endpoint_flow(p->ep, &p->flow, 1);
    p->state = PROBE_TOK;
    p->work = (struct port_call){.run = run_tok, .wake = &p->op};
    port_work_run(&p->work);
}

void probe_drop(struct probe *p)
{
    p->drop = true;
    if (p->state == PROBE_STEPS || p->state == PROBE_CANARY)
        query_abort(&p->query);
}

void probe_fini(struct probe *p)
{
    query_fini(&p->query);
    prov_model_fini(&p->fresh.m);
    tok_free(p->tok);
    embmat_free(p->mat);
    bbt_free(p->prompt);
    bbt_free(p->ids);
    if (p->op.q)
        op_fini(&p->op);
    p->tok = NULL;
    p->mat = NULL;
    p->prompt = NULL;
    p->ids = NULL;
}
