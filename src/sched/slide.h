/* slide.h -- what was sent in the last minute: an exact sliding log of two amounts, requests
 * and tokens, in bounded space. Pure; time is passed in and only grows.
 *
 * The other side counts a request when it arrives, which is somewhere between its leaving and
 * its answer: an entry counts from its moment until `span_us` after `slack_us` later, or after
 * its answer, whichever comes first. Entries of one thousandth of the span share a cell, which
 * counts until its last entry is old: the log may count a little for too long, never for too
 * short. A token bucket cannot do this: full, it lets almost twice its size through in one
 * window. */
#ifndef SCHED_SLIDE_H
#define SCHED_SLIDE_H

#include <stddef.h>
#include <stdint.h>

enum { SLIDE_REQUESTS, SLIDE_TOKENS, SLIDE_DIMS };

#define SLIDE_CELLS 1024u

struct slide_cell {
    uint64_t first_us, last_us;
    uint64_t away;        /* requests that may not have arrived yet */
    uint64_t answered_us; /* the latest answer to one of the others */
    uint64_t amount[SLIDE_DIMS];
};

struct slide {
    uint64_t span_us, slack_us;
    uint64_t sum[SLIDE_DIMS]; /* of all cells */
    size_t head, n;
    struct slide_cell cell[SLIDE_CELLS];
};

/* An empty log. */
void slide_init(struct slide *s, uint64_t span_us, uint64_t slack_us);

/* Notes what is sent at `at`. Returns the time that it counts as: a time before the latest
 * entry counts as that one. */
uint64_t slide_add(struct slide *s, uint64_t at, uint64_t requests, uint64_t tokens);

/* One request that was added at `at`, as slide_add() returned it, is answered at `now`. At most
 * once for each, or never. Fine where it is forgotten. */
void slide_answered(struct slide *s, uint64_t at, uint64_t now);

/* Of what was added at `at` some tokens were none after all. Fine where that is forgotten. */
void slide_less(struct slide *s, uint64_t at, uint64_t tokens);

/* Forgets what no longer counts at `now`. */
void slide_expire(struct slide *s, uint64_t now);

/* The first time from `now` on at which the sum of `dim` is at most `most`. */
uint64_t slide_when(const struct slide *s, unsigned dim, uint64_t most, uint64_t now);

#endif
