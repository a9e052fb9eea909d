/* backoff.h -- how long to wait before asking again. Pure: random bits are passed in. */
#ifndef SCHED_BACKOFF_H
#define SCHED_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_BASE_US 500000u
#define BACKOFF_CAP_US 30000000u

/* Wait before attempt `tries` + 1, where `tries` >= 1 have failed. A hint of the server wins:
 * it is waited out in full and a little more (up to a tenth, at most a second), so that those
 * who were told the same do not come back at the same moment. Without one:
 * U(0.5, 1) * min(base * 2^(tries-1), cap); base or cap 0 = the above. `bits`: 64 random bits. */
uint64_t backoff_us(
    uint64_t base_us, uint64_t cap_us, unsigned tries, uint64_t hint_us, uint64_t bits);

/* The share of requests that may be retries. Each first attempt earns a fifth of a retry. */
struct backoff_budget {
    uint64_t spent; /* fifths of a retry; zeroed: all may be spent */
};
#define BACKOFF_FIFTHS_MAX 500u

/* A request is asked for the first time. */
void backoff_earn(struct backoff_budget *b);
/* False where retries are more than their share: they should then be rarer. */
bool backoff_spend(struct backoff_budget *b);
/* Tries that a retry beyond its share counts as more, so that its wait is longer. */
#define BACKOFF_BEYOND 3u

#endif
