#include "sched/sched.h"

#include "base/op.h"

#include <assert.h>

#define CUT_PAUSE_US 1000000u
#define SHARE_UNIT 720720u /* divisible by every weight up to 16 */

void sched_lane_init(struct sched_lane *lane, size_t limit)
{
    *lane = (struct sched_lane){0};
    lane->limit = lane->window = limit ? limit : 1;
}

void sched_lane_limit(struct sched_lane *lane, size_t limit)
{
    bool open = lane->window == lane->limit; /* not cut: stays not cut */

    lane->limit = limit ? limit : 1;
    if (open || lane->window > lane->limit)
        lane->window = lane->limit;
    lane->good = 0;
}

void sched_flow_init(struct sched_flow *flow, struct sched_lane *lane, unsigned weight)
{
    *flow = (struct sched_flow){.lane = lane, .weight = weight ? weight : 1};
}

void sched_item_init(struct sched_item *item, void *user)
{
    *item = (struct sched_item){.user = user};
}

/* ---- a flow's place among the others ---- */

static void flow_enter(struct sched_flow *flow)
{
    pheap_push(&flow->lane->flows, &flow->node,
        (uint64_t)flow->inflight * SHARE_UNIT / flow->weight, flow->turn);
}

static void flow_leave(struct sched_flow *flow)
{
    pheap_remove(&flow->lane->flows, &flow->node);
}

static void ready_push(struct sched_item *item)
{
    struct sched_flow *flow = item->flow;
    bool first = !flow->ready.root;

    item->state = SCHED_READY;
    pheap_push(&flow->ready, &item->node, item->seq, 0);
    if (first)
        flow_enter(flow);
}

static void ready_remove(struct sched_item *item)
{
    struct sched_flow *flow = item->flow;

    pheap_remove(&flow->ready, &item->node);
    if (!flow->ready.root)
        flow_leave(flow);
}

/* ---- membership of the list of queued items ---- */

static void link_in(struct sched_item *item)
{
    struct sched_flow *flow = item->flow;

    item->prev = NULL;
    item->next = flow->all;
    if (item->next)
        item->next->prev = item;
    flow->all = item;
    flow->queued++;
    flow->lane->queued++;
}

static void link_out(struct sched_item *item)
{
    struct sched_flow *flow = item->flow;

    if (item->prev)
        item->prev->next = item->next;
    else
        flow->all = item->next;
    if (item->next)
        item->next->prev = item->prev;
    item->prev = item->next = NULL;
    flow->queued--;
    flow->lane->queued--;
}

/* ---- calls ---- */

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
        ready_push(item);
    }
}

static void wake_delayed(struct sched_lane *lane, uint64_t now)
{
    struct pheap_node *n;

    while ((n = lane->delayed.root) && n->key <= now) {
        struct sched_item *item = bbt_container(n, struct sched_item, node);

        pheap_remove(&lane->delayed, n);
        ready_push(item);
    }
}

/* When nothing can be sent: the first moment at which time alone changes that. */
static uint64_t wake_time(const struct sched_lane *lane, uint64_t now)
{
    uint64_t at;

    if (lane->inflight >= lane->window)
        return SCHED_NEVER; /* only an answer makes room */
    if (lane->flows.root)
        at = now;
    else if (lane->delayed.root)
        at = lane->delayed.root->key;
    else
        return SCHED_NEVER;
    return at > lane->hold_until ? at : lane->hold_until;
}

struct sched_item *sched_next(
    struct sched_lane *lane, uint64_t now, uint64_t *ret_wake)
{
    struct sched_flow *flow;
    struct sched_item *item;

    wake_delayed(lane, now);
    if (lane->hold_until > now || lane->inflight >= lane->window || !lane->flows.root) {
        *ret_wake = wake_time(lane, now);
        return NULL;
    }
    flow = bbt_container(lane->flows.root, struct sched_flow, node);
    item = bbt_container(flow->ready.root, struct sched_item, node);
    flow_leave(flow);
    pheap_remove(&flow->ready, &item->node);
    link_out(item);
    item->state = SCHED_SENT;
    flow->inflight++;
    lane->inflight++;
    flow->turn = ++lane->turn;
    if (flow->ready.root)
        flow_enter(flow);
    *ret_wake = now;
    return item;
}

/* Additive increase, multiplicative decrease. Answers of one window that were all throttled
 * are one piece of news, so the window is halved at most once in CUT_PAUSE_US. */
static void learn(struct sched_lane *lane, enum sched_outcome outcome, uint64_t now)
{
    switch (outcome) {
    case SCHED_GOOD:
        lane->failed = 0;
        if (lane->window < lane->limit && ++lane->good >= lane->window) {
            lane->window++;
            lane->good = 0;
        }
        break;
    case SCHED_THROTTLED:
        lane->good = 0;
        if (now >= lane->cut_until) {
            lane->window = lane->window > 1 ? lane->window / 2 : 1;
            lane->cut_until = now + CUT_PAUSE_US;
        }
        break;
    case SCHED_FAILED:
        lane->good = 0;
        lane->failed++;
        break;
    case SCHED_NEUTRAL:
        break;
    }
}

void sched_done(struct sched_item *item, enum sched_outcome outcome, uint64_t now)
{
    struct sched_flow *flow = item->flow;

    assert(item->state == SCHED_SENT);
    item->state = SCHED_IDLE;
    if (flow->ready.root)
        flow_leave(flow);
    flow->inflight--;
    flow->lane->inflight--;
    if (flow->ready.root)
        flow_enter(flow);
    learn(flow->lane, outcome, now);
}

void sched_cancel(struct sched_item *item)
{
    assert(item->state != SCHED_SENT);
    if (item->state == SCHED_IDLE)
        return;
    if (item->state == SCHED_READY)
        ready_remove(item);
    else
        pheap_remove(&item->flow->lane->delayed, &item->node);
    link_out(item);
    item->state = SCHED_IDLE;
}

size_t sched_drop(struct sched_flow *flow)
{
    size_t n = 0;

    for (; flow->all; n++)
        sched_cancel(flow->all);
    return n;
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

uint64_t sched_backoff_us(unsigned tries, uint64_t hint_us, uint64_t bits)
{
    return sched_backoff_within_us(0, 0, tries, hint_us, bits);
}

uint64_t sched_backoff_within_us(uint64_t base_us, uint64_t cap_us, unsigned tries,
    uint64_t hint_us, uint64_t bits)
{
    uint64_t step = base_us ? base_us : SCHED_BACKOFF_BASE_US, half, wait;
    uint64_t cap = cap_us ? cap_us : SCHED_BACKOFF_CAP_US;

    for (unsigned i = 1; i < tries && step < cap; i++)
        step *= 2;
    if (step > cap)
        step = cap;
    half = step / 2;
    wait = half + (uint64_t)(((unsigned __int128)bits * half) >> 64);
    return wait > hint_us ? wait : hint_us;
}
