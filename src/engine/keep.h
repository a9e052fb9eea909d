/* keep.h -- a change that must become durable, however long the disk is ill.
 *
 *   RUN -> done            (committed, or refused for a reason of its own)
 *    ^ |
 *    | v  disk full, I/O error, damaged file
 *   REST
 *
 * What was paid for waits in memory and is written when the disk is good again; since nothing
 * is sent without its mark in the store, an ill disk also stops all sending. */
#ifndef ENGINE_KEEP_H
#define ENGINE_KEEP_H

#include "engine/ports.h"

#define KEEP_REST_US 1000000u

/* What is wrong with the store at present; one per engine, shared by all its calls. */
struct keep_ill {
    bool ill;
    const char *reason; /* "disk_full"; "io" for all that is not better known */
    char text[240];
};

struct keep {
    /* in: the call's `run` may run several times; what failed left no trace in the store */
    void (*run)(struct port_call *c, struct port_db *db); /* c is &keep.call */
    struct keep_ill *ill;
    struct op *wake;
    /* facts */
    bool done; /* call.rc and call.err say how it ended */
    /* own */
    struct port_call call;
    struct op op;
    struct port_timer rest;
    bool resting, drop;
};

/* Zeroed by the caller before the "in" fields are set. */
void keep_start(struct keep *k, struct turnq *q);

/* A wish: waits no longer for a better disk; ends in `done`. Fine on one that never began. */
void keep_drop(struct keep *k);
void keep_fini(struct keep *k); /* when done, or never started */

/* Remembers an illness that another call met. */
void keep_note(struct keep_ill *ill, const struct bbt_err *err);

/* True where `rc` is an illness of the disk and not of the call. */
bool keep_is_ill(enum bbt_rc rc);

#endif
