/* fmt.h -- figures as people read them. */
#ifndef CTL_FMT_H
#define CTL_FMT_H

#include "ctl.h"

#define FMT_MAX 48

/* "8,080"; `out` holds FMT_MAX bytes, as for all of these. */
void fmt_count(long long n, char *out);

/* "0.42 s", "46 s", "1 min 20 s", "6 h 04 min", "3 d 02 h"; "-" where it is no number. */
void fmt_seconds(double s, char *out);

/* "0.951"; "-" where it is no number. `digits` after the point, with a sign on request. */
void fmt_score(double v, int digits, bool sign, char *out);

/* "$2.12" of a decimal text; below a dollar up to four places ("$0.0052"), rounded. */
void fmt_money(const char *amount, char *out);

/* A time of the API (RFC 3339, UTC) in the zone of the user, or in UTC with --utc; "-" for
 * NULL, the text itself where it is no time. */
void fmt_time(const struct ctl *c, const char *rfc3339, char *out);

/* The member as a number; NaN where it is absent or null. */
double fmt_number(const json_t *obj, const char *key);

/* "what" or "whats" by the number. */
const char *fmt_plural(unsigned long long n);

#endif
