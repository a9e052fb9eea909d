/* split.h -- one question's rows shared out to the worker threads.
 *
 * Each part is a run of whole rows with about the same number of positions, computed by one
 * thread with BLAS on one thread: on few cores that beats threads inside each product, which
 * meet after every one. Parts of several questions queue up behind one another, so no thread
 * rests while there is work. */
#ifndef LMSERVER_SPLIT_H
#define LMSERVER_SPLIT_H

#include "base/err.h"
#include "forward.h"
#include "loop/work.h"
#include "query.h"
#include "weights.h"

#include <pthread.h>
#include <stdbool.h>

#define SPLIT_THREADS_MAX 64u

/* Rooms for intermediate results, one per running part, kept for the next. */
struct split_rooms {
    pthread_mutex_t lock;
    struct forward_room room[SPLIT_THREADS_MAX];
    unsigned nr; /* free ones */
};

/* An empty pool of rooms, and its end; no split may be under way then. */
void split_rooms_init(struct split_rooms *rooms);
void split_rooms_fini(struct split_rooms *rooms);

struct split;

struct split_part {
    struct work work;
    struct split *split;
    size_t from_to[2];
    enum bbt_rc rc;
    struct bbt_err err;
};

struct split {
    /* in; all borrowed until split_done() */
    const struct weights *w;
    const struct query *q; /* checked */
    float *out;            /* q->rows x q->out_cols */
    struct split_rooms *rooms;

    struct split_part *part; /* private */
    unsigned parts;
};

/* Cuts into at most `threads` parts and queues them; `wake` is woken as each ends. BBT_NOMEM
 * leaves nothing queued. */
BBT_NODISCARD enum bbt_rc split_start(struct split *s, struct work_pool *pool,
    unsigned threads, struct op *wake, struct bbt_err *err);

/* All parts are back: the results may be read, the memory freed. */
bool split_done(const struct split *s);

/* After split_done(): the first part's failure, or BBT_OK. */
BBT_NODISCARD enum bbt_rc split_result(const struct split *s, struct bbt_err *err);

/* Only once done, or never started (all zero). */
void split_fini(struct split *s);

#endif
