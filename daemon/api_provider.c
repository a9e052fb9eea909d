/* api_provider.c -- providers: what is configured, what is known, and a probe on demand. */
#include "api.h"

#include "base/alloc.h"
#include "loop/loop.h"

#include <string.h>

static json_t *view_model(const struct endpoint_model *em)
{
    const struct prov_model *m = &em->m;

    return json_pack("{s:s, s:b, s:I, s:I, s:b, s:b, s:s, s:s, s:s}", "name",
        em->conf->name, "probed", (int)m->probed, "hidden", (json_int_t)m->hidden, "batch",
        (json_int_t)m->batch_max, "binary", (int)m->use_binary, "embeddings",
        (int)m->has_embedding, "server", m->server, "server_version", m->server_version,
        "platform", m->platform);
}

static json_t *view_provider(const struct endpoint *e)
{
    json_t *models = json_array();

    for (size_t i = 0; i < e->models_nr; i++)
        (void)json_array_append_new(models, view_model(&e->models[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:o}",
        "apiVersion", "v1", "kind", "Provider", "name", e->conf->name, "dialect",
        e->adapter->name, "concurrency", (json_int_t)e->lane.limit, "window",
        (json_int_t)e->lane.window, "in_flight", (json_int_t)e->lane.inflight, "sent",
        (json_int_t)e->sent, "answered", (json_int_t)e->answered, "failed",
        (json_int_t)e->failed, "state", endpoint_why(e, port_now_us()), "trouble",
        e->trouble ? e->trouble_text : "", "models", models);
}

void api_providers_get(struct web_req *r, void *arg)
{
    struct daemon *d = arg;
    json_t *items = json_array();
    size_t n;
    struct endpoint *e = engine_endpoints(d->engine, &n);

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(items, view_provider(&e[i]));
    api_reply(r, 200, json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind",
                          "ProviderList", "items", items));
}

static struct endpoint *find(struct web_req *r, struct daemon *d)
{
    struct endpoint *e = engine_endpoint(d->engine, web_part(r, 0));

    if (!e)
        api_problem(r, BBT_NOTFOUND, "the configuration has no provider of this name");
    return e;
}

void api_provider_get(struct web_req *r, void *arg)
{
    struct endpoint *e = find(r, arg);

    if (e)
        api_reply(r, 200, view_provider(e));
}

/* ---- test ---- */

struct test_api {
    struct api a;
    struct endpoint *ep;
    size_t at; /* model under test */
    bool last; /* no model after this one */
    struct probe probe;
    json_t *models;
};

static void test_free(struct api *a)
{
    struct test_api *t = bbt_container(a, struct test_api, a);

    probe_fini(&t->probe);
    json_decref(t->models);
}

static void test_end_soon(struct api *a)
{
    struct test_api *t = bbt_container(a, struct test_api, a);

    t->last = true;
    probe_drop(&t->probe);
}

static void next_model(struct test_api *t);

/* A model that fails its probe is a finding, not a failed request. */
static void test_step(struct op *op)
{
    struct test_api *t = bbt_container(op, struct test_api, a.op);
    const struct probe *p = &t->probe;
    json_t *v;

    if (!p->done)
        return;
    v = view_model(&t->ep->models[t->at]);
    (void)json_object_set_new(v, "ok", json_boolean(p->rc == BBT_OK));
    (void)json_object_set_new(v, "problem", json_string(p->rc == BBT_OK ? "" : p->err.msg));
    (void)json_object_set_new(v, "soft_prompts", json_boolean(p->rc == BBT_OK));
    (void)json_object_set_new(v, "canary_drift", api_real(p->drift));
    (void)json_object_set_new(v, "canary_effect", api_real(p->effect));
    (void)json_object_set_new(v, "latency_ms", json_real((double)p->latency_us / 1e3));
    (void)json_array_append_new(t->models, v);
    probe_fini(&t->probe);
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
    t->probe = (struct probe){
        .ep = t->ep,
        .model = m,
        .tokenizer = m->conf->tokenizer,
        .compose = PROV_PREPEND,
        .at = PROV_AT_HIDDEN,
        .wake = &t->a.op,
    };
    probe_start(&t->probe, loop_turnq(t->a.d->loop));
}

void api_provider_test(struct web_req *r, void *arg)
{
    struct endpoint *e = find(r, arg);
    struct test_api *t = e ? (struct test_api *)(void *)api_new(r, arg, sizeof *t) : NULL;

    if (!t)
        return;
    engine_release(t->a.d->engine);
    t->a.free = test_free;
    t->a.drop = test_end_soon;
    t->ep = e;
    t->models = json_array();
    op_init(&t->a.op, loop_turnq(t->a.d->loop), test_step);
    next_model(t);
}
