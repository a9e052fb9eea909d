/* rests.h -- what limits must not forget in a restart: what was sent in the last minute, the
 * rests that servers asked for, and the pauses of providers.
 *
 *   LOAD (nothing is sent before) -> loaded -> KEEP whatever has changed, one at a time
 *
 * Rests are kept by wall clock. Those of a moment are not kept at all. */
#ifndef ENGINE_RESTS_H
#define ENGINE_RESTS_H

#include "engine/channel.h"
#include "engine/endpoint.h"
#include "engine/keep.h"

struct rests {
    /* in */
    struct channel *ch;
    size_t ch_nr;
    struct endpoint *ep;
    size_t ep_nr;
    struct keep_ill *ill;
    struct op *wake; /* woken when loaded, and when nothing is under way any more */

    /* facts */
    bool loaded;

    /* own */
    struct op op;
    struct turnq *q;
    struct keep keep;
    bool busy, stopping, given_up;
    uint64_t *kept; /* what is being written: this counter, and its value then */
    uint64_t kept_value;
    struct rec_rest row;
    const char *event; /* kind, or NULL */
    struct rec_sent *sent;
    size_t sent_nr;
    struct rec_rest *rests;
    size_t rests_nr;
    int64_t since_us;
};

/* Zeroed by the caller before the "in" fields are set. Holds every channel until it has read
 * the store. */
void rests_start(struct rests *r, struct turnq *q);
/* Something may have changed. */
void rests_look(struct rests *r);
/* Writes what has changed, once, and is idle then: an ill disk is not waited for. */
void rests_stop(struct rests *r);
bool rests_idle(const struct rests *r);
void rests_fini(struct rests *r); /* when idle, or never started */

#endif
