/* timer.h -- wakes an operation after a while.
 *
 * Any number of them share one handle of the loop, and a stopped timer is forgotten at
 * once: its memory may be freed right after timer_stop(). Resolution is a millisecond,
 * never early. Loop thread only. */
#ifndef LOOP_TIMER_H
#define LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct op;

struct loop_timer {
    struct op *wake; /* may be NULL: only `fired` is set */
    bool fired; /* fact: the time is over; cleared by start and stop, or the owner */

    /* private */
    struct loop *loop;
    uint64_t due_us;
    struct loop_timer *child, *next, *prev; /* pairing heap; prev: sibling or parent */
    bool running;
};

/* A stopped timer that will wake `wake`. */
void timer_init(struct loop_timer *t, struct loop *l, struct op *wake);

/* Fires once, `after_us` from the loop's time (or at `due_us` of it), in a later turn
 * even where that is now. A running timer is restarted. */
void timer_start(struct loop_timer *t, uint64_t after_us);
void timer_start_at(struct loop_timer *t, uint64_t due_us);

/* Fine on a timer that does not run, also on one that is all zeroes. */
void timer_stop(struct loop_timer *t);

#endif
