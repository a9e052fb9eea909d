/* unit.h -- durations, sizes and large counts as people write them: "500ms", "32M". */
#ifndef SPEC_UNIT_H
#define SPEC_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unit_kind {
    UNIT_TIME, /* us ms s m h d; base is the microsecond */
    UNIT_SIZE, /* K M G T (times 1024); base is the byte */
    UNIT_COUNT /* k M G (times 1000); base is one */
};

/* A number (digits, at most one point) and a unit; without unit, seconds, bytes or ones.
 * False where the text is neither, or the value is above 2^53 or not a whole number of
 * the base. */
bool unit_parse(enum unit_kind kind, const char *text, uint64_t *ret);

/* The shortest exact form ("90s", "12h", "32M"; bytes and ones without letter). */
void unit_print(enum unit_kind kind, uint64_t v, char *out, size_t room);

#endif
