/* date.h -- moments as headers and people write them, read without locale or time zone. */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 of an HTTP date (RFC 9110 5.6.7: IMF-fixdate, RFC 850, asctime); false
 * where it is none. A two-digit year is taken within 50 years of `wall_s`. */
bool date_http(const char *s, int64_t wall_s, int64_t *ret);

/* Microseconds since 1970 of an RFC 3339 time ("2026-11-27T05:04:32.5Z", "...+01:00"), rounded
 * up; false where it is none. */
bool date_rfc3339(const char *s, int64_t *ret_us);

#endif
