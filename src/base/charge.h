/* charge.h -- the durable facts about spending, as plain values: reservations, sums. Amounts
 * are whole nano-dollars, days are numbered from 1970 by the configuration's time zone. */
#ifndef BASE_CHARGE_H
#define BASE_CHARGE_H

#include <stddef.h>
#include <stdint.h>

struct rec_sum {
    uint64_t requests, tokens, nano; /* tokens: both ways */
};

/* Who pays for a request, and what it may cost at worst. `id` 0: nothing is reserved in the
 * store (nothing can be charged), the rest still says whose the answer is. */
struct rec_claim {
    int64_t id;
    int64_t day;
    int64_t owner; /* user id; -1 = not known */
    int64_t job;   /* 0 = of no job */
    const char *provider, *model; /* borrowed */
    struct rec_sum worst;
};

/* What one user spent on one day. */
struct rec_day {
    int64_t day, owner;
    uint64_t nano;
};

enum rec_spend_by {
    REC_BY_JOB,
    REC_BY_PROVIDER,
    REC_BY_MODEL,
    REC_BY_TAG,
    REC_BY_USER,
    REC_BY_DAY,
    REC_BY_NR
};

/* A line of an account. */
struct rec_spend {
    int64_t number;  /* job, user or day; 0 elsewhere */
    char name[264];  /* job's name, provider, "provider/model" or tag; "" elsewhere */
    uint64_t requests, tokens_in, tokens_out, nano; /* with the ledger's answers */
    struct rec_sum other; /* charged, or perhaps charged, without one */
};

#endif
