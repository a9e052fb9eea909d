/* conf_price.h -- the part of a model's configuration that says what it costs. */
#ifndef SPEC_CONF_PRICE_H
#define SPEC_CONF_PRICE_H

#include "base/hours.h"
#include "base/money.h"
#include "spec/problem.h"
#include "spec/table.h"

#include <stdbool.h>
#include <stdint.h>

/* Dearer or cheaper hours; a rate that is not said (MONEY_NONE) is the usual one. */
struct conf_off_peak {
    struct hours_week week;
    char *zone; /* NULL: the configuration's */
    uint64_t in, out, request;
};

/* nano-dollars, `in` and `out` for a million tokens; MONEY_NONE: not said */
struct conf_price {
    bool free;
    uint64_t in, out, request;
    char *as_of; /* day of the price list, "2026-11-01" */
    struct key_items off_peak; /* struct conf_off_peak */
};

extern const struct key_table conf_off_peak_table;

/* Free, or a price is said: a cap in money can be kept. */
bool conf_price_known(const struct conf_price *p);

/* What one key alone cannot tell; `pointer` is the price's own ("/providers/0/..."), `where`
 * what people call it. */
void conf_price_check(const struct conf_price *p, const char *pointer, const char *where,
    struct spec_problems *problems);

#endif
