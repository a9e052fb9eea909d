#include "sched/sched.h"

#include "base/op.h"

#include <assert.h>

#define CLOCK_ZERO (UINT64_C(1) << 50) /* so that being ahead of it never goes below 0 */
#define CLOCK_SHIFT 8u                 /* parts of a token, for weights */

void sched_lane_init(struct sched_lane *lane, const struct quota_limits *limits,
    size_t concurrency, bool fixed)
{
    lane->inflight = lane->queued = 0;
    lane->hold_until = 0;
    lane->clock = CLOCK_ZERO;
    lane->block = SCHED_FREE;
    lane->flows = NULL;
    lane->delayed = (struct pheap){0};
    lane->turn = lane->seq = 0;
    lane->weight_max = 1;
    quota_init(&lane->quota, limits);
    aimd_init(&lane->aimd, concurrency, fixed);
}

void sched_flow_init(
    struct sched_flow *flow, struct sched_lane *lane, struct gate *gate, unsigned weight)
{
    *flow = (struct sched_flow){
        .lane = lane, .gate = gate, .weight = weight ? weight : 1, .clock = lane->clock};
}

void sched_item_init(struct sched_item *item, void *user, uint64_t cost)
{
    *item = (struct sched_item){.user = user, .cost = cost ? cost : 1};
}

/* ---- queued items ---- */

static void link_in(struct sched_item *item)
{
    struct sched_flow *flow = item->flow;
    struct sched_lane *lane = flow->lane;

    item->prev = NULL;
    item->next = flow->all;
    if (item->next)
        item->next->prev = item;
    flow->all = item;
    lane->queued++;
    if (flow->queued++ == 0) {
        flow->peak = 0;
        flow->prev = NULL;
        flow->next = lane->flows;
        if (flow->next)
            flow->next->prev = flow;
        lane->flows = flow;
    }
    if (flow->queued > flow->peak)
        flow->peak = flow->queued;
}

static void link_out(struct sched_item *item)
{
    struct sched_flow *flow = item->flow;
    struct sched_lane *lane = flow->lane;

    if (item->prev)
        item->prev->next = item->next;
    else
        flow->all = item->next;
    if (item->next)
        item->next->prev = item->prev;
    item->prev = item->next = NULL;
    lane->queued--;
    if (--flow->queued)
        return;
    if (flow->prev)
        flow->prev->next = flow->next;
    else
        lane->flows = flow->next;
    if (flow->next)
        flow->next->prev = flow->prev;
}

static void ready(struct sched_item *item)
{
    item->state = SCHED_READY;
    pheap_push(&item->flow->ready, &item->node, item->seq, 0);
}

void sched_put(
    struct sched_flow *flow, struct sched_item *item, uint64_t not_before, uint64_t now)
{
    assert(item->state == SCHED_IDLE && flow->lane);
    if (item->flow != flow) {
        item->flow = flow;
        item->seq = flow->lane->seq++;
    }
    link_in(item);
    item->not_before = not_before;
    if (not_before > now) {
        item->state = SCHED_DELAYED;
        pheap_push(&flow->lane->delayed, &item->node, not_before, item->seq);
    } else {
        ready(item);
    }
}

void sched_cancel(struct sched_item *item)
{
    assert(item->state != SCHED_SENT);
    if (item->state == SCHED_IDLE)
        return;
    if (item->state == SCHED_READY)
        pheap_remove(&item->flow->ready, &item->node);
    else
        pheap_remove(&item->flow->lane->delayed, &item->node);
    link_out(item);
    item->state = SCHED_IDLE;
}

struct sched_item *sched_evict(struct sched_lane *lane, const struct gate *gate)
{
    for (struct sched_flow *f = lane->flows; f; f = f->next)
        if (f->gate == gate) {
            struct sched_item *item = f->all;

            sched_cancel(item);
            return item;
        }
    return NULL;
}

void sched_hurry(struct sched_lane *lane, const struct gate *gate)
{
    for (struct sched_flow *f = lane->flows; f; f = f->next)
        for (struct sched_item *i = f->gate == gate ? f->all : NULL; i; i = i->next)
            if (i->state == SCHED_DELAYED && !i->hinted) {
                pheap_remove(&lane->delayed, &i->node);
                ready(i);
            }
}

