#include "engine/endpoint.h"

#include "base/alloc.h"
#include "engine/ports.h"
#include "num/embmat.h"
#include "prov/verdict.h"

#include <stdio.h>
#include <string.h>

/* A rest of more than AWAY_US, or failures without a good answer for TROUBLE_US: whoever can goes
 * elsewhere, and TROUBLE_US after the last failure it is worth another try. */
#define AWAY_US 60000000u
#define TROUBLE_US 30000000u

/* Text names of the job file's parameters keep their type where they look like a number or
 * a truth value: {"scale": "2"} means the number. NULL without memory. */
static json_t *param_value(const char *text)
{
    json_t *v = NULL;
    enum bbt_rc rc = json_parse(text, strlen(text), "a parameter", &v, NULL);

    if (rc == BBT_NOMEM || json_is_number(v) || json_is_boolean(v))
        return v;
    json_decref(v);
    return json_string(text);
}

static enum bbt_rc set_params(
    struct prov_model *m, const struct key_pairs *pairs, struct bbt_err *err)
{
    json_t *obj;
    enum bbt_rc rc;

    if (pairs->nr == 0)
        return BBT_OK;
    obj = json_object();
    for (size_t i = 0; obj && i < pairs->nr; i++)
        if (json_object_set_new(
                obj, pairs->item[i].name, param_value(pairs->item[i].value)) != 0) {
            json_decref(obj);
            obj = NULL;
        }
    if (!obj)
        return bbt_fail(err, BBT_NOMEM, "no memory for a model's parameters");
    rc = prov_model_params(m, obj, err);
    json_decref(obj);
    return rc;
}

static enum bbt_rc put_name(
    char *to, size_t room, const char *from, const char *what, struct bbt_err *err)
{
    if (!from)
        return BBT_OK;
    if (strlen(from) >= room)
        return bbt_fail(err, BBT_INVALID, "%s \"%s\" is longer than %zu bytes", what, from,
            room - 1);
    memcpy(to, from, strlen(from) + 1);
    return BBT_OK;
}

enum bbt_rc endpoint_model_init(
    struct endpoint_model *em, const struct conf_model *c, struct bbt_err *err)
{
    struct prov_model *m = &em->m;
    struct {
        char *to;
        size_t room;
        const char *from, *what;
    } names[] = {
        {m->name, sizeof m->name, c->name, "model name"},
        {m->version, sizeof m->version, c->version, "model version"},
        {m->tensor.input_ids, PROV_TENSOR_MAX, c->tensors.input_ids, "tensor name"},
        {m->tensor.attention_mask, PROV_TENSOR_MAX, c->tensors.attention_mask,
            "tensor name"},
        {m->tensor.prompt_embedding, PROV_TENSOR_MAX, c->tensors.prompt_embedding,
            "tensor name"},
        {m->tensor.mask_pos, PROV_TENSOR_MAX, c->tensors.mask_pos, "tensor name"},
        {m->tensor.label_ids, PROV_TENSOR_MAX, c->tensors.label_ids, "tensor name"},
        {m->tensor.logits, PROV_TENSOR_MAX, c->tensors.logits, "tensor name"},
    };
    static const enum prov_binary binary[] = {
        [CONF_BINARY_AUTO] = PROV_BINARY_AUTO,
        [CONF_BINARY_ON] = PROV_BINARY_ON,
        [CONF_BINARY_OFF] = PROV_BINARY_OFF,
    };

    em->conf = c;
    prov_model_init(m);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum bbt_rc rc =
            put_name(names[i].to, names[i].room, names[i].from, names[i].what, err);

        if (rc != BBT_OK)
            return rc;
    }
    m->binary = binary[c->binary];
    m->hidden = (size_t)c->hidden;
    m->batch_max = (size_t)c->batch;
    m->top = (size_t)c->top;
    m->bos_id = (int32_t)c->bos_id;
    m->slot_id = (int32_t)c->slot_id;
    m->vocab = (size_t)c->vocab_size;
    return set_params(m, &c->parameters, err);
}

void endpoint_model_shrink(struct endpoint_model *em, size_t rows)
{
    size_t half = rows / 2 + rows % 2;

    if (!em->rows_max || half < em->rows_max)
        em->rows_max = half;
}

size_t endpoint_model_rows(const struct endpoint_model *em)
{
    bool less = em->rows_max && (!em->m.batch_max || em->rows_max < em->m.batch_max);

    return less ? em->rows_max : em->m.batch_max;
}

