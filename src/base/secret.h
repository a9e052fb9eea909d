/* secret.h -- bytes that may be sent and never shown: API keys.
 *
 * A secret lives in memory of its own, outside of core files and swap, and is known to the
 * process by value: whoever writes text for people (log, errors, API) has it looked through
 * first. What a server echoes of a key is found as well, also cut short or escaped. There is no
 * way to print one; secret_reveal() is for the one place that puts it on the wire [home].
 * Thread-safe. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SECRET_LEN_MIN 8u /* a shorter one would be found in ordinary words */
#define SECRET_LEN_MAX 4096u
#define SECRET_MARK "[key]" /* stands where one was; shorter than any */

struct secret;

/* A copy of `bytes` without blanks and line ends around it; known from now on. `what` names it
 * in errors: BBT_INVALID where it is too short, too long or not printable ASCII without blanks
 * (a header could be forged); BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc secret_new(const char *what, const char *bytes, size_t len,
    struct secret **ret, struct bbt_err *err);

/* Wipes it; NULL is fine. It is not looked for any more. */
void secret_free(struct secret *s);

/* The bytes, NUL-terminated, until secret_free(). */
const char *secret_reveal(const struct secret *s);

/* Overwrites `len` bytes so that no compiler leaves it out. */
void secret_wipe(void *bytes, size_t len);

/* Length of a known secret that begins at `s` (of `len` bytes): as it is, percent-encoded, with
 * JSON's "\/", or of its first bytes where the text ends within it. 0: none. */
size_t secret_at(const char *s, size_t len);

/* Puts SECRET_MARK where a known secret stands in `text`; never longer than before. */
void secret_redact(char *text);

#endif
