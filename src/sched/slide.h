/* slide.h -- what was sent in the last minute: an exact sliding log of two amounts, requests
 * and tokens, in bounded space. Pure; time is passed in and only grows.
 *
 * An entry counts from its moment until `span_us` later. Entries of one thousandth of the
 * span share a cell, which counts until its last entry is old: the log may count a little
 * for too long, never for too short. A token bucket cannot do this: full, it lets almost
 * twice its size through in one window. */
#ifndef SCHED_SLIDE_H
#define SCHED_SLIDE_H

#include <stddef.h>
#include <stdint.h>

enum { SLIDE_REQUESTS, SLIDE_TOKENS, SLIDE_DIMS };

#define SLIDE_CELLS 1024u

struct slide_cell {
    uint64_t first_us, last_us;
    uint64_t amount[SLIDE_DIMS];
};

struct slide {
    uint64_t span_us;
    uint64_t sum[SLIDE_DIMS]; /* of all cells */
    size_t head, n;
    struct slide_cell cell[SLIDE_CELLS];
};

/* An empty log. */
void slide_init(struct slide *s, uint64_t span_us);

/* Notes what is sent at `at`; a time before the latest entry counts as that one. */
void slide_add(struct slide *s, uint64_t at, uint64_t requests, uint64_t tokens);

/* Of what was added at `at` some tokens were none after all. Fine where that is forgotten. */
void slide_less(struct slide *s, uint64_t at, uint64_t tokens);

/* Forgets what no longer counts at `now`. */
void slide_expire(struct slide *s, uint64_t now);

/* The first time from `now` on at which the sum of `dim` is at most `most`. */
uint64_t slide_when(const struct slide *s, unsigned dim, uint64_t most, uint64_t now);

#endif
