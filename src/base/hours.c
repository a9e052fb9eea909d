#include "base/hours.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* "8:05" or "08:05", moving *s behind it. */
static bool clock_time(const char **s, unsigned *ret)
{
    unsigned part[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        int digits = 0;

        for (; **s >= '0' && **s <= '9' && digits < 2; digits++)
            part[i] = part[i] * 10 + (unsigned)(*(*s)++ - '0');
        if (digits == 0 || (i == 1 && digits < 2) || (i == 0 && *(*s)++ != ':'))
            return false;
    }
    *ret = part[0] * 60 + part[1];
    return part[1] < 60 && *ret <= HOURS_DAY_MIN;
}

bool hours_parse(const char *text, struct hours *ret)
{
    unsigned from, to;

    if (!clock_time(&text, &from) || *text++ != '-' || !clock_time(&text, &to) || *text ||
        from == to || from == HOURS_DAY_MIN)
        return false;
    ret->from_min = (uint16_t)from;
    ret->to_min = (uint16_t)to;
    return true;
}

void hours_print(struct hours h, char *out, size_t room)
{
    unsigned to = h.from_min || h.to_min ? h.to_min : HOURS_DAY_MIN;

    (void)snprintf(out, room, "%02u:%02u-%02u:%02u", h.from_min / 60u % 100u,
        h.from_min % 60u, to / 60 % 100, to % 60);
}

int hours_day(const char *name)
{
    for (int i = 0; i < 7; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

const char *hours_day_name(unsigned day)
{
    return names[day % 7];
}

bool hours_inside(const struct hours_week *w, unsigned day, unsigned minute)
{
    unsigned from = w->hours.from_min, to = w->hours.to_min;
    unsigned days = w->days ? w->days : HOURS_EVERY_DAY;
    bool today = days >> day % 7 & 1, yesterday = days >> (day + 6) % 7 & 1;

    if (from == 0 && to == 0)
        return today;
    if (from < to)
        return today && minute >= from && minute < to;
    return (today && minute >= from) || (yesterday && minute < to);
}
