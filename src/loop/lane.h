/* lane.h -- one dedicated thread that runs its items in order, several per batch.
 *
 * Made for the store: a batch is a transaction, so that items which queue up behind a
 * slow commit share the next one. An item is reported done only after its batch ended.
 */
#ifndef LOOP_LANE_H
#define LOOP_LANE_H

#include "loop/work.h"

struct lane;

struct lane_opts {
    const char *name;   /* of the thread, at most 15 bytes */
    unsigned batch_max; /* most items per batch, >= 1 */
    uint64_t batch_us;  /* no item begins in a batch that is older; 0: no such limit */
    /* Both on the lane's thread; both may be NULL. Where begin fails, the items of the
     * batch do not run and get its class as batch_rc; end is not called. Otherwise
     * every item gets the class that end returned (COMMIT failed: nothing of it
     * happened). */
    enum bbt_rc (*begin)(void *arg);
    enum bbt_rc (*end)(void *arg);
    void *arg;
};

/* Starts the thread. `opts` is copied. BBT_NOMEM, BBT_IO (no thread to be had). */
BBT_NODISCARD enum bbt_rc lane_new(struct loop *l, const struct lane_opts *opts,
    struct lane **ret, struct bbt_err *err);

/* As work_pool_free(). */
void lane_free(struct lane *n);

/* As work_submit(); strictly first in, first run. */
void lane_submit(struct lane *n, struct work *w);

/* Items submitted whose `done` has not been told yet. */
size_t lane_pending(const struct lane *n);

/* Microseconds from lane_submit() to `done`, of all items so far: the longest, and the
 * quantile (0..1) as of hist.h. */
uint64_t lane_wait_quantile_us(const struct lane *n, double q);
uint64_t lane_wait_max_us(const struct lane *n);

#endif
