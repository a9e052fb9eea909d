/* st_rate.h -- what limits must not forget in a restart: what was sent in the last minutes,
 * and who is left alone until when. */
#ifndef STORE_ST_RATE_H
#define STORE_ST_RATE_H

#include "base/err.h"
#include "base/record.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Rows of a quota older than this are dropped with the next one that is put. */
#define STORE_SENT_KEEP_US 120000000

/* Adds to what was sent at that moment. */
BBT_NODISCARD enum bbt_rc store_sent_put(
    struct store *s, const struct rec_sent *sent, struct bbt_err *err);

/* Everything sent at `since_us` or later, oldest first; to be freed by bbt_free(), NULL where
 * *ret_n is 0. */
BBT_NODISCARD enum bbt_rc store_sent_list(struct store *s, int64_t since_us,
    struct rec_sent **ret, size_t *ret_n, struct bbt_err *err);

/* Keeps a rest in the place of an earlier one; without reason it only takes that away. */
BBT_NODISCARD enum bbt_rc store_rest_put(
    struct store *s, const struct rec_rest *rest, struct bbt_err *err);

/* All of them, in order of their names; freed as above. */
BBT_NODISCARD enum bbt_rc store_rest_list(
    struct store *s, struct rec_rest **ret, size_t *ret_n, struct bbt_err *err);

#endif
