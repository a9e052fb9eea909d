/* limits.h -- what the headers of a response say about the provider's limits, in all the ways
 * in which providers say it. Pure.
 *
 * Read are OpenAI's names (also Azure, Groq, Cerebras, Fireworks), Anthropic's, Together's,
 * those of the IETF drafts, old and new, and APISIX's. Negative, absurd and malformed values
 * count as not said. */
#ifndef PROV_LIMITS_H
#define PROV_LIMITS_H

#include "prov/prov.h"

#include <stdbool.h>
#include <stdint.h>

struct limits_dim {
    bool known; /* a limit or what remains of it is */
    bool limit_known, remaining_known, reset_known;
    uint64_t limit;     /* most in a window; never 0 */
    uint64_t remaining; /* still allowed in it; never above a known limit */
    uint64_t reset_us;  /* from now until the whole limit is allowed again */
    uint64_t window_us; /* its length; 0: not said (a minute, as a rule) */
};

/* Where a response says several limits of a dimension, the tightest: the one of which least
 * remains, and among those that do not say it, the lowest. */
struct limits {
    struct limits_dim requests;
    struct limits_dim tokens; /* of input and output together, or of input; a limit of output
                                 alone only once nothing of it remains, as ours is tiny */
};

/* `wall_us` is the receiver's wall clock, for moments where the response has no Date. */
void limits_read(const struct prov_reply *r, int64_t wall_us, struct limits *ret);

/* How long a dimension of which nothing remains will stay so; 0 where none is known. */
uint64_t limits_wait_us(const struct limits *l);

/* The tighter of two limits of the same dimension; it does not matter which is which. */
struct limits_dim limits_tighter(const struct limits_dim *a, const struct limits_dim *b);

#endif
