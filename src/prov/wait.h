/* wait.h -- waits as servers write them: "1.5", "6m0s", "120ms", a moment. What is negative,
 * not finite or absurd is not a wait. Microseconds, rounded up: waiting a moment too long is
 * polite, too short is not. */
#ifndef PROV_WAIT_H
#define PROV_WAIT_H

#include "prov/prov.h"

#include <stdbool.h>
#include <stdint.h>

#define WAIT_ABSURD_US (UINT64_C(400) * 86400 * 1000000) /* longer is nonsense */

/* A decimal number without exponent, times `unit_us`; blanks around it are fine. */
bool wait_decimal(const char *s, uint64_t unit_us, uint64_t *ret_us);

/* As Go writes durations: numbers with units (d h m s ms us ns, and the two signs for micro),
 * added up; a number without unit is seconds. */
bool wait_duration(const char *s, uint64_t *ret_us);

/* A duration, or how long it is until an RFC 3339 time or an HTTP date; a number that is no
 * duration may count the seconds, or milliseconds, since 1970. What has passed is 0. */
bool wait_until(const char *s, int64_t now_us, uint64_t *ret_us);

/* The server's own clock where the response has a Date, else `wall_us`: moments of a header
 * are counted from it. */
int64_t wait_now_us(const struct prov_reply *r, int64_t wall_us);

/* The wait that a sentence for people ends in: "... try again in 46.72s", "... retry after
 * 6 seconds". The last resort: nobody promises these words. */
bool wait_in_words(const char *text, uint64_t *ret_us);

#endif
