/* civil.h -- days of the Gregorian calendar as numbers, without locale, zone or clock. */
#ifndef BASE_CIVIL_H
#define BASE_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

struct civil {
    int year, month, day, hour, minute, second; /* month and day from 1; second up to 60 */
};

/* Days since 1970-01-01, any year of an int16_t's size or more, month 1 .. 12 (Hinnant,
 * "chrono-compatible low-level date algorithms", days_from_civil). */
int64_t civil_days(int year, int month, int day);

/* The year in which that day lies; |days| up to 10^12. */
int64_t civil_year(int64_t days);

/* 0 = Monday .. 6 = Sunday. */
unsigned civil_weekday(int64_t days);

/* Is every field within its range, the day within its month? Years 1 .. 9999. */
bool civil_valid(const struct civil *t);

/* Seconds since 1970 of a valid UTC time; a leap second counts as the next minute's first. */
int64_t civil_seconds(const struct civil *t);

/* Quotient rounded towards the past, for b > 0: seconds before 1970 are in day -1. */
int64_t civil_floor(int64_t a, int64_t b);

#endif
