/* zone_rule.h -- the rule of a time zone as POSIX writes it in TZ ("CET-1CEST,M3.5.0,M10.5.0/3"),
 * with RFC 8536's longer times of day: the last line of a zone's file. */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A day of every year and the time on it at which clocks change. */
struct zone_date {
    char kind;     /* 'M': week `week` (5 = last) of `month`, weekday `day` (0 = Sunday);
                      'J': day 1 .. 365, February 29 never counted; 'n': day 0 .. 365 */
    int month, week, day;
    int32_t time_s; /* after midnight of the clock before the change; may be negative */
};

struct zone_rule {
    int32_t std_s, dst_s; /* ahead of UTC; equal where there is no summer time */
    bool dst;
    struct zone_date start, end; /* of summer time, where `dst` */
};

/* The whole text must be one rule; a summer time needs its dates. False: it is none, or has
 * an offset over a day and an hour, or a date that is not in the calendar. */
bool zone_rule_parse(const char *s, size_t len, struct zone_rule *ret);

/* Seconds ahead of UTC at a moment, and the next moment at which that is another (INT64_MAX:
 * never). |utc_s| up to 10^12. */
int32_t zone_rule_offset(const struct zone_rule *r, int64_t utc_s);
int64_t zone_rule_next(const struct zone_rule *r, int64_t utc_s);

#endif
