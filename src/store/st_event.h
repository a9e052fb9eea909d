/* st_event.h -- what happened, in order, for people and for `Last-Event-ID`. */
#ifndef STORE_ST_EVENT_H
#define STORE_ST_EVENT_H

#include "base/err.h"
#include "base/record.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* e->id is ignored; *ret_id (may be NULL) is the new cursor, higher than every earlier
 * one. */
BBT_NODISCARD enum bbt_rc store_event_add(
    struct store *s, const struct rec_event *e, int64_t *ret_id, struct bbt_err *err);

/* Events with id > `after`, oldest first, of one job (0 = of all), at most `limit` (0 =
 * 1000). To be freed by bbt_free(); NULL where *ret_n is 0. */
BBT_NODISCARD enum bbt_rc store_event_list(struct store *s, int64_t job, int64_t after,
    size_t limit, struct rec_event **ret, size_t *ret_n, struct bbt_err *err);

#endif
