/* calendar.h -- windows of the week in which something is, or is not, to be done: quiet hours,
 * maintenance, cheap hours. Pure: wall time is passed in, microseconds since 1970.
 *
 * A window is open exactly while the clock on the wall of its zone shows a time inside its
 * hours. Where clocks go back the time comes twice, and so does the window; where they skip
 * it, there is none that day. */
#ifndef SCHED_CALENDAR_H
#define SCHED_CALENDAR_H

#include "base/hours.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALENDAR_NEVER INT64_MAX

struct calendar_window {
    struct hours_week week;
    const struct zone *zone; /* borrowed; NULL: UTC */
};

/* Is at least one of the windows open? Of none, none is. */
bool calendar_open(const struct calendar_window *w, size_t n, int64_t wall_us);

/* The first moment after `wall_us` at which calendar_open() says something else; a whole
 * second. CALENDAR_NEVER where that is not within the next five weeks, which is as good:
 * every window comes back each week, and no zone's clocks skip the same day so often. */
int64_t calendar_next(const struct calendar_window *w, size_t n, int64_t wall_us);

#endif
