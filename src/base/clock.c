#include "base/clock.h"

#include <time.h>

uint64_t clock_mono_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

int64_t clock_wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void clock_rfc3339(int64_t wall_us, char *out, size_t room)
{
    time_t s = (time_t)(wall_us / 1000000);
    struct tm tm;

    if (!room)
        return;
    out[0] = '\0';
    if (wall_us < 0 && wall_us % 1000000)
        s--; /* towards the past, as everywhere else */
    if (!gmtime_r(&s, &tm) || strftime(out, room, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0'; /* strftime leaves anything behind where it does not fit */
}
