/* purse.h -- caps that hold under concurrency: what may be spent is reserved first.
 *
 *     reserve   worst case, in every purse that must pay, or in none
 *     settle    what it really was; the rest of the reservation is free again
 *     release   it cost nothing
 *
 * In every purse, as long as nothing cost more than was reserved for it:
 * spent + held <= cap, in requests, tokens and money. Pure: no time, no memory. */
#ifndef SCHED_PURSE_H
#define SCHED_PURSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PURSE_OPEN UINT64_MAX /* no cap */
#define PURSE_LEVELS 3        /* the job, its user's day, the day */

struct purse_sum {
    uint64_t requests, tokens, nano; /* nano-dollars */
};

struct purse {
    struct purse_sum cap, spent, held;
};

enum purse_unit { PURSE_FITS, PURSE_REQUESTS, PURSE_TOKENS, PURSE_USD };

/* What one request holds in its purses. The caller fills `of` (NULL: no such level) while it
 * is not open; the purses must outlive the claim. */
struct purse_claim {
    struct purse *of[PURSE_LEVELS];
    struct purse_sum held;
    bool open;
};

/* A purse without caps and with nothing in it. */
void purse_init(struct purse *p);

/* PURSE_FITS: reserved, the claim is open. Otherwise nothing was changed: the first unit that
 * the first purse without room is short of, and *ret_level (may be NULL) is its index. */
enum purse_unit purse_reserve(
    struct purse_claim *c, const struct purse_sum *worst, size_t *ret_level);

/* Whether `worst` would fit if all that is held came back unspent: else waiting is in vain. */
bool purse_may_fit(const struct purse_claim *c, const struct purse_sum *worst);

/* Closes an open claim: `actual` is spent. More than was held is spent, too: that is the
 * truth, and the purse has no room until it is refilled. */
void purse_settle(struct purse_claim *c, const struct purse_sum *actual);

/* Closes it as if it had never been; fine on one that is not open. */
void purse_release(struct purse_claim *c);

/* a + b in every unit, not above UINT64_MAX - 1. */
void purse_sum_add(struct purse_sum *a, const struct purse_sum *b);

#endif
