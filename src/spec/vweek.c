#include "spec/vweek.h"

#include "base/clock.h"
#include "base/date.h"
#include "base/hours.h"
#include "base/zone.h"

#define YEAR_10000_S INT64_C(253402300800)
#define DAYS_MUST "a list of days, mon tue wed thu fri sat sun"

static void read_hours(const struct reader *r, const json_t *v, struct hours *at)
{
    struct hours h;

    if (json_is_string(v) && hours_parse(json_string_value(v), &h))
        *at = h;
    else
        reader_wrong(r, "hours", v, "like \"22:00-08:00\"; the whole day is \"00:00-24:00\"");
}

static void read_days(const struct reader *r, const json_t *v, uint8_t *at)
{
    unsigned days = 0;
    size_t i;
    json_t *one;

    json_array_foreach (v, i, one) {
        int day = json_is_string(one) ? hours_day(json_string_value(one)) : -1;

        if (day < 0) {
            reader_wrong(r, DAYS_MUST, one, NULL);
            return;
        }
        days |= 1u << day;
    }
    if (days)
        *at = (uint8_t)days;
    else
        reader_wrong(r, DAYS_MUST, v, "like [sat, sun]; leave it out for every day");
}

static void read_zone(const struct reader *r, const json_t *v, char **at)
{
    if (json_is_string(v) && zone_name_ok(json_string_value(v)))
        reader_put(r, json_string_value(v), at);
    else
        reader_wrong(r, "a time zone", v, "like UTC or Europe/Berlin");
}

/* Parts of a second are rounded up: nothing is to happen before. */
static void read_moment(const struct reader *r, const json_t *v, int64_t *at)
{
    int64_t us = 0, s = 0;

    if (json_is_string(v) && date_rfc3339(json_string_value(v), &us) && us > 0)
        s = (us + 999999) / 1000000;
    if (s > 0 && s < YEAR_10000_S)
        *at = s * 1000000;
    else
        reader_wrong(r, "a moment", v,
            "like 2026-11-01T22:00:00+01:00, with its zone; Z at the end is UTC");
}

void vweek_read(const struct reader *r, const json_t *v, void *at)
{
    switch (r->k->type) {
    case KEY_HOURS:
        read_hours(r, v, at);
        return;
    case KEY_DAYS:
        read_days(r, v, at);
        return;
    case KEY_ZONE:
        read_zone(r, v, at);
        return;
    default:
        read_moment(r, v, at);
    }
}

static json_t *days_value(unsigned days)
{
    json_t *v = json_array();

    for (unsigned d = 0; v && d < 7; d++)
        if (days >> d & 1 && json_array_append_new(v, json_string(hours_day_name(d))) != 0) {
            json_decref(v);
            v = NULL;
        }
    return v;
}

json_t *vweek_print(const struct key *k, const void *at)
{
    char text[32];

    if (k->type == KEY_DAYS)
        return days_value(*(const uint8_t *)at);
    if (k->type == KEY_ZONE)
        return json_string(*(char *const *)at);
    if (k->type == KEY_MOMENT)
        clock_rfc3339(*(const int64_t *)at, text, sizeof text);
    else
        hours_print(*(const struct hours *)at, text, sizeof text);
    return json_string(text);
}
