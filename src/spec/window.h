/* window.h -- a section that says when: `{days: [sat, sun], hours: "22:00-08:00", zone: UTC}`;
 * in a list `"22:00-08:00"` is short for one with the hours alone. */
#ifndef SPEC_WINDOW_H
#define SPEC_WINDOW_H

#include "base/hours.h"
#include "spec/table.h"

struct spec_window {
    struct hours_week week;
    char *zone; /* NULL: the configuration's own time zone */
};

/* For a row of KEY_ITEMS, its `items` and `words`. Its struct is a spec_window; whether the
 * system has the zone is not checked here. */
extern const struct key_table spec_window_table;
extern const char *const spec_window_word[];

#endif
