/* api_provider.c -- providers: what is configured, what is known, and a probe on demand. */
#include "api.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "engine/ability.h"
#include "loop/loop.h"
#include "store/st_event.h"
#include "store/st_job.h"

#include <stdio.h>
#include <string.h>

static json_t *view_model(const struct endpoint_model *em)
{
    const struct prov_model *m = &em->m;

    return json_pack("{s:s, s:b, s:I, s:I, s:b, s:b, s:o, s:o, s:o}", "name",
        em->conf->name, "probed", (int)m->probed, "hidden", (json_int_t)m->hidden, "batch",
        (json_int_t)endpoint_model_rows(em), "binary", (int)m->use_binary, "embeddings",
        (int)m->has_embedding, "server", json_clean(m->server), "server_version",
        json_clean(m->server_version), "platform", json_clean(m->platform));
}

static json_t *view_limit(const struct quota *q, unsigned dim)
{
    if (q->cap[dim] == QUOTA_NEVER)
        return json_null();
    return json_pack("{s:I, s:I}", "allowed", (json_int_t)q->cap[dim], "used",
        (json_int_t)(q->log.sum[dim] + q->pending[dim]));
}

static json_t *view_quota(const struct channel *c)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "name", c->name, "concurrency",
        (json_int_t)c->lane.aimd.limit, "window", (json_int_t)c->lane.aimd.window,
        "in_flight", (json_int_t)c->lane.inflight, "requests_per_minute",
        view_limit(&c->lane.quota, SLIDE_REQUESTS), "tokens_per_minute",
        view_limit(&c->lane.quota, SLIDE_TOKENS));
}

static json_t *view_provider(const struct endpoint *e)
{
    static const char *const breakers[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF] = "half-open"};
    json_t *models = json_array(), *v;
    uint64_t now = port_now_us();

    for (size_t i = 0; i < e->models_nr; i++)
        json_add(&models, view_model(&e->models[i]));
    v = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o}",
        "apiVersion", "v1", "kind", "Provider", "name", e->conf->name, "dialect",
        e->adapter->name, "concurrency", (json_int_t)e->gate.limit, "window",
        (json_int_t)e->channel->lane.aimd.window, "in_flight",
        (json_int_t)e->gate.inflight, "sent", (json_int_t)e->sent, "answered",
        (json_int_t)e->answered, "failed", (json_int_t)e->failed, "state",
        endpoint_why(e, now), "trouble", json_clean(e->trouble ? e->trouble_text : ""),
        "models", models);
    json_put(&v, "quota", view_quota(e->channel));
    json_put(&v, "breaker", json_string(breakers[e->gate.breaker.state]));
    json_put(&v, "wait_seconds", json_real((double)endpoint_wait_us(e, now) / 1e6));
    json_put(&v, "paused",
        e->pause ? json_string(endpoint_wall_name(e->pause)) : json_null());
    json_put(&v, "pause_text", json_clean(e->pause_text));
    return v;
}

static struct endpoint *find(struct web_req *r, struct daemon *d)
{
    struct endpoint *e = engine_endpoint(d->engine, web_part(r, 0));

    if (!e)
        api_problem(r, BBT_NOTFOUND, "the configuration has no provider of this name");
    return e;
}

/* ---- shown ---- */

/* Trips through the store that a view waits for what was paused before a restart. The engine asks
 * for that first of all, so two are enough, unless the disk is ill. */
#define TRIPS_MAX 8

struct show_api {
    struct api a;
    struct endpoint *ep; /* NULL: all */
    unsigned trips;
};

