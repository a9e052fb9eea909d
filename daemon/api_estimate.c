/* api_estimate.c -- what a job would take: counts, price, time, and whether its limits are
 * enough. Nothing is submitted. */
#include "api.h"

#include "base/money.h"

#include <stdio.h>

#define FEW 50 /* generations: fewer seldom tell a search from chance */

/* Nothing but time or score ends it. */
static bool is_open(const struct plan *p)
{
    return p->search && p->generations == 0;
}

static json_t *view_sum(const struct plan_sum *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "evaluations", (json_int_t)s->evaluations,
        "examples", (json_int_t)s->examples, "requests", (json_int_t)s->requests, "tokens_in",
        (json_int_t)s->tokens_in, "tokens_out", (json_int_t)s->tokens_out);
}

/* The cheapest of each rate over all hours. */
static struct price_rate cheapest(const struct tariff *t)
{
    struct price_rate r = t->usual;

    for (size_t i = 0; i < t->hours_nr; i++) {
        const struct price_rate *h = &t->hours[i].rate;

        r.in = h->in < r.in ? h->in : r.in;
        r.out = h->out < r.out ? h->out : r.out;
        r.request = h->request < r.request ? h->request : r.request;
    }
    return r;
}

static json_t *view_price(
    const struct conf_model *m, const struct tariff *t, const struct plan *p)
{
    struct price_rate low = cheapest(t);
    bool open = is_open(p);

    if (!t->known)
        return json_null();
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}", "currency", "USD", "free",
        (int)m->price.free, "as_of", m->price.as_of ? json_string(m->price.as_of) : json_null(),
        "per_generation", api_money(plan_cost(&t->worst, &p->generation)), "low",
        open ? json_null() : api_money(plan_cost(&low, &p->whole)), "high",
        open ? json_null() : api_money(plan_cost(&t->worst, &p->whole)));
}

static void add_limit(json_t **to, const char *name, json_t *limit, bool set, bool ok)
{
    if (set)
        json_put(to, name, json_pack("{s:o, s:b}", "limit", limit, "ok", (int)ok));
    else
        json_decref(limit);
}

static json_t *view_limits(
    const struct job_spec *s, const struct tariff *t, const struct plan *p)
{
    const struct plan_sum *w = &p->whole;
    bool open = is_open(p);
    json_t *v = json_object();

    add_limit(&v, "requests", json_integer((json_int_t)s->limits.requests),
        s->limits.requests != 0, !open && w->requests <= s->limits.requests);
    add_limit(&v, "tokens", json_integer((json_int_t)s->limits.tokens), s->limits.tokens != 0,
        !open && w->tokens_in + w->tokens_out <= s->limits.tokens);
    add_limit(&v, "usd", api_money(s->limits.usd), s->limits.usd != MONEY_NONE,
        !open && plan_cost(&t->worst, w) <= s->limits.usd);
    return v;
}

static json_t *view_warnings(
    const struct job_spec *s, const struct plan *p, uint64_t fits, const struct tariff *t)
{
    json_t *list = json_array();
    char text[240];
    uint64_t gens = p->generations && p->generations < fits ? p->generations : fits;

    if (p->estimated)
        json_add(&list, json_string("tokens are a guess: only the server can count them"));
    if (!p->search)
        fits = gens = UINT64_MAX;
    if (fits != UINT64_MAX && (!p->generations || fits < p->generations)) {
        (void)snprintf(text, sizeof text,
            "the limits end it after about %llu generations (limits.on_limit: %s)",
            (unsigned long long)fits,
            s->limits.on_limit == JOB_LIMIT_FINISH ? "finish" : "pause");
        json_add(&list, json_string(text));
    }
    if (gens < FEW) {
        (void)snprintf(text, sizeof text,
            "%llu generations are few: below about %d a search can hardly be told from chance",
            (unsigned long long)gens, FEW);
        json_add(&list, json_string(text));
    }
    if (!t->known)
        json_add(&list, json_string("nobody knows what this model costs: the configuration has "
                                    "no price for it"));
    return list;
}

/* Jobs that share the provider's limits now. */
static size_t jobs_beside(const struct daemon *d, const struct endpoint *e)
{
    return engine_sharing(d->engine, e->channel);
}

static double seconds(uint64_t n, uint64_t per_minute)
{
    return per_minute ? (double)n * 60.0 / (double)per_minute : 0.0;
}

/* By the limits in force; null where there are none, and the provider's pace decides. */
static json_t *view_time(
    const struct daemon *d, const struct endpoint *e, const struct plan *p)
{
    const struct quota *q = &e->channel->lane.quota;
    uint64_t rpm = q->cap[SLIDE_REQUESTS] == QUOTA_NEVER ? 0 : q->cap[SLIDE_REQUESTS],
             tpm = q->cap[SLIDE_TOKENS] == QUOTA_NEVER ? 0 : q->cap[SLIDE_TOKENS];
    double alone = seconds(p->whole.requests, rpm),
           tokens = seconds(p->whole.tokens_in + p->whole.tokens_out, tpm);
    size_t others = jobs_beside(d, e);

    if ((!rpm && !tpm) || is_open(p))
        return json_null();
    alone = tokens > alone ? tokens : alone;
    return json_pack("{s:I, s:I, s:f, s:f, s:I}", "requests_per_minute", (json_int_t)rpm,
        "tokens_per_minute", (json_int_t)tpm, "alone_seconds", alone, "now_seconds",
        alone * (double)(others + 1), "others", (json_int_t)others);
}

/* As in the job file; null where it may run at any time. */
static json_t *view_schedule(const struct job_spec *s)
{
    json_t *spec = job_spec_print(s), *v = json_object_get(spec, "schedule");

    if (spec)
        v = v ? json_incref(v) : json_null();
    json_decref(spec);
    return v;
}

json_t *api_view_estimate(struct daemon *d, const struct job_spec *s, const struct plan *p)
{
    struct endpoint *e = engine_endpoint(d->engine, s->provider);
    struct endpoint_model *m = e ? endpoint_model(e, s->model) : NULL;
    uint64_t fits;
    json_t *v;

    if (!m) /* checked before */
        return NULL;
    fits = plan_fits(p, s, &m->tariff.worst);
    v = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
        "apiVersion", "v1", "kind", "Estimate", "valid", 1, "name", s->name, "provider",
        s->provider, "model", s->model, "generations", (json_int_t)p->generations, "popsize",
        (json_int_t)p->popsize, "per_generation", view_sum(&p->generation), "whole",
        is_open(p) ? json_null() : view_sum(&p->whole), "price",
        view_price(m->conf, &m->tariff, p), "limits", view_limits(s, &m->tariff, p), "today",
        api_view_today(d->engine), "warnings", view_warnings(s, p, fits, &m->tariff));
    json_put(&v, "generations_in_limits",
        fits == UINT64_MAX ? json_null() : json_integer((json_int_t)fits));
    json_put(&v, "train_examples", json_integer((json_int_t)p->train_examples));
    json_put(&v, "tokens_estimated", json_boolean(p->estimated));
    json_put(&v, "time", view_time(d, e, p));
    json_put(&v, "schedule", view_schedule(s));
    return v;
}
