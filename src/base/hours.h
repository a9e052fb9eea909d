/* hours.h -- stretches of the week by the clock on the wall: "22:00-08:00" on some days. What
 * a configuration says and a calendar uses; which zone's wall is somebody else's business. */
#ifndef BASE_HOURS_H
#define BASE_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOURS_DAY_MIN 1440
#define HOURS_EVERY_DAY 0x7fu

/* From the first minute up to, not with, the last; over midnight where `to` is not above
 * `from`. Both zero: the whole day. */
struct hours {
    uint16_t from_min; /* 0 .. 1439 */
    uint16_t to_min;   /* 0 .. 1440 */
};

/* `days` is a mask, bit 0 = Monday. A stretch over midnight belongs to the day on which it
 * begins. No day: every day. */
struct hours_week {
    struct hours hours;
    uint8_t days;
};

/* "22:00-08:00", "9:30-24:00"; the two must differ, the whole day is "00:00-24:00". */
bool hours_parse(const char *text, struct hours *ret);

/* The same with two digits each; `out` holds at least 12 bytes. */
void hours_print(struct hours h, char *out, size_t room);

/* "mon" .. "sun" as 0 .. 6, -1 where it is none; and back. */
int hours_day(const char *name);
const char *hours_day_name(unsigned day);

/* Is it inside when the wall shows `minute` of a day of the week (0 = Monday)? */
bool hours_inside(const struct hours_week *w, unsigned day, unsigned minute);

#endif
