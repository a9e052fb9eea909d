/* clock.h -- the only reader of clocks. Everybody else gets time as an argument.
 *
 * Two clocks, never mixed: monotonic microseconds for waiting and measuring, wall-clock
 * microseconds since 1970 (UTC) for what a human reads. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic: never goes back, means nothing outside this boot. */
uint64_t clock_mono_us(void);

/* Wall clock, UTC: may jump either way. */
int64_t clock_wall_us(void);

/* "2026-11-22T23:38:01Z" (RFC 3339, seconds, UTC). `out` holds at least 21 bytes;
 * empty where it does not fit. */
void clock_rfc3339(int64_t wall_us, char *out, size_t room);

#endif
