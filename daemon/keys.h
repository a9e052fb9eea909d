/* keys.h -- the providers' API keys: read at start, put on the wire, never shown. */
#ifndef DAEMON_KEYS_H
#define DAEMON_KEYS_H

#include "base/err.h"
#include "spec/conf.h"

#include <stddef.h>

struct keys;

/* Reads the key of every provider that names one. A file must be readable by its owner alone,
 * and that is us or root; an environment variable is wiped once it is read, so a reload takes
 * it from `old` (may be NULL; stays the caller's). Relative paths have been settled. The process
 * leaves no core files from then on. BBT_INVALID, BBT_NOTFOUND, BBT_DENIED: the sentence names
 * provider and place, and says how to mend it. */
BBT_NODISCARD enum bbt_rc keys_load(
    const struct conf *conf, const struct keys *old, struct keys **ret, struct bbt_err *err);
void keys_free(struct keys *k); /* wipes them; NULL is fine */

/* "Authorization: Bearer ..." of that provider in fresh memory, for keys_header_free().
 * BBT_NOTFOUND: it has no key. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc keys_header(
    const struct keys *k, const char *provider, char **ret);
void keys_header_free(char *header); /* NULL is fine */

#endif