static const struct prov_adapter *adapter_of(const struct conf_provider *c)
{
    return prov_adapter_find(c->kind == CONF_VLLM && c->mode == CONF_EMBEDS
            ? "vllm-embeds"
            : conf_kind_name(c->kind));
}

static struct breaker_conf breaker_of(const struct conf_breaker *b)
{
    return (struct breaker_conf){
        b->window_us, b->min_requests, b->failure_ratio, b->open_us, b->open_cap_us};
}

enum bbt_rc endpoint_init(struct endpoint *e, const struct conf_provider *conf,
    struct channel *channel, const char *zone, struct bbt_err *err)
{
    const struct breaker_conf breaker = breaker_of(&conf->breaker);
    const struct conf_model *models = conf->models.item;
    enum bbt_rc rc = BBT_OK;

    *e = (struct endpoint){.conf = conf, .channel = channel, .next = channel->endpoints};
    e->adapter = adapter_of(conf);
    gate_init(&e->gate, (size_t)conf->concurrency, &breaker);
    e->models = bbt_calloc(conf->models.nr, sizeof *e->models);
    if (!e->models)
        return bbt_fail(err, BBT_NOMEM, "no memory for provider %s", conf->name);
    e->models_nr = conf->models.nr;
    for (size_t i = 0; i < e->models_nr && rc == BBT_OK; i++)
        rc = endpoint_model_init(&e->models[i], &models[i], err);
    if (rc == BBT_OK)
        rc = agenda_init(&e->agenda, &conf->maintenance, &conf->windows, zone, err);
    if (rc != BBT_OK)
        return bbt_err_ctx(err, "provider %s", conf->name);
    channel->endpoints = e;
    return BBT_OK;
}

enum bbt_rc endpoint_price(
    struct endpoint *e, const struct zone *zone, struct bbt_err *err)
{
    for (size_t i = 0; i < e->models_nr; i++) {
        enum bbt_rc rc =
            tariff_init(&e->models[i].tariff, &e->models[i].conf->price, zone, err);

        if (rc != BBT_OK)
            return bbt_err_ctx(err, "price of model %s of provider %s",
                e->models[i].conf->name, e->conf->name);
    }
    return BBT_OK;
}

void endpoint_fini(struct endpoint *e)
{
    for (size_t i = 0; i < e->models_nr; i++) {
        prov_model_fini(&e->models[i].m);
        embmat_free(e->models[i].mat);
        tariff_fini(&e->models[i].tariff);
    }
    bbt_free(e->models);
    agenda_fini(&e->agenda);
    *e = (struct endpoint){0};
}

void endpoint_limit(struct endpoint *e)
{
    e->gate.limit = (size_t)e->conf->concurrency;
    e->gate.breaker.conf = breaker_of(&e->conf->breaker);
    channel_kick(e->channel);
}

struct endpoint *endpoint_find(struct endpoint *e, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(e[i].conf->name, name) == 0)
            return &e[i];
    return NULL;
}

struct endpoint_model *endpoint_model(struct endpoint *e, const char *name)
{
    for (size_t i = 0; i < e->models_nr; i++)
        if (strcmp(e->models[i].conf->name, name) == 0)
            return &e->models[i];
    return NULL;
}

struct like *endpoint_like(
    struct endpoint_model *m, enum prov_compose compose, enum prov_at at)
{
    unsigned form = (compose == PROV_PREPEND) * 2u + (at == PROV_AT_EMBEDDING);

    return &m->like[form];
}

void endpoint_flow(struct endpoint *e, struct sched_flow *flow, unsigned weight)
{
    sched_flow_init(flow, &e->channel->lane, &e->gate, weight);
}

void endpoint_look_at_clock(struct endpoint *e)
{
    uint64_t closed = agenda_closed_us(&e->agenda, port_wall_us()), now = port_now_us();

    e->gate.closed_until = closed == AGENDA_NEVER ? UINT64_MAX : closed ? now + closed : 0;
}

bool endpoint_shut(const struct endpoint *e, const struct sched_item *item, uint64_t now_us)
{
    const struct gate *g = &e->gate;

    return g->paused || e->channel->lane.hold_until > now_us || g->hold_until > now_us ||
        g->closed_until > now_us || (g->breaker.state != BREAKER_CLOSED && !item->probe);
}

