/* db.h -- inside of src/store: queries, savepoints, SQLite's codes. Not for other
 * folders. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_CACHE 96 /* distinct statements in the source */

struct store {
    sqlite3 *db;
    int lock_fd;
    unsigned depth; /* open groups */
    enum bbt_rc
        lost; /* why SQLite undid an open group by itself; BBT_OK = it did not */
    struct {
        const char *sql; /* a literal: compared by address */
        sqlite3_stmt *st;
    } cache[DB_CACHE];
    size_t cached;
};

/* One run of a statement. Errors stick: bind, step and read without checks, then ask
 * db_end(). */
struct query {
    struct store *s;
    sqlite3_stmt *st;
    int rc; /* SQLite's */
    int bound, col;
    bool nomem; /* a copy of a column found no memory */
    bool bad;   /* a column does not have the shape it must have */
};

/* `sql` must be a string literal: its statement is prepared once and kept. */
void db_start(struct query *q, struct store *s, const char *sql);

/* Bind the next parameter. Texts and blobs must live until db_end(). NaN becomes NULL.
 */
void db_int(struct query *q, int64_t v);
void db_u64(struct query *q, uint64_t v); /* bits are kept, above 2^63 as well */
void db_real(struct query *q, double v);
void db_text(struct query *q, const char *v);             /* NULL becomes NULL */
void db_blob(struct query *q, const void *v, size_t len); /* NULL becomes NULL */

/* Next row; false at the end and on errors. */
bool db_row(struct query *q);

/* Read the next column of the row. */
int64_t db_col_int(struct query *q);
uint64_t db_col_u64(struct query *q);
double db_col_real(struct query *q);                       /* NULL becomes NaN */
void db_col_text(struct query *q, char *ret, size_t room); /* cut to room - 1 bytes */
char *db_col_text_new(struct query *q);                    /* NULL becomes "" */
/* A copy; NULL for NULL. `want` bytes exactly unless SIZE_MAX. */
void *db_col_blob(struct query *q, size_t want, size_t *ret_len);

/* Ends the run; what went wrong, if anything. Afterwards db_changed() is valid. */
BBT_NODISCARD enum bbt_rc db_end(struct query *q, struct bbt_err *err);

/* Ends a run that has no rows: db_row() and db_end() in one. */
BBT_NODISCARD enum bbt_rc db_done(struct query *q, struct bbt_err *err);

/* Rows changed by the statement that ended last. */
int64_t db_changed(struct store *s);

/* Several statements without parameters. */
BBT_NODISCARD enum bbt_rc db_exec(
    struct store *s, const char *sql, struct bbt_err *err);

/* Prepares what begins, commits and undoes, so that undoing never needs memory. */
BBT_NODISCARD enum bbt_rc db_warm(struct store *s, struct bbt_err *err);

/* A transaction; on failure of either there is none. */
BBT_NODISCARD enum bbt_rc db_begin(struct store *s, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc db_commit(struct store *s, struct bbt_err *err);

/* Around every public call of more than one statement: all or nothing of it, inside a
 * group and outside. db_leave() takes the call's outcome and returns the final one. */
BBT_NODISCARD enum bbt_rc db_enter(struct store *s, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc db_leave(
    struct store *s, enum bbt_rc rc, struct bbt_err *err);

/* Rolls back whatever transaction there is. */
void db_undo(struct store *s);

/* Fills `err` from SQLite's code and its sentence. */
enum bbt_rc db_fail(struct store *s, int code, struct bbt_err *err);

/* A connection beside the store's own, in the same shape; no lock, no settings.
 * store_close(). */
BBT_NODISCARD enum bbt_rc db_side(
    const char *path, int flags, struct store **ret, struct bbt_err *err);

/* Makes the state directory, takes its lock: a store without a database, for what must
 * not run beside a daemon. store_close() lets go. */
BBT_NODISCARD enum bbt_rc db_room(
    const char *state_dir, struct store **ret, struct bbt_err *err);

/* True for a finding of SQLite's checks that says no more than that a page could not be
 * read, by the disk's fault or for want of memory. */
bool db_unread(const char *finding);

/* True for file systems whose locks and mmap SQLite's WAL cannot rely on. */
bool db_fs_is_network(long f_type);

/* Room for one more of `*nr` rows of `size` bytes in a doubling array. */
BBT_NODISCARD enum bbt_rc db_grow(
    void **rows, size_t nr, size_t size, struct bbt_err *err);

#endif
