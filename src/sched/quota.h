/* quota.h -- one real limit at a vendor: requests and tokens per minute. Pure; time is passed
 * in and only grows.
 *
 * Strict: what is sent in any 60 seconds is at most the limit less the headroom, for requests
 * of any size, because a sliding log decides (slide.h). A pace beside it keeps a minute's
 * allowance from leaving in its first second: some vendors look at one to ten seconds.
 *
 *   reserve (turn granted) --> sent (it leaves) --> answered (it has arrived before)
 *                          '-> back (it does not leave after all)
 *
 * A reservation counts in every window until it is one or the other. */
#ifndef SCHED_QUOTA_H
#define SCHED_QUOTA_H

#include "sched/slide.h"

#include <stdbool.h>
#include <stdint.h>

#define QUOTA_NEVER UINT64_MAX
#define QUOTA_MINUTE_US 60000000u
/* Requests do not arrive as evenly as they leave: so much later one may be counted that is not
 * answered yet. */
#define QUOTA_JITTER_US 250000u

struct quota_limits {
    uint64_t per_minute[SLIDE_DIMS]; /* 0 = none of our own */
    double headroom;                 /* share that is left unused; 0 .. 0.5 */
    bool honour;                     /* believe what the server says about its limits */
};

/* What an answer said about one dimension. */
struct quota_seen {
    bool has_limit, has_remaining;
    uint64_t limit;     /* per minute */
    uint64_t remaining; /* now, in the server's eyes */
    uint64_t reset_us;  /* from now until that is whole again; 0 = not said */
};

struct quota {
    struct quota_limits limits;
    uint64_t learned[SLIDE_DIMS]; /* the server's limit; 0 = not said */
    uint64_t cap[SLIDE_DIMS];     /* allowed in a window; QUOTA_NEVER = no limit */
    uint64_t pending[SLIDE_DIMS]; /* reserved, not sent yet */
    uint64_t pace_us[SLIDE_DIMS]; /* not before, by pace */
    struct {
        uint64_t amount, until_us; /* used by others in the server's eyes, for so long */
    } foreign[SLIDE_DIMS];
    struct slide log;
};

/* A quota of which nothing was used yet. */
void quota_init(struct quota *q, const struct quota_limits *limits);
/* Other limits from a reloaded configuration; what was sent stays sent. */
void quota_limit(struct quota *q, const struct quota_limits *limits);
/* True where anything is limited, by us or by what the server has said. */
bool quota_limited(const struct quota *q);

/* False where a request of so many tokens is more than a whole minute's allowance. */
bool quota_fits(const struct quota *q, uint64_t tokens);
/* The first time from `now` on at which one such request may leave; QUOTA_NEVER where only
 * the end of a reservation can tell, or nothing ever will. */
uint64_t quota_when(struct quota *q, uint64_t tokens, uint64_t now);

/* One request of so many tokens is about to leave; it does not after all. */
void quota_reserve(struct quota *q, uint64_t tokens, uint64_t now);
void quota_back(struct quota *q, uint64_t tokens);
/* It leaves now. Returns the time by which the log knows it. */
uint64_t quota_sent(struct quota *q, uint64_t tokens, uint64_t now);
/* What was sent at `at`, as quota_sent() returned it, is answered: it need not be counted for
 * as long as what may still be on its way. Once for each, or never. */
void quota_answered(struct quota *q, uint64_t at, uint64_t now);
/* A request was larger than it was reserved for; or smaller, sent at `at`. */
void quota_more(struct quota *q, uint64_t tokens, uint64_t now);
void quota_less(struct quota *q, uint64_t tokens, uint64_t at);

/* What an answer said; `dim` as in slide.h. Used where `honour`. A limit of our own is never
 * raised by it. */
void quota_learn(struct quota *q, unsigned dim, const struct quota_seen *seen, uint64_t now);

/* What an earlier daemon sent at `at` (this clock; may be before its zero: then 0 is as good).
 * Oldest first, before anything else. */
void quota_restore(struct quota *q, uint64_t at, uint64_t requests, uint64_t tokens);

#endif
