/* f_zone.c -- time zone files. What is taken can be asked for any moment, without end or
 * overflow, and its answers fit together. */
#include "base/zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool law)
{
    if (!law)
        abort();
}

static void ask(const struct zone *z, int64_t at)
{
    int64_t next = zone_next_change(z, at), local = at + zone_offset(z, at);
    int64_t moment = zone_moment(z, local), day = zone_day(z, at);

    expect(next > at);
    if (next != ZONE_NEVER && next < ZONE_LIMIT) {
        expect(zone_offset(z, next) != zone_offset(z, at));
        expect(zone_offset(z, next - 1) == zone_offset(z, at));
    }
    /* The local time exists, and its first moment is this one or an earlier one. */
    expect(moment <= at && moment + zone_offset(z, moment) == local);
    expect(zone_day_start(z, day) <= at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t far[] = {INT64_MIN, INT64_MAX, ZONE_LIMIT, -ZONE_LIMIT};
    const struct zone *z = NULL;
    int64_t at = -3000000000;

    if (zone_parse(data, size, &z, NULL) != BBT_OK)
        return 0;
    for (int i = 0; i < 40; i++, at += 211000003)
        ask(z, at);
    for (int i = 0; i < 4; i++) {
        (void)zone_next_change(z, far[i]);
        (void)zone_moment(z, far[i]);
        (void)zone_day_start(z, far[i]);
    }
    zone_free(z);
    return 0;
}
