#include "store/db.h"

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blobs are little endian");

static enum bbt_rc code_rc(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return BBT_NOTFOUND; /* the only foreign keys are to a job and its generation */
    case SQLITE_IOERR_NOMEM:
        return BBT_NOMEM;
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return BBT_CONFLICT;
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return BBT_OK;
    case SQLITE_NOMEM:
        return BBT_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return BBT_CORRUPT;
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return BBT_INVALID;
    default:
        return BBT_IO; /* FULL, IOERR, BUSY, READONLY, CANTOPEN, ... */
    }
}

enum bbt_rc db_fail(struct store *s, int code, struct bbt_err *err)
{
    enum bbt_rc rc = code_rc(code);
    const char *why = s->db && sqlite3_extended_errcode(s->db) == code
                          ? sqlite3_errmsg(s->db)
                          : sqlite3_errstr(code);

    /* Some failures make SQLite undo the whole transaction. The rest of the group must
     * not run on without it, as single commits. */
    if (s->depth > 0 && s->lost == BBT_OK && sqlite3_get_autocommit(s->db))
        s->lost = rc;
    return bbt_fail(err, rc, "database: %s", why);
}

static enum bbt_rc fail_lost(struct store *s, struct bbt_err *err)
{
    return bbt_fail(
        err, s->lost, "database: an earlier failure undid this group of changes");
}

static int prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
    int code;

    for (size_t i = 0; i < s->cached; i++)
        if (s->cache[i].sql == sql) {
            *ret = s->cache[i].st;
            return SQLITE_OK;
        }
    assert(s->cached < DB_CACHE);
    code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
    if (code == SQLITE_OK) {
        s->cache[s->cached].sql = sql;
        s->cache[s->cached++].st = *ret;
    }
    return code;
}

void db_start(struct query *q, struct store *s, const char *sql)
{
    *q = (struct query){.s = s};
    if (s->lost == BBT_OK)
        q->rc = prepare(s, sql, &q->st);
}

/* A parameter may be bound only while nothing went wrong and the group still stands. */
static bool can_bind(struct query *q)
{
    return q->rc == SQLITE_OK && q->st;
}

void db_int(struct query *q, int64_t v)
{
    q->bound++;
    if (can_bind(q))
        q->rc = sqlite3_bind_int64(q->st, q->bound, v);
}

void db_u64(struct query *q, uint64_t v)
{
    int64_t bits;

    memcpy(&bits, &v, sizeof bits);
    db_int(q, bits);
}

void db_real(struct query *q, double v)
{
    q->bound++;
    if (can_bind(q))
        q->rc = isnan(v) ? sqlite3_bind_null(q->st, q->bound)
                         : sqlite3_bind_double(q->st, q->bound, v);
}

void db_text(struct query *q, const char *v)
{
    q->bound++;
    if (can_bind(q))
        q->rc = sqlite3_bind_text(q->st, q->bound, v, -1, SQLITE_STATIC);
}

void db_blob(struct query *q, const void *v, size_t len)
{
    q->bound++;
    if (!can_bind(q))
        return;
    /* a NULL pointer would bind SQL's NULL where zero bytes are meant */
    q->rc = v && len == 0 ? sqlite3_bind_zeroblob(q->st, q->bound, 0)
                          : sqlite3_bind_blob64(q->st, q->bound, v, len, SQLITE_STATIC);
}

bool db_row(struct query *q)
{
    if (!q->st || q->nomem || q->bad || (q->rc != SQLITE_OK && q->rc != SQLITE_ROW))
        return false;
    q->rc = sqlite3_step(q->st);
    q->col = 0;
    return q->rc == SQLITE_ROW;
}

int64_t db_col_int(struct query *q)
{
    return sqlite3_column_int64(q->st, q->col++);
}

uint64_t db_col_u64(struct query *q)
{
    int64_t v = db_col_int(q);
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits;
}

double db_col_real(struct query *q)
{
    int i = q->col++;

    return sqlite3_column_type(q->st, i) == SQLITE_NULL
               ? (double)NAN
               : sqlite3_column_double(q->st, i);
}

void db_col_text(struct query *q, char *ret, size_t room)
{
    const unsigned char *v = sqlite3_column_text(q->st, q->col);
    size_t len = (size_t)sqlite3_column_bytes(q->st, q->col++);

    if (len >= room)
        len = room - 1;
    if (v)
        memcpy(ret, v, len);
    ret[v ? len : 0] = '\0';
}

char *db_col_text_new(struct query *q)
{
    const unsigned char *v = sqlite3_column_text(q->st, q->col);
    size_t len = (size_t)sqlite3_column_bytes(q->st, q->col++);
    char *copy = bbt_strndup(v ? (const char *)v : "", v ? len : 0);

    q->nomem = q->nomem || !copy;
    return copy;
}

