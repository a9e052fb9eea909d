#include "engine/endpoint.h"

#include "base/alloc.h"
#include "engine/query.h"
#include "engine/ports.h"
#include "num/embmat.h"

#include <string.h>

/* Hands out turns until the lane says "not now", and remembers until when. */
static void kick_step(struct op *op)
{
    struct endpoint *e = bbt_container(op, struct endpoint, kick);
    uint64_t now = port_now_us(), wake = SCHED_NEVER;
    struct sched_item *item;

    while ((item = sched_next(&e->lane, now, &wake)))
        query_grant(item->user);
    if (wake != e->wake_us) {
        e->wake_us = wake;
        op_wake(e->alarm);
    }
}

/* Text names of the job file's parameters keep their type where they look like a number or
 * a truth value: {"scale": "2"} means the number. */
static json_t *param_value(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);

    if (json_is_number(v) || json_is_boolean(v))
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
    return set_params(m, &c->parameters, err);
}

static const struct prov_adapter *adapter_of(const struct conf_provider *c)
{
    return prov_adapter_find(c->kind == CONF_VLLM && c->mode == CONF_EMBEDS
            ? "vllm-embeds"
            : conf_kind_name(c->kind));
}

enum bbt_rc endpoint_init(struct endpoint *e, const struct conf_provider *conf,
    struct turnq *q, struct op *alarm, struct bbt_err *err)
{
    const struct conf_model *models = conf->models.item;
    enum bbt_rc rc = BBT_OK;

    *e = (struct endpoint){.conf = conf, .alarm = alarm, .wake_us = SCHED_NEVER};
    e->adapter = adapter_of(conf);
    sched_lane_init(&e->lane, (size_t)conf->concurrency);
    op_init(&e->kick, q, kick_step);
    e->models = bbt_calloc(conf->models.nr, sizeof *e->models);
    if (!e->models)
        return bbt_fail(err, BBT_NOMEM, "no memory for provider %s", conf->name);
    e->models_nr = conf->models.nr;
    for (size_t i = 0; i < e->models_nr && rc == BBT_OK; i++)
        rc = endpoint_model_init(&e->models[i], &models[i], err);
    return rc == BBT_OK ? rc : bbt_err_ctx(err, "provider %s", conf->name);
}

void endpoint_fini(struct endpoint *e)
{
    for (size_t i = 0; i < e->models_nr; i++) {
        prov_model_fini(&e->models[i].m);
        embmat_free(e->models[i].mat);
    }
    bbt_free(e->models);
    if (e->kick.q)
        op_fini(&e->kick);
    *e = (struct endpoint){0};
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

const char *endpoint_why(const struct endpoint *e, uint64_t now_us)
{
    if (e->lane.hold_until > now_us)
        return "rate_limit";
    if (e->trouble && e->lane.failed >= 3)
        return "outage";
    if (e->trouble)
        return "retrying";
    if (e->lane.queued > 0 && e->lane.inflight >= e->lane.window)
        return "concurrency";
    return "working";
}