void endpoint_hold(struct endpoint *e, uint64_t wait_us, bool whole_limit)
{
    uint64_t until = port_now_us() + wait_us;

    if (whole_limit)
        sched_hold(&e->channel->lane, until);
    else
        gate_hold(&e->gate, until);
    if (whole_limit)
        e->channel->changed++;
    else
        e->changed++;
    channel_kick(e->channel);
    op_wake(e->channel->alarm); /* to be kept */
}

void endpoint_pause(struct endpoint *e, enum endpoint_wall why, const char *text)
{
    e->pause = why;
    e->wall = why != ENDPOINT_USER;
    e->gate.paused = true;
    (void)snprintf(e->pause_text, sizeof e->pause_text, "%.*s",
        (int)sizeof e->pause_text - 1, text);
    e->changed++;
    channel_kick(e->channel);
    op_wake(e->channel->alarm);
}

void endpoint_resume(struct endpoint *e)
{
    uint64_t far = port_now_us() + VERDICT_HINT_MAX_US;

    e->pause = ENDPOINT_FREE;
    e->wall = false;
    e->pause_text[0] = '\0';
    e->trouble_us = e->failed_us = port_now_us();
    e->gate.paused = false;
    if (e->gate.hold_until > far)
        e->gate.hold_until = 0;
    if (e->channel->lane.hold_until > far)
        sched_release(&e->channel->lane);
    breaker_reset(&e->gate.breaker);
    sched_hurry(&e->channel->lane, &e->gate);
    e->changed++;
    e->channel->changed++;
    channel_kick(e->channel);
    op_wake(e->channel->alarm);
}

const char *endpoint_wall_name(enum endpoint_wall w)
{
    return w == ENDPOINT_AUTH ? "auth" : w == ENDPOINT_QUOTA ? "quota" : "user";
}

const char *endpoint_why(const struct endpoint *e, uint64_t now_us)
{
    const struct sched_lane *lane = &e->channel->lane;

    if (e->pause)
        return "provider_paused";
    if (lane->hold_until > now_us || e->gate.hold_until > now_us)
        return "rate_limit";
    if (e->gate.closed_until > now_us)
        return "window";
    if (e->gate.breaker.state != BREAKER_CLOSED ||
        (e->trouble && e->gate.breaker.row >= 3))
        return "outage";
    if (e->trouble)
        return "retrying";
    if (lane->queued == 0)
        return "working";
    if (lane->block == SCHED_IS_RATE)
        return "rate_limit";
    if (lane->block == SCHED_IS_FULL || e->gate.inflight >= e->gate.limit)
        return "concurrency";
    return "working";
}

bool endpoint_away(const struct endpoint *e, uint64_t now_us)
{
    const struct gate *g = &e->gate;
    uint64_t rest = now_us + AWAY_US;

    if (e->pause || e->channel->lane.hold_until > rest || g->hold_until > rest ||
        g->closed_until > rest)
        return true;
    if (g->breaker.state == BREAKER_OPEN)
        return g->breaker.open_until > now_us;
    if (g->breaker.state == BREAKER_HALF)
        return false; /* one request tries it just now: whoever leaves would cut it off */
    return e->trouble && e->failed_us - e->trouble_us >= TROUBLE_US &&
        now_us - e->failed_us < TROUBLE_US;
}

void endpoint_trouble(struct endpoint *e, const char *outcome, const char *text)
{
    e->failed++;
    e->failed_us = port_now_us();
    if (!e->trouble)
        e->trouble_us = e->failed_us;
    e->trouble = outcome;
    (void)snprintf(e->trouble_text, sizeof e->trouble_text, "%.*s",
        (int)sizeof e->trouble_text - 1, text);
    op_wake(e->channel->alarm); /* somebody may want to go elsewhere */
}

uint64_t endpoint_wait_us(const struct endpoint *e, uint64_t now_us)
{
    const struct sched_lane *lane = &e->channel->lane;
    uint64_t until = lane->hold_until;

    if (e->pause)
        return 0;
    if (e->gate.hold_until > until)
        until = e->gate.hold_until;
    if (e->gate.closed_until > until)
        until = e->gate.closed_until;
    if (e->gate.breaker.state == BREAKER_OPEN && e->gate.breaker.open_until > until)
        until = e->gate.breaker.open_until;
    if (lane->queued && lane->block == SCHED_IS_RATE && e->channel->wake_us != SCHED_NEVER &&
        e->channel->wake_us > until)
        until = e->channel->wake_us;
    return until > now_us ? until - now_us : 0;
}
