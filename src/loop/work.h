/* work.h -- blocking or heavy work off the loop thread: a small pool of own threads.
 *
 * A work item is embedded in its owner. `run` is called on some thread of the pool and
 * may touch only what the item owns; afterwards, in the loop thread, `done` is set and
 * the operation woken. Between submit and done the item belongs to the pool. */
#ifndef LOOP_WORK_H
#define LOOP_WORK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct op;

struct work {
    void (*run)(struct work *w); /* in: called once, on a worker thread */
    struct op *wake;             /* in: woken in the loop thread; may be NULL */
    bool done;                   /* fact, set in the loop thread */
    enum bbt_rc batch_rc; /* fact: result of the lane's batch; BBT_OK in a pool */
    struct work *next;    /* private */
    uint64_t asked_us;    /* private */
};

struct work_pool;

/* Threads are named "work-0"...; signals are blocked in them. */
BBT_NODISCARD enum bbt_rc work_pool_new(
    struct loop *l, unsigned threads, struct work_pool **ret, struct bbt_err *err);

/* Runs what is still queued, waits for it, delivers it (done and wake), ends the
 * threads. NULL is fine. */
void work_pool_free(struct work_pool *p);

/* First in, first started. Clears `done`; sets it in a later turn. */
void work_submit(struct work_pool *p, struct work *w);

/* Items submitted and not yet delivered. */
size_t work_pending(const struct work_pool *p);

#endif
