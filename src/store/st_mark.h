/* st_mark.h -- requests that may be on the wire: written before a request leaves, taken
 * away with its answer. What a crash leaves behind are the only requests that can be
 * paid twice. */
#ifndef STORE_ST_MARK_H
#define STORE_ST_MARK_H

#include "base/err.h"
#include "base/record.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Marking again sets `tries`. BBT_NOTFOUND: no such job. */
BBT_NODISCARD enum bbt_rc store_mark_put(
    struct store *s, const struct rec_mark *m, struct bbt_err *err);

/* Takes the mark of an answer's key away; fine without one. */
BBT_NODISCARD enum bbt_rc store_mark_drop(
    struct store *s, const struct rec_answer *a, struct bbt_err *err);

/* Marks of one phase of one generation; to be freed by bbt_free(), NULL where *ret_n is
 * 0. */
BBT_NODISCARD enum bbt_rc store_mark_list(struct store *s, int64_t job,
    enum rec_phase phase, uint64_t gen, struct rec_mark **ret, size_t *ret_n,
    struct bbt_err *err);

#endif
