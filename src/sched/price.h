/* price.h -- what an answer costs. Exact: amounts are whole nano-dollars, and a fraction of
 * one is rounded up, so that no sum of ours is below the provider's. */
#ifndef SCHED_PRICE_H
#define SCHED_PRICE_H

#include <stdint.h>

/* nano-dollars; `in` and `out` for a million tokens */
struct price_rate {
    uint64_t in, out, request;
};

/* Of one answered request; never above UINT64_MAX - 1. */
uint64_t price_cost(const struct price_rate *r, uint64_t tokens_in, uint64_t tokens_out);

#endif