static void wake_delayed(struct sched_lane *lane, uint64_t now)
{
    struct pheap_node *n;

    while ((n = lane->delayed.root) && n->key <= now) {
        pheap_remove(&lane->delayed, n);
        ready(bbt_container(n, struct sched_item, node));
    }
}

/* ---- whose turn ---- */

bool sched_over(const struct sched_flow *flow, uint64_t now)
{
    return flow->until && now >= flow->until;
}

static bool waits(const struct sched_flow *f, uint64_t now)
{
    return f->ready.root && !sched_over(f, now);
}

static struct sched_item *head(const struct sched_flow *f)
{
    return bbt_container(f->ready.root, struct sched_item, node);
}

static uint64_t price(const struct sched_flow *f, uint64_t cost)
{
    return (cost << CLOCK_SHIFT) / f->weight;
}

static uint64_t start_of(const struct sched_flow *f)
{
    return f->clock > f->lane->clock ? f->clock : f->lane->clock;
}

/* The last eighth of what was queued together, at least one. */
static bool straggles(const struct sched_flow *f)
{
    return f->queued <= 1 + f->peak / 8;
}

static uint64_t rank(const struct sched_flow *f)
{
    uint64_t at = start_of(f);

    /* by the clock of the weightiest: a light flow does not get ahead of it by much */
    return straggles(f)
        ? at - ((head(f)->cost * SCHED_BOOST) << CLOCK_SHIFT) / f->lane->weight_max
        : at;
}

static bool before(const struct sched_flow *a, const struct sched_flow *b)
{
    uint64_t ra = rank(a), rb = rank(b);

    return ra != rb ? ra < rb : a->turn < b->turn;
}

/* The flow whose turn it is by fairness alone, among those whose gate is open. */
static struct sched_flow *fairest(struct sched_lane *lane, uint64_t now, uint64_t *wake)
{
    struct sched_flow *best = NULL;
    uint64_t clock = UINT64_MAX;

    lane->weight_max = 1;
    for (struct sched_flow *f = lane->flows; f; f = f->next)
        if (f->weight > lane->weight_max)
            lane->weight_max = f->weight;
    for (struct sched_flow *f = lane->flows; f; f = f->next) {
        uint64_t at;

        if (!waits(f, now))
            continue;
        if (gate_shut(f->gate, now, &at) != GATE_OPEN) {
            *wake = at < *wake ? at : *wake;
            continue;
        }
        if (start_of(f) < clock)
            clock = start_of(f);
        if (!best || before(f, best))
            best = f;
    }
    if (best)
        lane->clock = clock;
    return best;
}

/* The first flow in that order whose request has room now, not further ahead of the first of
 * all than that one's request costs. */
static struct sched_flow *with_room(
    struct sched_lane *lane, struct sched_flow *best, uint64_t now, uint64_t *wake)
{
    uint64_t end = rank(best) + price(best, head(best)->cost), at;
    struct sched_flow *found = NULL;

    at = quota_when(&lane->quota, head(best)->cost, now);
    if (at <= now)
        return best;
    *wake = at < *wake ? at : *wake;
    for (struct sched_flow *f = lane->flows; f; f = f->next) {
        if (f == best || !waits(f, now) || rank(f) > end ||
            gate_shut(f->gate, now, &at) != GATE_OPEN || (found && !before(f, found)))
            continue;
        at = quota_when(&lane->quota, head(f)->cost, now);
        if (at <= now)
            found = f;
        else
            *wake = at < *wake ? at : *wake;
    }
    return found;
}

static struct sched_item *hand_out(struct sched_lane *lane, struct sched_flow *f, uint64_t now)
{
    struct sched_item *item = head(f);

    item->oversize = !quota_fits(&lane->quota, item->cost);
    f->clock = start_of(f) + price(f, item->cost);
    f->turn = ++lane->turn;
    pheap_remove(&f->ready, &item->node);
    link_out(item);
    item->state = SCHED_SENT;
    item->reserved = !item->oversize;
    if (item->reserved)
        quota_reserve(&lane->quota, item->cost, now);
    item->probe = !item->oversize && breaker_take(&f->gate->breaker);
    f->inflight++;
    f->gate->inflight++;
    lane->inflight++;
    lane->block = SCHED_FREE;
    return item;
}

