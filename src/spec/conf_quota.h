/* conf_quota.h -- the parts of the configuration that say how much may be sent, and when. */
#ifndef SPEC_CONF_QUOTA_H
#define SPEC_CONF_QUOTA_H

#include "spec/problem.h"
#include "spec/table.h"

#include <stdbool.h>
#include <stdint.h>

/* One real limit at a vendor; every provider that names it shares it. */
struct conf_quota {
    char *name;
    uint64_t requests_per_minute, tokens_per_minute; /* 0 = none */
    uint64_t concurrency; /* requests in flight; 0 = those of its providers together */
    bool adaptive;        /* fewer at once when the server says "too much" */
    double headroom;      /* share of the limits that is left unused */
    bool honour_headers;  /* believe the server about its limits */
};

/* When a provider that fails is left alone. */
struct conf_breaker {
    uint64_t window_us, min_requests;
    double failure_ratio;
    uint64_t open_us, open_cap_us;
};

extern const struct key_table conf_quota_table;

#endif
