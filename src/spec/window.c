#include "spec/window.h"

#include <stddef.h>

static const struct key keys[] = {
    {.path = "days",
        .type = KEY_DAYS,
        .at = offsetof(struct spec_window, week.days),
        .help = "mon to sun, on which it begins; absent: every day"},
    {.path = "hours",
        .type = KEY_HOURS,
        .at = offsetof(struct spec_window, week.hours),
        .fallback = "00:00-24:00",
        .help = "by the clock on the wall, over midnight as well: \"22:00-08:00\""},
    {.path = "zone",
        .type = KEY_ZONE,
        .at = offsetof(struct spec_window, zone),
        .help = "like Europe/Berlin; absent: the daemon's `timezone`"},
};

const struct key_table spec_window_table = {
    "window", keys, sizeof keys / sizeof keys[0], sizeof(struct spec_window)};

const char *const spec_window_word[] = {"hours", NULL};