static json_t *view_all(struct daemon *d)
{
    json_t *items = json_array();
    size_t n;
    struct endpoint *e = engine_endpoints(d->engine, &n);

    for (size_t i = 0; i < n; i++)
        json_add(&items, view_provider(&e[i]));
    return json_pack(
        "{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "ProviderList", "items", items);
}

static void run_trip(struct port_call *c, struct port_db *db)
{
    (void)c;
    (void)db;
}

static void show_step(struct op *op)
{
    struct show_api *s = bbt_container(op, struct show_api, a.op);

    if (s->trips && !s->a.call.done)
        return;
    if (!engine_loaded(s->a.d->engine) && s->trips < TRIPS_MAX) {
        s->trips++;
        s->a.call = (struct port_call){.run = run_trip, .wake = &s->a.op};
        port_db_run(&s->a.call);
        return;
    }
    s->a.json = s->ep ? view_provider(s->ep) : view_all(s->a.d);
    api_json(&s->a);
}

static void show(struct web_req *r, struct daemon *d, struct endpoint *e)
{
    struct show_api *s = (struct show_api *)(void *)api_new(r, d, sizeof *s);

    if (!s)
        return;
    s->ep = e;
    op_init(&s->a.op, loop_turnq(d->loop), show_step);
    op_wake(&s->a.op);
}

void api_providers_get(struct web_req *r, void *arg)
{
    show(r, arg, NULL);
}

void api_provider_get(struct web_req *r, void *arg)
{
    struct endpoint *e = find(r, arg);

    if (e)
        show(r, arg, e);
}

/* ---- pause, resume ---- */

struct pause_api {
    struct api a;
    struct endpoint *ep;
    struct rec_rest row;
    bool pause;
};

/* Is this job's provider the one of that name? */
static enum bbt_rc asks(
    struct store *s, int64_t job, const char *provider, bool *ret, struct bbt_err *err)
{
    struct rec_job row;
    char *text = NULL;
    json_t *spec = NULL;
    enum bbt_rc rc = store_job_get(s, job, &row, &text, err);

    if (rc == BBT_OK)
        rc = json_parse(text, strlen(text), "spec", &spec, err);
    *ret = rc == BBT_OK && strcmp(json_get_str(spec, "provider", ""), provider) == 0;
    json_decref(spec);
    bbt_free(text);
    return rc;
}

static enum bbt_rc queue_again(struct store *s, int64_t job, struct bbt_err *err)
{
    struct store_move m = {job, 1u << REC_PAUSED, REC_QUEUED, "slots",
        "its provider was resumed", port_wall_us()};
    struct rec_event e = {.job = job, .wall_us = m.wall_us, .kind = "queued"};
    enum bbt_rc rc = store_job_state(s, &m, err);

    (void)snprintf(e.text, sizeof e.text, "%s", m.detail);
    return rc == BBT_OK ? store_event_add(s, &e, NULL, err) : rc;
}

/* The jobs that its wall has paused go on with it. */
static enum bbt_rc wake_jobs(struct store *s, const char *provider, struct bbt_err *err)
{
    const struct store_filter paused = {.states = 1u << REC_PAUSED};
    struct rec_job *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_job_list(s, &paused, &rows, &n, err);

    for (size_t i = 0; rc == BBT_OK && i < n; i++) {
        bool its = false;

        if (strcmp(rows[i].reason, "quota") != 0 && strcmp(rows[i].reason, "auth") != 0)
            continue;
        rc = asks(s, rows[i].id, provider, &its, err);
        if (rc == BBT_OK && its)
            rc = queue_again(s, rows[i].id, err);
    }
    bbt_free(rows);
    return rc;
}

static void run_pause(struct port_call *c, struct port_db *db)
{
    struct pause_api *p = bbt_container(c, struct pause_api, a.call);

    BBT_KILLPOINT("provider-pause");
    c->rc = port_db_rest_put(db, &p->row, &c->err);
    if (c->rc == BBT_OK && !p->pause)
        c->rc = wake_jobs((struct store *)db, p->row.name, &c->err);
}

/* However it went: from now on the engine may write down what it knows. */
static void pause_over(struct api *a)
{
    struct pause_api *p = bbt_container(a, struct pause_api, a);

    p->ep->acting--;
    op_wake(p->ep->channel->alarm);
}

static void pause_then(struct api *a)
{
    struct pause_api *p = bbt_container(a, struct pause_api, a);
    bool was = p->ep->pause != ENDPOINT_FREE;

    BBT_KILLPOINT("provider-pause-kept");
    if (p->pause && !was)
        endpoint_pause(p->ep, ENDPOINT_USER, p->row.text);
    else if (!p->pause)
        endpoint_resume(p->ep);
    engine_poke(a->d->engine);
    port_changed(0); /* jobs were queued with it */
    a->json = view_provider(p->ep);
    json_put(&a->json, "changed", json_boolean(was != p->pause));
}

/* The store is told first, so that what is answered stands after a crash. */
static void pause_or_resume(struct web_req *r, void *arg, bool pause)
{
    struct endpoint *e = find(r, arg);
    json_t *body = e ? api_body(r) : NULL;
    struct pause_api *p =
        body ? (struct pause_api *)(void *)api_new(r, arg, sizeof *p) : NULL;

    if (p) {
        p->a.then = pause_then;
        p->a.free = pause_over;
        p->ep = e;
        e->acting++;
        p->pause = pause;
        (void)snprintf(p->row.name, sizeof p->row.name, "%s", e->conf->name);
        if (pause) { /* one that the server has caused stays what it is */
            (void)snprintf(p->row.reason, sizeof p->row.reason, "%s",
                endpoint_wall_name(e->pause));
            (void)snprintf(p->row.text, sizeof p->row.text, "%.200s",
                e->pause ? e->pause_text : json_get_str(body, "reason", ""));
        }
        api_db(&p->a, run_pause);
    }
    json_decref(body);
}

void api_provider_pause(struct web_req *r, void *arg)
{
    pause_or_resume(r, arg, true);
}

void api_provider_resume(struct web_req *r, void *arg)
{
    pause_or_resume(r, arg, false);
}

/* ---- test ---- */

struct test_api {
    struct api a;
    struct endpoint *ep;
    int64_t owner; /* user id of who asks */
    size_t at; /* model under test */
    bool last; /* no model after this one */
    struct probe probe;
    struct till_account account;
    json_t *models;
};

static void test_free(struct api *a)
{
    struct test_api *t = bbt_container(a, struct test_api, a);

    probe_fini(&t->probe);
    till_account_close(&t->account);
    json_decref(t->models);
}

static void test_end_soon(struct api *a)
{
    struct test_api *t = bbt_container(a, struct test_api, a);

    t->last = true;
    probe_drop(&t->probe);
}

static void next_model(struct test_api *t);

static json_t *view_abilities(const struct probe *p)
{
    struct ability a[ABILITY_MAX];
    size_t n = ability_list(p, a);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_add(&list, json_pack("{s:s, s:s, s:o}", "name", a[i].name, "is",
                            ability_is_name(a[i].is), "text", json_clean(a[i].text)));
    return list;
}

/* A model that fails its probe is a finding, not a failed request; but memory is ours. */
static void test_step(struct op *op)
{
    struct test_api *t = bbt_container(op, struct test_api, a.op);
    const struct probe *p = &t->probe;
    json_t *v;

    if (!p->done)
        return;
    if (p->rc == BBT_NOMEM) {
        api_fail(&t->a, p->rc, &p->err);
        return;
    }
    v = view_model(&t->ep->models[t->at]);
    json_put(&v, "abilities", view_abilities(p));
    json_put(&v, "ok", json_boolean(p->rc == BBT_OK));
    json_put(&v, "problem", json_clean(p->rc == BBT_OK ? "" : p->err.msg));
    json_put(&v, "soft_prompts",
        json_boolean(p->rc == BBT_OK && p->ep->adapter->soft_prompt));
    json_put(&v, "canary_drift", api_real(p->drift));
    json_put(&v, "canary_effect", api_real(p->effect));
    json_put(&v, "latency_ms", json_real((double)p->latency_us / 1e3));
    json_add(&t->models, v);
    probe_fini(&t->probe);
    till_account_close(&t->account);
    t->at++;
    next_model(t);
}

static void next_model(struct test_api *t)
{
    struct endpoint_model *m;

    if (t->at == t->ep->models_nr || t->last) {
        t->a.json = json_pack("{s:s, s:s, s:s, s:O}", "apiVersion", "v1", "kind",
            "ProviderTest", "name", t->ep->conf->name, "models", t->models);
        api_json(&t->a);
        return;
    }
    m = &t->ep->models[t->at];
    t->account = (struct till_account){.owner = t->owner,
        .provider = t->ep->conf->name,
        .model = m->conf->name,
        .tariff = &m->tariff,
        .impatient = true};
    till_account_open(&t->account, engine_purse(t->a.d->engine));
    t->probe = (struct probe){
        .ep = t->ep,
        .model = m,
        .tokenizer = m->conf->tokenizer,
        .compose = PROV_PREPEND,
        .at = PROV_AT_HIDDEN,
        .account = &t->account,
        .wake = &t->a.op,
    };
    probe_start(&t->probe, loop_turnq(t->a.d->loop));
}

void api_provider_test(struct web_req *r, void *arg)
{
    struct endpoint *e = find(r, arg);
    struct test_api *t;

    if (e && e->pause == ENDPOINT_USER) {
        api_problem(r, BBT_CONFLICT, "somebody has paused this provider: resume it first");
        return;
    }
    t = e ? (struct test_api *)(void *)api_new(r, arg, sizeof *t) : NULL;
    if (!t)
        return;
    engine_release(t->a.d->engine);
    t->a.free = test_free;
    t->a.drop = test_end_soon;
    t->ep = e;
    t->owner = web_peer_uid(r);
    t->models = json_array();
    op_init(&t->a.op, loop_turnq(t->a.d->loop), test_step);
    next_model(t);
}
