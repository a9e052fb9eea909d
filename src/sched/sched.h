/* sched.h -- whose turn is it: requests of several jobs to several endpoints, within the
 * limits of each endpoint, fair between jobs. Pure: time is passed in and only grows.
 *
 * Everything lives in the caller's structures, so no call can fail and none allocates:
 *
 *     lane   one endpoint's limits: concurrency, waits          (a provider of the config)
 *     flow   one job's queue in one lane, first in, first out   (a job)
 *     item   one request that waits or is in flight             (an operation)
 *
 * Every item that was put is handed out exactly once, or taken back by sched_cancel() or
 * sched_drop(). Fair: the flow with the fewest requests in flight is next; among equals the
 * one that has waited longest for a turn. All calls are O(log n), amortised. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "sched/pheap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_NEVER UINT64_MAX

enum sched_state { SCHED_IDLE, SCHED_READY, SCHED_DELAYED, SCHED_SENT };

struct sched_item {
    /* the caller's, to tell items apart */
    void *user;
    /* the scheduler's */
    struct sched_flow *flow;
    enum sched_state state;
    uint64_t seq;                   /* order of the first sched_put() */
    uint64_t not_before;            /* while delayed */
    struct sched_item *prev, *next; /* within the flow: queued items */
    struct pheap_node node;         /* ready: flow's heap by seq; delayed: lane's by time */
};

struct sched_flow {
    struct sched_lane *lane; /* NULL: not open */
    unsigned weight;         /* >= 1; share of a lane relative to other flows; the
                                caller may change it between calls */
    size_t inflight;
    size_t queued; /* ready and delayed */
    struct pheap ready;
    struct sched_item *all; /* queued items, any order */
    uint64_t turn;          /* lane's turn counter when last served */
    struct pheap_node node; /* in lane->flows while `ready` is not empty */
};

struct sched_lane {
    size_t limit;        /* most requests in flight, from the configuration; >= 1 */
    size_t window;       /* present limit, 1 .. limit: halved when throttled, grows by one
                            after `window` good answers */
    size_t good;         /* good answers since the window last changed */
    size_t inflight;
    size_t queued;
    uint64_t hold_until; /* nothing is sent before; 0 = no hold, SCHED_NEVER = until reset */
    unsigned failed;     /* failures in a row, for the caller's health check */
    uint64_t cut_until;  /* the window is not halved again before */
    struct pheap flows;  /* flows with ready items */
    struct pheap delayed;
    uint64_t turn, seq;
};

/* How an item that was sent came back. */
enum sched_outcome {
    SCHED_GOOD,      /* answered */
    SCHED_THROTTLED, /* 429, 503, 529: halve the window (once per second of time) */
    SCHED_FAILED,    /* another failure of the endpoint: counts for `failed` */
    SCHED_NEUTRAL    /* says nothing about the endpoint: canceled, refused for its content */
};

/* An empty lane that lets `limit` requests run at once. */
void sched_lane_init(struct sched_lane *lane, size_t limit);
/* A new limit from a reloaded configuration; requests above it are not called back. */
void sched_lane_limit(struct sched_lane *lane, size_t limit);

/* Opens a job's queue in a lane. `weight` 0 counts as 1. */
void sched_flow_init(struct sched_flow *flow, struct sched_lane *lane, unsigned weight);

/* A fresh item; `user` is handed back with it. */
void sched_item_init(struct sched_item *item, void *user);

/* Queues an idle item, to be handed out at `not_before` or later (0 or the past: at once).
 * An item that has been put before keeps its place in the order: a retry is first in, not
 * last. */
void sched_put(
    struct sched_flow *flow, struct sched_item *item, uint64_t not_before, uint64_t now);

/* The next item to send now; it counts as in flight until sched_done(). NULL where none may
 * be sent; *ret_wake is then the time at which it is worth asking again (SCHED_NEVER: not
 * before some other call changes something). */
struct sched_item *sched_next(
    struct sched_lane *lane, uint64_t now, uint64_t *ret_wake);

/* The item came back. It is idle afterwards: it may be put again or freed. */
void sched_done(struct sched_item *item, enum sched_outcome outcome, uint64_t now);

/* Takes a queued item out; no-op on an idle one. An item in flight must come back by
 * sched_done(). */
void sched_cancel(struct sched_item *item);

/* Takes out everything queued of a job; those in flight still must come back. Returns how
 * many were taken out. */
size_t sched_drop(struct sched_flow *flow);

/* Nothing is sent in this lane before `until`; an earlier hold is never shortened. */
void sched_hold(struct sched_lane *lane, uint64_t until);
/* Ends a hold at once. */
void sched_release(struct sched_lane *lane);

/* ---- back-off ---- */

#define SCHED_BACKOFF_BASE_US 500000u
#define SCHED_BACKOFF_CAP_US 30000000u

/* Wait before attempt `tries` + 1, where `tries` >= 1 have failed: the larger of the
 * server's hint and U(0.5, 1) * min(0.5 s * 2^(tries-1), 30 s). `bits`: 64 random bits. */
uint64_t sched_backoff_us(unsigned tries, uint64_t hint_us, uint64_t bits);

/* The same with a first step and a longest step of one's own; 0 = the above. */
uint64_t sched_backoff_within_us(uint64_t base_us, uint64_t cap_us, unsigned tries,
    uint64_t hint_us, uint64_t bits);

#endif
