/* st_trash.h -- jobs that somebody deleted: kept a while, hidden, and taken back or purged.
 *
 * The row stays as it was and gets `deleted_us`; until it is taken back the job's state is
 * REC_DELETED for every other call. store_retain() purges what has been here too long. */
#ifndef STORE_ST_TRASH_H
#define STORE_ST_TRASH_H

#include "base/err.h"

#include <stdint.h>

struct store;

/* Into the trash. BBT_NOTFOUND; BBT_CONFLICT where the job is running or there already. */
BBT_NODISCARD enum bbt_rc store_trash_put(
    struct store *s, int64_t id, int64_t wall_us, struct bbt_err *err);

/* Back to the state that it had. BBT_NOTFOUND; BBT_CONFLICT where it is not in the trash, or
 * is being purged. */
BBT_NODISCARD enum bbt_rc store_trash_take(
    struct store *s, int64_t id, int64_t wall_us, struct bbt_err *err);

/* The job and everything of it goes for good, out of the trash or not; its id is not used
 * again. A large ledger is not gone at once: the job is still there then, cannot be taken back
 * any more, and another call or store_retain() goes on. BBT_NOTFOUND; BBT_CONFLICT where it is
 * running. */
BBT_NODISCARD enum bbt_rc store_trash_purge(
    struct store *s, int64_t id, struct bbt_err *err);

#endif
