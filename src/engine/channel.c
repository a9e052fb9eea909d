#include "engine/channel.h"

#include "engine/endpoint.h"
#include "engine/ports.h"
#include "engine/query.h"
#include "prov/limits.h"

#include <stdio.h>

static struct quota_limits limits_of(const struct conf_quota *q)
{
    struct quota_limits l = {.headroom = 0.01, .honour = true};

    if (q) {
        l.per_minute[SLIDE_REQUESTS] = q->requests_per_minute;
        l.per_minute[SLIDE_TOKENS] = q->tokens_per_minute;
        l.headroom = q->headroom;
        l.honour = q->honour_headers;
    }
    return l;
}

static size_t width_of(
    const struct conf_quota *q, const struct conf_provider *p, size_t concurrency)
{
    if (q)
        return q->concurrency ? (size_t)q->concurrency : concurrency;
    return (size_t)p->concurrency;
}

/* What waits for a provider that needs a person ends here, all at once. */
static void evict(struct channel *c)
{
    struct sched_item *item;

    for (struct endpoint *e = c->endpoints; e; e = e->next)
        while (e->wall && (item = sched_evict(&c->lane, &e->gate)))
            query_wall(item->user);
}

/* Hands out turns until the lane says "not now", and remembers until when. */
static void kick_step(struct op *op)
{
    struct channel *c = bbt_container(op, struct channel, kick);
    uint64_t now = port_now_us(), wake = SCHED_NEVER;
    struct sched_item *item;

    evict(c);
    for (struct endpoint *e = c->endpoints; e; e = e->next)
        endpoint_look_at_clock(e);
    while ((item = sched_next(&c->lane, now, &wake)))
        query_grant(item->user);
    if (wake != c->wake_us) {
        c->wake_us = wake;
        op_wake(c->alarm);
    }
}

void channel_init(struct channel *c, const struct conf_quota *quota,
    const struct conf_provider *p, size_t concurrency, struct turnq *q, struct op *alarm)
{
    struct quota_limits l = limits_of(quota);

    (void)snprintf(c->name, sizeof c->name, "%s%s", quota ? "" : "@",
        quota ? quota->name : p->name);
    sched_lane_init(
        &c->lane, &l, width_of(quota, p, concurrency), quota && !quota->adaptive);
    op_init(&c->kick, q, kick_step);
    c->alarm = alarm;
    c->wake_us = SCHED_NEVER;
    c->endpoints = NULL;
}

void channel_fini(struct channel *c)
{
    if (c->kick.q)
        op_fini(&c->kick);
}

void channel_limit(struct channel *c, const struct conf_quota *quota,
    const struct conf_provider *p, size_t concurrency)
{
    struct quota_limits l = limits_of(quota);

    quota_limit(&c->lane.quota, &l);
    aimd_limit(&c->lane.aimd, width_of(quota, p, concurrency), quota && !quota->adaptive);
    channel_kick(c);
}

/* By the minute. Limits of longer times than a minute only count once nothing of them is left. */
static void learn(struct channel *c, unsigned dim, const struct limits_dim *d)
{
    uint64_t window = d->window_us ? d->window_us : QUOTA_MINUTE_US;
    struct quota_seen seen = {
        .has_limit = d->limit_known && window <= QUOTA_MINUTE_US,
        .has_remaining =
            d->remaining_known && (window == QUOTA_MINUTE_US || d->remaining == 0),
        .remaining = d->remaining,
        .reset_us = d->reset_known ? d->reset_us : 0,
    };

    if (!d->known)
        return;
    if (seen.has_limit)
        seen.limit = d->limit > UINT32_MAX ? d->limit : d->limit * (QUOTA_MINUTE_US / window);
    quota_learn(&c->lane.quota, dim, &seen, port_now_us());
}

void channel_learn(struct channel *c, const struct prov_reply *r)
{
    struct limits l;

    limits_read(r, port_wall_us(), &l);
    learn(c, SLIDE_REQUESTS, &l.requests);
    learn(c, SLIDE_TOKENS, &l.tokens);
}

void channel_kick(struct channel *c)
{
    op_wake(&c->kick);
}

uint64_t channel_alarm(struct channel *c, uint64_t now_us)
{
    if (c->wake_us > now_us)
        return c->wake_us;
    c->wake_us = SCHED_NEVER;
    op_wake(&c->kick);
    return SCHED_NEVER;
}
