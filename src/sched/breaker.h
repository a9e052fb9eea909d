/* breaker.h -- stops asking a server that does not answer, and asks it one thing now and then.
 *
 *              share of failures, or many in a row
 *     CLOSED -------------------------------------> OPEN <-------.
 *        ^                                           |           | it fails: twice the wait
 *        |                                     wait is over      | (up to the cap)
 *        |              it answers                   v           |
 *        '------------------------------------- HALF: one request
 *
 * Pure; time is passed in and only grows. */
#ifndef SCHED_BREAKER_H
#define SCHED_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SLOTS 10u

struct breaker_conf {
    uint64_t window_us;    /* failures are counted over so long */
    uint64_t min_requests; /* fewer tell nothing */
    double failure_ratio;  /* of them, that opens it */
    uint64_t open_us, open_cap_us; /* first and longest wait */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF };

struct breaker {
    struct breaker_conf conf;
    enum breaker_state state;
    struct {
        uint64_t turn; /* number of the slot since time 0 */
        uint64_t good, bad;
    } slot[BREAKER_SLOTS];
    uint64_t row;      /* failures since the last good answer */
    uint64_t open_until, open_len;
    bool probing; /* half-open, and the one request is under way */
};

/* Closed, nothing counted. */
void breaker_init(struct breaker *b, const struct breaker_conf *conf);

/* May one more be sent? Where not: *ret_wake is when it is worth asking again; UINT64_MAX: not
 * before the probe is back. An open breaker whose time has come becomes half-open here. */
bool breaker_allows(struct breaker *b, uint64_t now, uint64_t *ret_wake);

/* A request is given a turn; true where it is the probe, to be told to breaker_done(). */
bool breaker_take(struct breaker *b);

enum breaker_news { BREAKER_GOOD, BREAKER_BAD, BREAKER_NONE };
/* How it ended; `probe` as breaker_take() said. */
void breaker_done(struct breaker *b, enum breaker_news news, bool probe, uint64_t now);

/* Somebody knows better: asks at once. */
void breaker_reset(struct breaker *b);

#endif
