/* zones.h -- time zone files of tests/golden/base/zone, and the C library as their oracle. */
#ifndef TESTS_UNIT_ZONES_H
#define TESTS_UNIT_ZONES_H

#include "base/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Every kind of oddity: half an hour of summer time, a winter time that is the exception, a
 * skipped day, skipped midnights, no summer time any more, two hours of it. */
static const char *const zones_all[] = {"Berlin", "New_York", "Lord_Howe", "Sydney", "Dublin",
    "Cairo", "Kathmandu", "Apia", "Troll", "Sao_Paulo", "Chatham", "Casablanca"};

#define ZONES_NR (sizeof zones_all / sizeof zones_all[0])

/* The zone, which is also the C library's own one from here on. */
static inline const struct zone *zones_open(const char *name)
{
    const char *root = getenv("BBT_TESTS");
    const struct zone *z = NULL;
    struct bbt_err err = {0};
    char folder[300], tz[400];

    (void)snprintf(folder, sizeof folder, "%s/golden/base/zone", root ? root : "tests");
    if (zone_load(folder, name, &z, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    (void)snprintf(tz, sizeof tz, ":%s/%s", folder, name);
    assert_int_equal(setenv("TZ", tz, 1), 0);
    tzset();
    return z;
}

static inline struct tm zones_tm(int64_t utc_s)
{
    time_t t = (time_t)utc_s;
    struct tm tm;

    assert_non_null(localtime_r(&t, &tm));
    return tm;
}

#endif
