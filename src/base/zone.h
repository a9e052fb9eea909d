/* zone.h -- time zones by name: what a clock on the wall shows at a moment, and which moment
 * it is when it shows a time. Read from the system's TZif files (RFC 8536), with the rule of
 * their last line for the years beyond the table. Pure but for zone_load(). */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define ZONE_NAME_MAX 64
#define ZONE_NEVER INT64_MAX
#define ZONE_LIMIT INT64_C(1000000000000) /* seconds around 1970 within which all is exact */

/* A zone never changes: any thread may read it. */
struct zone;

/* UTC, built in. zone_free() of it does nothing. */
const struct zone *zone_utc(void);

/* Could this be the name of a zone: "Europe/Berlin", "UTC", "Etc/GMT+3"? Says nothing about
 * whether the system has it. No such name leads out of the folder. */
bool zone_name_ok(const char *name);

/* The zone of that name from the files in `folder` (NULL: ZONE_FOLDER); "UTC" needs none.
 * Reads a file, so not in the loop's turn. BBT_INVALID: no such name, or a file that counts
 * leap seconds; BBT_NOTFOUND: the system does not have it; BBT_CORRUPT: not a zone's file;
 * BBT_NOMEM, BBT_IO, BBT_DENIED. The caller owns *ret. */
BBT_NODISCARD enum bbt_rc zone_load(
    const char *folder, const char *name, const struct zone **ret, struct bbt_err *err);

/* The same from bytes, of any of the format's versions. BBT_CORRUPT, BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc zone_parse(
    const void *bytes, size_t len, const struct zone **ret, struct bbt_err *err);

void zone_free(const struct zone *z); /* NULL is fine */

/* Seconds that the wall clock is ahead of UTC at `utc_s` (seconds since 1970). */
int32_t zone_offset(const struct zone *z, int64_t utc_s);

/* The first moment after `utc_s` at which zone_offset() is another; ZONE_NEVER where none is
 * known. */
int64_t zone_next_change(const struct zone *z, int64_t utc_s);

/* The moment at which the wall clock shows `local_s` (seconds since 1970 as if it were UTC).
 * Shown twice, where clocks go back: the first of the two. Never shown, where clocks skip it:
 * counted with the offset before the skip, so a time in the middle of a skipped hour is the
 * moment half an hour after the skip. */
int64_t zone_moment(const struct zone *z, int64_t local_s);

/* Number of the local day (days since 1970-01-01) at `utc_s`, and the first moment that
 * belongs to a local day: its midnight, or the end of the skip that swallowed it. */
int64_t zone_day(const struct zone *z, int64_t utc_s);
int64_t zone_day_start(const struct zone *z, int64_t day);

#endif
