#include "hours.h"

#include "base/clock.h"
#include "num/rng.h"

#include <stdio.h>
#include <string.h>

#define STREAM_HOURS 303
#define MINUTE INT64_C(60000000)
#define DAY 1440

static uint64_t draw(uint64_t seed, uint64_t *at, uint64_t n)
{
    return rng_u64(seed, STREAM_HOURS, (*at)++) % n;
}

bool hours_in_seed(uint64_t seed)
{
    uint64_t at = 0;

    return draw(seed, &at, 4) == 0;
}

/* Minutes of the day by the zone's clock; a few of them, and gaps that are longer. The first is
 * long enough for what is begun anew each time: the texts at a server's tokeniser. */
static size_t draw_windows(uint64_t seed, uint64_t *at, int64_t now_us, struct checks_hours *h)
{
    unsigned minute = (unsigned)((now_us + h->ahead_us) / MINUTE % DAY);
    size_t n = 1 + draw(seed, at, 8);

    minute += (unsigned)draw(seed, at, 3);
    for (size_t i = 0; i < n; i++) {
        unsigned length = (i ? 1 : 4) + (unsigned)draw(seed, at, 4);

        h->window[i].from = minute % DAY;
        h->window[i].to = (minute + length) % DAY;
        minute += length + 1 + (unsigned)draw(seed, at, 12);
    }
    return n;
}

void hours_draw(struct world *w, const char *name, struct checks_hours *ret, char *spec)
{
    static const struct {
        const char *name;
        int64_t ahead_min;
    } zone[] = {{"UTC", 0}, {"Asia/Kolkata", 330}, {"Etc/GMT+9", -540}};
    uint64_t at = 1 + 100 * (uint64_t)name[strlen(name) - 1];
    size_t z = draw(w->seed, &at, 3), len = 0;
    char when[32];

    *ret = (struct checks_hours){.name = name, .ahead_us = zone[z].ahead_min * MINUTE};
    if (draw(w->seed, &at, 4) == 0)
        ret->not_before_us =
            (port_wall_us() / 1000000 + (int64_t)draw(w->seed, &at, 400) - 60) * 1000000;
    if (draw(w->seed, &at, 4))
        ret->windows = draw_windows(w->seed, &at, port_wall_us(), ret);
    len += (size_t)snprintf(spec, HOURS_TEXT, ",\"schedule\":{");
    if (ret->not_before_us) {
        clock_rfc3339(ret->not_before_us, when, sizeof when);
        len += (size_t)snprintf(spec + len, HOURS_TEXT - len, "\"not_before\":\"%s\",", when);
    }
    len += (size_t)snprintf(spec + len, HOURS_TEXT - len, "\"windows\":[");
    for (size_t i = 0; i < ret->windows; i++)
        len += (size_t)snprintf(spec + len, HOURS_TEXT - len,
            "%s{\"hours\":\"%02u:%02u-%02u:%02u\",\"zone\":\"%s\"}", i ? "," : "",
            ret->window[i].from / 60, ret->window[i].from % 60, ret->window[i].to / 60,
            ret->window[i].to % 60, zone[z].name);
    (void)snprintf(spec + len, HOURS_TEXT - len, "]}");
}
