/* scalar.h -- an unquoted word of YAML as a value, by the core schema of YAML 1.2. */
#ifndef BASE_SCALAR_H
#define BASE_SCALAR_H

#include "base/err.h"

#include <jansson.h>
#include <locale.h>
#include <stddef.h>

/* `c` is a locale whose numbers have a point. BBT_INVALID: a number that JSON does not
 * have (too large, infinite, not a number); the sentence has no place. The caller owns
 * *ret. */
BBT_NODISCARD enum bbt_rc scalar_plain(
    const char *s, size_t len, locale_t c, json_t **ret, struct bbt_err *err);

#endif
