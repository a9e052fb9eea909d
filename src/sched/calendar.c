#include "sched/calendar.h"

#include "base/civil.h"

#define LOOK_AHEAD_S (INT64_C(35) * 86400)

static const struct zone *zone_of(const struct calendar_window *w)
{
    return w->zone ? w->zone : zone_utc();
}

static bool is_open(const struct calendar_window *w, int64_t utc_s)
{
    int64_t local = utc_s + zone_offset(zone_of(w), utc_s);
    int64_t day = civil_floor(local, 86400);

    return hours_inside(
        &w->week, civil_weekday(day), (unsigned)((local - day * 86400) / 60));
}

static bool any_open(const struct calendar_window *w, size_t n, int64_t utc_s)
{
    for (size_t i = 0; i < n; i++)
        if (is_open(&w[i], utc_s))
            return true;
    return false;
}

/* The earliest moment after `utc_s` at which this window can begin or end: its hours, the
 * next local midnight, or a change of the zone's clocks. */
static int64_t next_edge(const struct calendar_window *w, int64_t utc_s)
{
    int64_t change = zone_next_change(zone_of(w), utc_s);
    int64_t local = utc_s + zone_offset(zone_of(w), utc_s);
    int64_t midnight = civil_floor(local, 86400) * 86400, next = midnight + 86400;
    const int64_t edge[] = {w->week.hours.from_min * 60, w->week.hours.to_min * 60};

    for (int i = 0; i < 2; i++)
        if (midnight + edge[i] > local && midnight + edge[i] < next)
            next = midnight + edge[i];
    next = utc_s + (next - local);
    return next < change ? next : change;
}

static int64_t seconds(int64_t wall_us)
{
    int64_t s = civil_floor(wall_us, 1000000);

    return s > ZONE_LIMIT ? ZONE_LIMIT : s < -ZONE_LIMIT ? -ZONE_LIMIT : s;
}

bool calendar_open(const struct calendar_window *w, size_t n, int64_t wall_us)
{
    return any_open(w, n, seconds(wall_us));
}

int64_t calendar_next(const struct calendar_window *w, size_t n, int64_t wall_us)
{
    int64_t now = seconds(wall_us), at = now;
    bool open = any_open(w, n, now);

    while (n > 0 && at < now + LOOK_AHEAD_S) {
        int64_t next = next_edge(&w[0], at);

        for (size_t i = 1; i < n; i++) {
            int64_t edge = next_edge(&w[i], at);

            next = edge < next ? edge : next;
        }
        at = next;
        if (any_open(w, n, at) != open)
            return at * 1000000;
    }
    return CALENDAR_NEVER;
}
