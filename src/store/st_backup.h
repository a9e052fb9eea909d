/* st_backup.h -- copies of the database: a backup while the daemon runs, and back. */
#ifndef STORE_ST_BACKUP_H
#define STORE_ST_BACKUP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* Writes the database of `state_dir` as of now to `file` (0600): to FILE.tmp, checked,
 * synced, then named. Through a connection of its own, so it may run beside the store's
 * thread and holds up nobody. BBT_INVALID: not an absolute path. BBT_CONFLICT: there is
 * such a file. BBT_DENIED, BBT_IO (no room, ...). `ret_bytes` may be NULL. */
BBT_NODISCARD enum bbt_rc store_backup(
    const char *state_dir, const char *file, uint64_t *ret_bytes, struct bbt_err *err);

/* Puts a backup in the place of the database. No daemon may run on `state_dir`
 * (BBT_CONFLICT). The backup must be ours, sound and not newer than this program
 * (BBT_INVALID, BBT_CORRUPT). A database that is there stays as `*ret_kept`
 * (bbtd.db.before-TIME, freed by bbt_free(); NULL where there was none) with `force`, and
 * without it makes BBT_INVALID. After a failure the old one is in its place. */
BBT_NODISCARD enum bbt_rc store_restore(const char *file, const char *state_dir, bool force,
    char **ret_kept, struct bbt_err *err);

/* For store_open(): DIR/backups/bbtd-vN-TIME.db before the schema changes. */
BBT_NODISCARD enum bbt_rc backup_before_migration(
    struct store *s, const char *state_dir, int version, struct bbt_err *err);

#endif
