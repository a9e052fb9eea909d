/* tariff.h -- what a model costs at which hour: the configuration's price list, ready to be
 * asked. */
#ifndef ENGINE_TARIFF_H
#define ENGINE_TARIFF_H

#include "base/err.h"
#include "sched/calendar.h"
#include "sched/price.h"
#include "spec/conf_price.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tariff_hours {
    struct calendar_window window;
    const struct zone *own; /* the window's zone where it is ours to free */
    struct price_rate rate;
};

struct tariff {
    bool known; /* free, or a price is said */
    struct price_rate usual;
    struct price_rate worst; /* the dearest of each, whatever the hour */
    struct tariff_hours *hours;
    size_t hours_nr;
};

/* Borrows `zone` (NULL: UTC) for hours that name none; reads the files of the others.
 * BBT_INVALID: a zone that the system does not have; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc tariff_init(struct tariff *t, const struct conf_price *price,
    const struct zone *zone, struct bbt_err *err);
void tariff_fini(struct tariff *t); /* a zeroed one is fine */

/* What holds at `wall_us`: of several hours at once the dearest of each, else the usual. */
void tariff_rate(const struct tariff *t, int64_t wall_us, struct price_rate *ret);

#endif
