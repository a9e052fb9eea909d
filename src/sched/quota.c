#include "sched/quota.h"

#include <assert.h>

/* The pace is the limit's own, since many vendors' limiters are leaky buckets that take no
 * faster one for long; the log is what is strict in any window. So much time's worth makes up
 * for pauses, and is what an idle quota lets through at once. */
#define PACE_BURST_US 1000000u

static uint64_t amount_of(unsigned dim, uint64_t tokens)
{
    return dim == SLIDE_REQUESTS ? 1 : tokens;
}

static void set_caps(struct quota *q)
{
    for (unsigned d = 0; d < SLIDE_DIMS; d++) {
        uint64_t limit = q->limits.per_minute[d];
        double share = 1 - q->limits.headroom;

        if (q->limits.honour && q->learned[d] && (!limit || q->learned[d] < limit))
            limit = q->learned[d];
        q->cap[d] = limit ? (uint64_t)((double)limit * share + 1e-6) : QUOTA_NEVER;
        if (q->cap[d] == 0)
            q->cap[d] = 1; /* one request a minute stays one */
    }
}

void quota_init(struct quota *q, const struct quota_limits *limits)
{
    q->limits = *limits;
    for (unsigned d = 0; d < SLIDE_DIMS; d++) {
        q->learned[d] = q->pending[d] = q->pace_us[d] = 0;
        q->foreign[d].amount = q->foreign[d].until_us = 0;
    }
    slide_init(&q->log, QUOTA_MINUTE_US, QUOTA_JITTER_US);
    set_caps(q);
}

void quota_limit(struct quota *q, const struct quota_limits *limits)
{
    q->limits = *limits;
    set_caps(q);
}

bool quota_limited(const struct quota *q)
{
    return q->cap[SLIDE_REQUESTS] != QUOTA_NEVER || q->cap[SLIDE_TOKENS] != QUOTA_NEVER;
}

bool quota_fits(const struct quota *q, uint64_t tokens)
{
    return q->cap[SLIDE_REQUESTS] >= 1 && tokens <= q->cap[SLIDE_TOKENS];
}

/* By one limit alone. */
static uint64_t when(struct quota *q, unsigned d, uint64_t amount, uint64_t now)
{
    uint64_t cap = q->cap[d], used = q->pending[d], at, again;

    if (cap == QUOTA_NEVER)
        return now;
    if (amount > cap)
        return QUOTA_NEVER;
    if (used + amount > cap)
        return QUOTA_NEVER; /* until a reservation is sent or comes back */
    at = slide_when(&q->log, d, cap - used - amount, now);
    if (q->foreign[d].until_us > at) {
        used += q->foreign[d].amount;
        again = used + amount > cap ? QUOTA_NEVER
                                    : slide_when(&q->log, d, cap - used - amount, now);
        at = again < q->foreign[d].until_us ? again : q->foreign[d].until_us;
    }
    return at > q->pace_us[d] ? at : q->pace_us[d];
}

uint64_t quota_when(struct quota *q, uint64_t tokens, uint64_t now)
{
    uint64_t at = now;

    slide_expire(&q->log, now);
    for (unsigned d = 0; d < SLIDE_DIMS; d++) {
        uint64_t t = when(q, d, amount_of(d, tokens), now);

        at = t > at ? t : at;
    }
    return at;
}

/* So long one such request is, by the pace. */
static uint64_t length(const struct quota *q, unsigned d, uint64_t amount)
{
    return (uint64_t)((unsigned __int128)amount * QUOTA_MINUTE_US / q->cap[d]);
}

/* Generic cell rate: each request pushes the next one's time on by its own length. */
static void pace(struct quota *q, unsigned d, uint64_t amount, uint64_t now)
{
    uint64_t from = now > PACE_BURST_US ? now - PACE_BURST_US : 0;

    if (q->cap[d] == QUOTA_NEVER)
        return;
    if (q->pace_us[d] > from)
        from = q->pace_us[d];
    q->pace_us[d] = from + length(q, d, amount);
}

void quota_reserve(struct quota *q, uint64_t tokens, uint64_t now)
{
    for (unsigned d = 0; d < SLIDE_DIMS; d++) {
        q->pending[d] += amount_of(d, tokens);
        pace(q, d, amount_of(d, tokens), now);
    }
}

void quota_back(struct quota *q, uint64_t tokens)
{
    for (unsigned d = 0; d < SLIDE_DIMS; d++) {
        uint64_t amount = amount_of(d, tokens);

        assert(q->pending[d] >= amount);
        q->pending[d] -= amount;
    }
}

uint64_t quota_sent(struct quota *q, uint64_t tokens, uint64_t now)
{
    quota_back(q, tokens);
    return slide_add(&q->log, now, 1, tokens);
}

void quota_answered(struct quota *q, uint64_t at, uint64_t now)
{
    slide_answered(&q->log, at, now);
}

void quota_more(struct quota *q, uint64_t tokens, uint64_t now)
{
    (void)slide_add(&q->log, now, 0, tokens);
    pace(q, SLIDE_TOKENS, tokens, now);
}

void quota_less(struct quota *q, uint64_t tokens, uint64_t at)
{
    uint64_t pace = q->cap[SLIDE_TOKENS] == QUOTA_NEVER ? 0 : length(q, SLIDE_TOKENS, tokens);

    slide_less(&q->log, at, tokens);
    q->pace_us[SLIDE_TOKENS] -= pace < q->pace_us[SLIDE_TOKENS] ? pace : 0;
}

void quota_learn(struct quota *q, unsigned dim, const struct quota_seen *seen, uint64_t now)
{
    uint64_t used, room;

    if (!q->limits.honour)
        return;
    if (seen->has_limit && seen->limit) {
        q->learned[dim] = seen->limit;
        set_caps(q);
    }
    if (!seen->has_remaining)
        return;
    slide_expire(&q->log, now);
    used = q->log.sum[dim] + q->pending[dim];
    if (q->cap[dim] == QUOTA_NEVER) {
        if (seen->remaining == 0 && seen->reset_us && now + seen->reset_us > q->pace_us[dim])
            q->pace_us[dim] = now + seen->reset_us;
        return;
    }
    /* the server counts more than we sent: somebody else uses the same limit */
    room = q->cap[dim] > used ? q->cap[dim] - used : 0;
    q->foreign[dim].amount = room > seen->remaining ? room - seen->remaining : 0;
    q->foreign[dim].until_us = now +
        (seen->reset_us && seen->reset_us < QUOTA_MINUTE_US ? seen->reset_us
                                                            : QUOTA_MINUTE_US);
    if (seen->remaining == 0 && seen->reset_us && now + seen->reset_us > q->pace_us[dim])
        q->pace_us[dim] = now + seen->reset_us;
}

void quota_restore(struct quota *q, uint64_t at, uint64_t requests, uint64_t tokens)
{
    (void)slide_add(&q->log, at, requests, tokens);
}