struct sched_item *sched_next(
    struct sched_lane *lane, uint64_t now, uint64_t *ret_wake)
{
    struct sched_flow *best, *f;
    uint64_t wake = SCHED_NEVER;

    wake_delayed(lane, now);
    if (lane->delayed.root)
        wake = lane->delayed.root->key;
    if (lane->hold_until > now) {
        lane->block = SCHED_IS_HELD;
        *ret_wake = lane->hold_until;
        return NULL;
    }
    if (lane->inflight >= lane->aimd.window) {
        lane->block = lane->queued ? SCHED_IS_FULL : SCHED_FREE;
        *ret_wake = SCHED_NEVER; /* only an answer makes room */
        return NULL;
    }
    best = fairest(lane, now, &wake);
    if (!best) {
        lane->block = lane->queued ? SCHED_IS_SHUT : SCHED_FREE;
        *ret_wake = wake;
        return NULL;
    }
    if (!quota_fits(&lane->quota, head(best)->cost))
        return hand_out(lane, best, now);
    f = with_room(lane, best, now, &wake);
    if (f)
        return hand_out(lane, f, now);
    lane->block = SCHED_IS_RATE;
    *ret_wake = wake;
    return NULL;
}

/* ---- what became of it ---- */

void sched_sent(struct sched_item *item, uint64_t now)
{
    assert(item->state == SCHED_SENT && item->reserved);
    item->reserved = false;
    item->sent_us = quota_sent(&item->flow->lane->quota, item->cost, now);
}

void sched_settle(struct sched_item *item, uint64_t tokens, uint64_t now)
{
    struct sched_flow *f = item->flow;

    assert(item->state == SCHED_SENT && !item->reserved);
    if (tokens > item->cost) {
        quota_more(&f->lane->quota, tokens - item->cost, now);
        f->clock += price(f, tokens - item->cost);
    } else if (tokens && tokens < item->cost) {
        quota_less(&f->lane->quota, item->cost - tokens, item->sent_us);
        f->clock -= price(f, item->cost - tokens);
    }
}

static void learn(struct sched_item *item, enum sched_outcome outcome, uint64_t now)
{
    static const enum breaker_news news[] = {
        [SCHED_GOOD] = BREAKER_GOOD,
        [SCHED_THROTTLED] = BREAKER_NONE,
        [SCHED_OVERLOADED] = BREAKER_BAD,
        [SCHED_FAILED] = BREAKER_BAD,
        [SCHED_NEUTRAL] = BREAKER_NONE,
    };
    struct sched_lane *lane = item->flow->lane;
    struct gate *gate = item->flow->gate;
    bool closed = gate->breaker.state == BREAKER_CLOSED;

    breaker_done(&gate->breaker, news[outcome], item->probe, now);
    if (outcome == SCHED_GOOD)
        aimd_good(&lane->aimd);
    else if (outcome == SCHED_THROTTLED || outcome == SCHED_OVERLOADED)
        aimd_cut(&lane->aimd, now);
    else if (outcome == SCHED_FAILED)
        lane->aimd.good = 0;
    if (!closed && gate->breaker.state == BREAKER_CLOSED)
        sched_hurry(lane, gate);
}

/* Does it prove that the request had arrived? */
static bool spoke(enum sched_outcome outcome)
{
    return outcome == SCHED_GOOD || outcome == SCHED_THROTTLED || outcome == SCHED_OVERLOADED;
}

void sched_done(struct sched_item *item, enum sched_outcome outcome, uint64_t now)
{
    struct sched_flow *f = item->flow;

    assert(item->state == SCHED_SENT);
    item->state = SCHED_IDLE;
    f->inflight--;
    f->gate->inflight--;
    f->lane->inflight--;
    if (item->reserved)
        quota_back(&f->lane->quota, item->cost);
    else if (!item->oversize && spoke(outcome))
        quota_answered(&f->lane->quota, item->sent_us, now);
    if (item->reserved || item->oversize) /* it never left */
        f->clock -= price(f, item->cost);
    item->reserved = item->oversize = false;
    learn(item, outcome, now);
    item->probe = false;
}

void sched_hold(struct sched_lane *lane, uint64_t until)
{
    if (until > lane->hold_until)
        lane->hold_until = until;
}

void sched_release(struct sched_lane *lane)
{
    lane->hold_until = 0;
}
