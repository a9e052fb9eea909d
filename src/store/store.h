/* store.h -- the daemon's database: open, close, group calls into one commit.
 *
 * SQLite in WAL mode with synchronous=FULL: a call that returned BBT_OK outside a
 * group, or whose group was committed, survives power loss. Calls block on the disk, so
 * they belong on one thread that nobody waits for; a `struct store` is used by one
 * thread at a time.
 *
 * Classes of every call below and in the st_*.h files: BBT_IO (disk full, I/O error:
 * stop admitting work), BBT_CORRUPT (the file is damaged), BBT_NOMEM; others are named.
 * A failed call leaves no trace of itself, inside a group too. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"

#include <stdbool.h>

struct store;

enum store_flag {
    STORE_NETWORK_OK = 1, /* accept a state directory on a network file system */
};

/* Routes SQLite's memory through base/alloc. Once, before the first store_open(). */
BBT_NODISCARD enum bbt_rc store_use_alloc(struct bbt_err *err);

/* Makes `state_dir` (0700) and bbtd.db (0600) where they are missing, takes the lock on
 * DIR/lock, brings the schema to this program's version (each migration in a
 * transaction). BBT_CONFLICT: another daemon holds the directory. BBT_DENIED: not ours
 * to write. BBT_INVALID: the file is not ours, or of a newer version, or on a network
 * file system. */
BBT_NODISCARD enum bbt_rc store_open(
    const char *state_dir, unsigned flags, struct store **ret, struct bbt_err *err);

/* Rolls an open group back, releases the lock. NULL is fine. */
void store_close(struct store *s);

/* Opens a group: the calls until store_commit() become durable together. Groups nest;
 * only the outermost commit writes. A call that fails inside undoes itself alone. */
BBT_NODISCARD enum bbt_rc store_begin(struct store *s, struct bbt_err *err);

/* On failure the whole group is undone and no group is open. */
BBT_NODISCARD enum bbt_rc store_commit(struct store *s, struct bbt_err *err);

/* Around several calls of a group that are one: with a failed `rc` they undo themselves
 * together, and the rest of the group stands. "Nothing there" (BBT_NOTFOUND) is no failure.
 * Returns the final outcome. */
BBT_NODISCARD enum bbt_rc store_enter(struct store *s, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc store_leave(
    struct store *s, enum bbt_rc rc, struct bbt_err *err);

/* Undoes and ends all open groups; fine without one. */
void store_rollback(struct store *s);

/* Writes a page as it is: fails where the disk takes no writes. */
BBT_NODISCARD enum bbt_rc store_touch(struct store *s, struct bbt_err *err);

/* Schema version of the open file = number of the last migration. */
int store_version(struct store *s);

/* SQLite's own quick check of the whole file; BBT_CORRUPT names the first finding. */
BBT_NODISCARD enum bbt_rc store_check(struct store *s, struct bbt_err *err);

#endif
