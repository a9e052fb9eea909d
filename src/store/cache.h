/* cache.h -- the response cache: answers that were paid for once, by the exact bytes of their
 * question, for every later job that asks the same.
 *
 * A file of its own (DIR/responses.db) that may be lost at any time: nothing depends on it but
 * money. Only answers are put, never failures; each carries a seal, and one that does not hold
 * is dropped, not used. Blocking; one thread at a time. Every call can fail with BBT_IO or
 * BBT_NOMEM, after which the cache is as it was; a caller then goes on without. */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "base/digest.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;

struct cache_limits {
    uint64_t bytes_max; /* of the file; 0 = any */
    int64_t ttl_us;     /* age of an answer; 0 = any */
};

struct cache_answer {
    uint32_t rows, labels;
    float *logit; /* rows x labels, finite */
    uint32_t tokens_in, tokens_out;
    int64_t made_us; /* wall clock */
};

/* Makes DIR (0700) and the file (0600) where they are missing. A file that is damaged, foreign
 * or of another version is set aside as responses.db.bad, *ret_anew (may be NULL) then true.
 * BBT_CONFLICT: another process has it. BBT_DENIED, BBT_INVALID: no place for it. */
BBT_NODISCARD enum bbt_rc cache_open(const char *dir, struct cache **ret, bool *ret_anew,
    struct bbt_err *err);
void cache_close(struct cache *c); /* NULL is fine */

/* BBT_NOTFOUND: never answered, too old by `l`, or damaged. ret->logit is to be freed by
 * bbt_free(). */
BBT_NODISCARD enum bbt_rc cache_get(struct cache *c, const uint8_t key[DIGEST_LEN],
    const struct cache_limits *l, int64_t wall_us, struct cache_answer *ret,
    struct bbt_err *err);

/* Keeps an answer; a later one of the same question replaces it. BBT_INVALID: no shape, or a
 * number that is not finite. */
BBT_NODISCARD enum bbt_rc cache_put(struct cache *c, const uint8_t key[DIGEST_LEN],
    const struct cache_answer *a, struct bbt_err *err);

/* One small step towards the limits: drops what is too old, then what was not used for
 * longest; with bytes_max 1 in the end everything. *ret_more: there is more to do. */
BBT_NODISCARD enum bbt_rc cache_trim(struct cache *c, const struct cache_limits *l,
    int64_t wall_us, bool *ret_more, struct bbt_err *err);

/* Looks through the next entries above the key `after` (all zero at first; it moves on) and
 * drops the damaged ones. *ret_bad: how many; *ret_more: call again. */
BBT_NODISCARD enum bbt_rc cache_verify(struct cache *c, uint8_t after[DIGEST_LEN],
    uint64_t *ret_bad, bool *ret_more, struct bbt_err *err);

struct cache_stats {
    uint64_t entries, bytes; /* in the file */
    int64_t oldest_us;       /* 0: empty */
    uint64_t hits, misses, puts, bad; /* since it was opened */
};
/* What there is, and how well it served. */
BBT_NODISCARD enum bbt_rc cache_stats(
    struct cache *c, struct cache_stats *ret, struct bbt_err *err);

#endif
