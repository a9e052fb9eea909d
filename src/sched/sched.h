/* sched.h -- whose turn is it: requests of several jobs to several endpoints, within the
 * limits of each, fair between jobs. Pure: time is passed in and only grows.
 *
 * Everything lives in the caller's structures, so no call can fail and none allocates:
 *
 *     lane   one real limit: quota, concurrency, rests  (a quota of the configuration)
 *     gate   one endpoint of it (gate.h)                (a provider of the configuration)
 *     flow   one job's queue to one gate, first in, first out             (a job)
 *     item   one request that waits or is in flight                       (an operation)
 *
 * Every item that was put is handed out exactly once, or taken back by sched_cancel() or
 * sched_evict(). Fair by tokens (start-time fair queuing): each flow has a clock that its own
 * tokens, divided by its weight, push on; the flow that is furthest behind is next. A flow
 * that was away comes back at the others' time: at once, without credit for the past.
 *
 *   - The last requests of a round go first (a barrier waits for them), on the flow's account
 *     and at most SCHED_BOOST requests ahead.
 *   - While a large request waits for room in the quota, smaller ones may use what there is,
 *     until their flows are ahead by as much as it costs: then it is next whatever comes. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "sched/aimd.h"
#include "sched/gate.h"
#include "sched/pheap.h"
#include "sched/quota.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_NEVER UINT64_MAX
#define SCHED_BOOST 8u

enum sched_state { SCHED_IDLE, SCHED_READY, SCHED_DELAYED, SCHED_SENT };

struct sched_item {
    /* the caller's: to tell items apart; set by sched_item_init() */
    void *user;
    uint64_t cost; /* tokens; >= 1 */
    bool hinted;   /* set before sched_put(): not_before is the server's own wish */
    /* to be read: handed out although no minute's allowance is enough for it. It must not be
     * sent, only come back. */
    bool oversize;
    /* the scheduler's */
    struct sched_flow *flow;
    enum sched_state state;
    bool reserved, probe;           /* while SENT: quota not stamped yet; a half-open probe */
    uint64_t seq;                   /* order of the first sched_put() */
    uint64_t not_before;            /* while delayed */
    uint64_t sent_us;               /* when it left */
    struct sched_item *prev, *next; /* within the flow: queued items */
    struct pheap_node node;         /* ready: flow's heap by seq; delayed: lane's by time */
};

struct sched_flow {
    struct sched_lane *lane; /* NULL: not open */
    struct gate *gate;
    unsigned weight;         /* >= 1; share of a lane relative to other flows; the
                                caller may change it between calls */
    uint64_t until;          /* from then on it is not served; 0 = always. The caller may
                                change it between calls */
    size_t inflight;
    size_t queued; /* ready and delayed */
    size_t peak;   /* most that were queued since the queue was empty */
    uint64_t clock; /* tokens of the past, by weight */
    struct pheap ready;
    struct sched_item *all; /* queued items, any order */
    uint64_t turn;          /* lane's turn counter when last served */
    struct sched_flow *prev, *next; /* in lane->flows while anything is queued */
};

/* Why nothing was handed out at the last asking. */
enum sched_block { SCHED_FREE, SCHED_IS_HELD, SCHED_IS_FULL, SCHED_IS_RATE, SCHED_IS_SHUT };

struct sched_lane {
    struct quota quota;
    struct aimd aimd;
    size_t inflight, queued;
    uint64_t hold_until; /* nothing is sent before; 0 = no hold */
    uint64_t clock;      /* of the flow that was served last: the time at which others join */
    enum sched_block block;
    unsigned weight_max; /* of the flows that wait */
    struct sched_flow *flows;
    struct pheap delayed;
    uint64_t turn, seq;
};

/* How an item that was sent came back. */
enum sched_outcome {
    SCHED_GOOD,      /* answered */
    SCHED_THROTTLED, /* 429: fewer at once */
    SCHED_OVERLOADED, /* 503, 529: the same, and a failure of the endpoint */
    SCHED_FAILED,    /* another failure of the endpoint */
    SCHED_NEUTRAL    /* says nothing about the endpoint: canceled, refused for its content */
};

/* An empty lane. `concurrency` requests run at once; `fixed`: that number is never adapted. */
void sched_lane_init(struct sched_lane *lane, const struct quota_limits *limits,
    size_t concurrency, bool fixed);

/* Opens a job's queue to an endpoint. `weight` 0 counts as 1. */
void sched_flow_init(
    struct sched_flow *flow, struct sched_lane *lane, struct gate *gate, unsigned weight);

/* A fresh item of `cost` tokens (0 counts as 1); `user` is handed back with it. */
void sched_item_init(struct sched_item *item, void *user, uint64_t cost);

/* Queues an idle item, to be handed out at `not_before` or later (0 or the past: at once).
 * An item that has been put before keeps its place in the order: a retry is first in, not
 * last. */
void sched_put(
    struct sched_flow *flow, struct sched_item *item, uint64_t not_before, uint64_t now);

/* The next item to send now; it counts as in flight until sched_done(), and in the quota as
 * reserved until sched_sent(). NULL where none may be sent; *ret_wake is then the time at
 * which it is worth asking again (SCHED_NEVER: not before some other call changes something).
 * O(flows). */
struct sched_item *sched_next(
    struct sched_lane *lane, uint64_t now, uint64_t *ret_wake);

/* Is the time of this flow over? What was handed out before should not be sent then, either. */
bool sched_over(const struct sched_flow *flow, uint64_t now);

/* The item leaves now. */
void sched_sent(struct sched_item *item, uint64_t now);

/* So many tokens it took in truth (0: nobody knows): what it was taken for is put right. */
void sched_settle(struct sched_item *item, uint64_t tokens, uint64_t now);

/* The item came back; one that was never sent costs nothing. It is idle afterwards: it may be
 * put again or freed. */
void sched_done(struct sched_item *item, enum sched_outcome outcome, uint64_t now);

/* Takes a queued item out; no-op on an idle one. An item in flight must come back by
 * sched_done(). */
void sched_cancel(struct sched_item *item);

/* Takes out one queued item of this gate; NULL where there is none. */
struct sched_item *sched_evict(struct sched_lane *lane, const struct gate *gate);

/* The endpoint answers again: what waits there for its own back-off need not. */
void sched_hurry(struct sched_lane *lane, const struct gate *gate);

/* Nothing is sent in this lane before `until`; an earlier hold is never shortened. */
void sched_hold(struct sched_lane *lane, uint64_t until);
/* Ends a hold at once. */
void sched_release(struct sched_lane *lane);

#endif
