/* checks_rate.c -- limits, rests and the breaker, as a server and an outsider see them. */
#include "checks_model.h"

#include "base/alloc.h"

#include <assert.h>

#define MINUTE_US 60000000u
#define BREAKER_ROW 10u           /* the configuration's defaults */
#define BREAKER_OPEN_US 30000000u

/* ---- rests ---- */

void checks_rest(struct checks *c, const struct rec_rest *rest)
{
    struct note *n = checks_note(c);
    int64_t zero = port_wall_us() - (int64_t)c->w->now_us;

    n->kind = NOTE_REST;
    n->limit = rest->limit;
    n->until_us = rest->until_us > zero ? (uint64_t)(rest->until_us - zero) : 0;
}

/* A commit that failed may come back: then the shorter rest is all that is sure. */
void checks_rate_note(struct checks *c, const struct note *n, bool good)
{
    uint64_t *kept = &c->hold_kept[n->limit != 0];

    if (good || n->until_us < *kept)
        *kept = n->until_us;
}

void checks_rate_forget(struct checks *c)
{
    uint64_t a = c->hold_kept[0], b = c->hold_kept[1];

    c->hold_until = a > b ? a : b;
    c->bad_row = 0;
    c->trial = NULL;
    c->money.wire = 0;
}

/* ---- the breaker ---- */

void checks_rate_sent(struct checks *c, const struct port_http *x)
{
    checks_cap_sent(c, x);
    if (wire_spare(x))
        return;
    c->sent_us = c->w->now_us;
    if (c->bad_row < BREAKER_ROW)
        return;
    if (c->w->now_us < c->bad_us + BREAKER_OPEN_US)
        world_fail(c->w, "breaker: a request leaves %llu us after %u failures in a row",
            (unsigned long long)(c->w->now_us - c->bad_us), c->bad_row);
    if (c->trial)
        world_fail(c->w, "breaker: two requests at once after %u failures in a row",
            c->bad_row);
    c->trial = x;
}

void checks_fate(struct checks *c, const struct port_http *x, enum world_net fate)
{
    checks_cap_over(c, x);
    if (wire_spare(x))
        return;
    switch (fate) {
    case NET_GOOD:
        c->bad_row = 0;
        break;
    case NET_500:
    case NET_503_AFTER:
    case NET_RESET:
    case NET_LOST:
    case NET_HANG:
        if (++c->bad_row <= BREAKER_ROW) /* it may have opened as soon as the last one left */
            c->bad_us = c->sent_us;
        else if (x == c->trial)
            c->bad_us = c->w->now_us; /* those that were under way change nothing */
        break;
    default: /* no telling what the engine makes of it: a trial may have closed the breaker */
        if (x == c->trial)
            c->bad_row = 0;
        break;
    }
    if (x == c->trial || c->bad_row < BREAKER_ROW)
        c->trial = NULL;
}

/* ---- limits ---- */

void checks_limits(struct checks *c, uint64_t requests, uint64_t tokens)
{
    c->limit[0] = requests;
    c->limit[1] = tokens;
}

void checks_arrived(struct checks *c, uint64_t requests, uint64_t tokens)
{
    uint64_t sum[2] = {0, 0};

    if (c->arrivals == c->arrivals_room) {
        c->arrivals_room = c->arrivals_room ? 2 * c->arrivals_room : 256;
        c->arrival = bbt_realloc(c->arrival, c->arrivals_room * sizeof *c->arrival);
        assert(c->arrival);
    }
    c->arrival[c->arrivals++] = (struct arrival){c->w->now_us, {requests, tokens}};
    for (size_t i = c->arrivals; i-- > 0 && c->arrival[i].at_us + MINUTE_US > c->w->now_us;)
        for (int d = 0; d < 2; d++)
            sum[d] += c->arrival[i].amount[d];
    for (int d = 0; d < 2; d++)
        if (c->limit[d] && sum[d] > c->limit[d])
            world_fail(c->w, "limit: %llu %s in a minute, %llu are allowed",
                (unsigned long long)sum[d], d ? "tokens" : "requests",
                (unsigned long long)c->limit[d]);
}