void *db_col_blob(struct query *q, size_t want, size_t *ret_len)
{
    const void *v = sqlite3_column_blob(q->st, q->col);
    size_t len = (size_t)sqlite3_column_bytes(q->st, q->col);
    bool null = sqlite3_column_type(q->st, q->col++) == SQLITE_NULL;
    void *copy;

    if (ret_len)
        *ret_len = null ? 0 : len;
    if (null)
        return NULL;
    if (want != SIZE_MAX && len != want) {
        q->bad = true;
        return NULL;
    }
    copy = v || len == 0 ? bbt_alloc(len) : NULL;
    if (copy && len)
        memcpy(copy, v, len);
    q->nomem = q->nomem || !copy;
    return copy;
}

enum bbt_rc db_end(struct query *q, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    if (q->s->lost != BBT_OK)
        rc = fail_lost(q->s, err);
    else if (q->nomem)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a row of the database");
    else if (q->bad)
        rc = bbt_fail(err, BBT_CORRUPT, "a row of the database has a wrong length");
    else if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW && q->rc != SQLITE_DONE)
        rc = db_fail(q->s, q->rc, err);
    if (q->st) {
        (void)sqlite3_reset(q->st); /* repeats the step's code, which we have */
        (void)sqlite3_clear_bindings(q->st);
    }
    return rc;
}

enum bbt_rc db_done(struct query *q, struct bbt_err *err)
{
    (void)db_row(q);
    return db_end(q, err);
}

int64_t db_changed(struct store *s)
{
    return sqlite3_changes64(s->db);
}

enum bbt_rc db_exec(struct store *s, const char *sql, struct bbt_err *err)
{
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? BBT_OK : db_fail(s, code, err);
}

/* Literals that more than one place runs: a statement is found by its address. */
static const char sql_begin[] = "BEGIN IMMEDIATE";
static const char sql_commit[] = "COMMIT";
static const char sql_rollback[] = "ROLLBACK";
static const char sql_enter[] = "SAVEPOINT one";
static const char sql_release[] = "RELEASE one";
static const char sql_back[] = "ROLLBACK TO one";

enum bbt_rc db_warm(struct store *s, struct bbt_err *err)
{
    static const char *const all[] = {
        sql_begin, sql_commit, sql_rollback, sql_enter, sql_release, sql_back};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        sqlite3_stmt *st;
        int code = prepare(s, all[i], &st);

        if (code != SQLITE_OK)
            return db_fail(s, code, err);
    }
    return BBT_OK;
}

static enum bbt_rc run_plain(struct store *s, const char *sql, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, sql);
    return db_done(&q, err);
}

enum bbt_rc db_begin(struct store *s, struct bbt_err *err)
{
    enum bbt_rc rc = run_plain(s, sql_begin, err);

    if (rc != BBT_OK)
        db_undo(s); /* it may have begun and failed after that */
    return rc;
}

enum bbt_rc db_commit(struct store *s, struct bbt_err *err)
{
    enum bbt_rc rc = run_plain(s, sql_commit, err);

    if (rc != BBT_OK)
        db_undo(s);
    return rc;
}

/* Outside a group the savepoint is the transaction, and its release the commit. */
enum bbt_rc db_enter(struct store *s, struct bbt_err *err)
{
    enum bbt_rc rc = run_plain(s, sql_enter, err);

    if (rc != BBT_OK && s->depth == 0)
        db_undo(s);
    return rc;
}

enum bbt_rc db_leave(struct store *s, enum bbt_rc rc, struct bbt_err *err)
{
    if (rc == BBT_OK) {
        rc = run_plain(s, sql_release, err);
        if (rc == BBT_OK)
            return rc;
    }
    if (s->lost != BBT_OK || sqlite3_get_autocommit(s->db))
        return rc; /* SQLite has undone everything */
    /* An undo that fails for want of memory must not let half a call be committed. */
    if (run_plain(s, sql_back, NULL) != BBT_OK ||
        run_plain(s, sql_release, NULL) != BBT_OK) {
        db_undo(s);
        if (s->depth > 0)
            s->lost = rc;
    }
    return rc;
}

void db_undo(struct store *s)
{
    sqlite3_stmt *st;

    if (sqlite3_get_autocommit(s->db) || prepare(s, sql_rollback, &st) != SQLITE_OK)
        return;
    (void)sqlite3_step(st);
    (void)sqlite3_reset(st);
}

enum bbt_rc db_grow(void **rows, size_t nr, size_t size, struct bbt_err *err)
{
    size_t room = nr ? nr * 2 : 16;
    void *more;

    if (nr != 0 && (nr < 16 || (nr & (nr - 1)) != 0))
        return BBT_OK; /* the room doubles at powers of two */
    if (room > SIZE_MAX / size)
        return bbt_fail(err, BBT_NOMEM, "too many rows");
    more = bbt_realloc(*rows, room * size);
    if (!more)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu rows", room);
    *rows = more;
    return BBT_OK;
}
