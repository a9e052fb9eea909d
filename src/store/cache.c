#include "store/cache.h"

#include "base/alloc.h"
#include "cache_sql.h"
#include "store/db.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP_ID 0x62627463 /* "bbtc" */
#define VERSION 1
#define CELLS_MAX (64u * 1024u * 1024u)
#define USED_STEP_US INT64_C(3600000000) /* a use is written down once an hour */
#define TRIM_ROWS 256
#define TRIM_PAGES 256

struct cache {
    struct store *s;
    uint64_t hits, misses, puts, bad;
};

/* ---- the file ---- */

static enum bbt_rc ask(struct store *s, const char *sql, int64_t *ret, struct bbt_err *err)
{
    struct query q;

    *ret = 0;
    db_start(&q, s, sql);
    if (db_row(&q))
        *ret = db_col_int(&q);
    return db_end(&q, err);
}

static enum bbt_rc make_tables(struct store *s, struct bbt_err *err)
{
    char *sql = bbt_strndup((const char *)cache_sql_text, cache_sql_text_len);
    enum bbt_rc rc = sql ? db_begin(s, err)
                         : bbt_fail(err, BBT_NOMEM, "no memory for the cache");

    if (rc == BBT_OK) {
        rc = db_exec(s, sql, err);
        if (rc == BBT_OK)
            rc = db_exec(
                s, "PRAGMA application_id = 1650619491; PRAGMA user_version = 1", err);
        if (rc == BBT_OK)
            rc = db_commit(s, err);
        else
            db_undo(s);
    }
    bbt_free(sql);
    return rc;
}

/* BBT_CORRUPT where the file is another one than ours. A new file is given its tables. */
static enum bbt_rc settle(struct store *s, struct bbt_err *err)
{
    /* the last commits may be lost with the power, the file may not: nobody waits for a disk */
    static const char settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                   "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                                   "PRAGMA cache_size = -2048;"
                                   "PRAGMA journal_size_limit = 16777216;";
    int64_t app = 0, version = 0, tables = 0;
    enum bbt_rc rc = ask(s, "PRAGMA application_id", &app, err);

    if (rc == BBT_OK)
        rc = ask(s, "PRAGMA user_version", &version, err);
    if (rc == BBT_OK)
        rc = ask(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == BBT_OK && tables == 0)
        rc = db_exec(s, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (rc == BBT_OK)
        rc = db_exec(s, settings, err);
    if (rc == BBT_OK)
        rc = db_warm(s, err);
    if (rc != BBT_OK)
        return rc;
    if (tables > 0)
        return app == APP_ID && version == VERSION
            ? BBT_OK
            : bbt_fail(err, BBT_CORRUPT, "not a response cache of this version");
    return make_tables(s, err);
}
_Static_assert(APP_ID == 1650619491 && VERSION == 1, "as in the statement above");

static enum bbt_rc open_file(
    const char *path, int lock_fd, struct store **ret, struct bbt_err *err)
{
    struct store *s = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    enum bbt_rc rc;

    if (fd < 0)
        return bbt_fail(err, errno == EACCES ? BBT_DENIED : BBT_IO, "cannot open %s: %s", path,
            strerror(errno));
    (void)close(fd);
    rc = db_side(path, SQLITE_OPEN_READWRITE, &s, err);
    if (rc == BBT_OK)
        rc = settle(s, err);
    if (rc == BBT_OK) {
        s->lock_fd = lock_fd; /* closed with it */
        *ret = s;
        return rc;
    }
    store_close(s);
    return bbt_err_ctx(err, "%s", path);
}

/* What cannot be read is kept for whoever wants to look, and made anew. */
static enum bbt_rc set_aside(const char *path, struct bbt_err *err)
{
    static const char *const tails[] = {"", "-wal", "-shm"};
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < 3 && rc == BBT_OK; i++) {
        char *from = bbt_asprintf("%s%s", path, tails[i]);
        char *to = bbt_asprintf("%s.bad%s", path, tails[i]);

        if (!from || !to)
            rc = bbt_fail(err, BBT_NOMEM, "no memory for a path");
        else if (rename(from, to) != 0 && errno != ENOENT)
            rc = bbt_fail(
                err, BBT_IO, "cannot set %s aside: %s", from, strerror(errno));
        bbt_free(from);
        bbt_free(to);
    }
    return rc;
}

static enum bbt_rc lock_dir(const char *dir, int *ret_fd, struct bbt_err *err)
{
    char *path = bbt_asprintf("%s/responses.lock", dir);
    struct stat st;
    int fd;

    if (!path)
        return bbt_fail(err, BBT_NOMEM, "no memory for the cache");
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        bbt_free(path);
        return bbt_fail(err, errno == EACCES || errno == EROFS ? BBT_DENIED : BBT_INVALID,
            "cannot create the cache's folder %s: %s", dir, strerror(errno));
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bbt_free(path);
    if (fd < 0)
        return bbt_fail(err,
            stat(dir, &st) == 0 && !S_ISDIR(st.st_mode) ? BBT_INVALID : BBT_DENIED,
            "cannot write into the cache's folder %s: %s", dir, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return bbt_fail(err, BBT_CONFLICT, "another bbtd has the cache in %s", dir);
    }
    *ret_fd = fd;
    return BBT_OK;
}

enum bbt_rc cache_open(
    const char *dir, struct cache **ret, bool *ret_anew, struct bbt_err *err)
{
    struct cache *c = bbt_calloc(1, sizeof *c);
    char *path = bbt_asprintf("%s/responses.db", dir);
    bool anew = false;
    int fd = -1;
    enum bbt_rc rc = c && path ? lock_dir(dir, &fd, err)
                               : bbt_fail(err, BBT_NOMEM, "no memory for the cache");

    if (rc == BBT_OK) {
        rc = open_file(path, fd, &c->s, err);
        if (rc == BBT_CORRUPT) {
            anew = true;
            rc = set_aside(path, err);
            if (rc == BBT_OK)
                rc = open_file(path, fd, &c->s, err);
        }
    }
    if (rc == BBT_OK) {
        *ret = c;
        if (ret_anew)
            *ret_anew = anew;
        c = NULL;
    } else if (fd >= 0) {
        (void)close(fd);
    }
    cache_close(c);
    bbt_free(path);
    return rc;
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    store_close(c->s);
    bbt_free(c);
}

/* ---- entries ---- */

/* Over everything that a hit hands out, the key included. */
static uint64_t seal_of(const uint8_t key[DIGEST_LEN], const struct cache_answer *a)
{
    struct {
        uint8_t key[DIGEST_LEN];
        uint64_t logit;
        int64_t made_us;
        uint32_t rows, labels, tokens_in, tokens_out;
    } all = {.logit = digest_short(a->logit, (size_t)a->rows * a->labels * sizeof *a->logit),
        .made_us = a->made_us,
        .rows = a->rows,
        .labels = a->labels,
        .tokens_in = a->tokens_in,
        .tokens_out = a->tokens_out};

    memcpy(all.key, key, sizeof all.key);
    return digest_short(&all, sizeof all);
}

static bool shaped(uint64_t rows, uint64_t labels)
{
    return rows > 0 && labels > 0 && rows <= CELLS_MAX && labels <= CELLS_MAX / rows;
}

static enum bbt_rc run_key(
    struct cache *c, const char *sql, const uint8_t key[DIGEST_LEN], struct bbt_err *err)
{
    struct query q;

    db_start(&q, c->s, sql);
    db_blob(&q, key, DIGEST_LEN);
    return db_done(&q, err);
}

static const char drop_entry[] = "DELETE FROM entry WHERE key = ?";

/* Columns rows, labels, logit, tokens_in, tokens_out, made_us, seal; false: damaged. */
static bool read_entry(
    struct query *q, const uint8_t key[DIGEST_LEN], struct cache_answer *a)
{
    uint64_t rows = db_col_u64(q), labels = db_col_u64(q), seal;
    bool whole = shaped(rows, labels);

    *a = (struct cache_answer){.rows = (uint32_t)rows, .labels = (uint32_t)labels};
    a->logit = db_col_blob(q, whole ? rows * labels * sizeof *a->logit : SIZE_MAX, NULL);
    a->tokens_in = (uint32_t)db_col_u64(q);
    a->tokens_out = (uint32_t)db_col_u64(q);
    a->made_us = db_col_int(q);
    seal = db_col_u64(q);
    if (q->bad) /* a length that does not fit: one entry's damage, not the file's */
        whole = q->bad = false;
    return whole && a->logit && seal_of(key, a) == seal;
}

static enum bbt_rc note_use(
    struct cache *c, const uint8_t key[DIGEST_LEN], int64_t wall_us, struct bbt_err *err)
{
    struct query q;

    db_start(&q, c->s, "UPDATE entry SET used_us = ? WHERE key = ? AND used_us < ?");
    db_int(&q, wall_us);
    db_blob(&q, key, DIGEST_LEN);
    db_int(&q, wall_us - USED_STEP_US);
    return db_done(&q, err);
}

enum bbt_rc cache_get(struct cache *c, const uint8_t key[DIGEST_LEN],
    const struct cache_limits *l, int64_t wall_us, struct cache_answer *ret,
    struct bbt_err *err)
{
    struct cache_answer a = {0};
    struct query q;
    bool there, whole = false;
    enum bbt_rc rc;

    db_start(&q, c->s,
        "SELECT rows, labels, logit, tokens_in, tokens_out, made_us, seal FROM entry "
        "WHERE key = ?");
    db_blob(&q, key, DIGEST_LEN);
    there = db_row(&q);
    if (there)
        whole = read_entry(&q, key, &a);
    rc = db_end(&q, err);
    if (rc == BBT_OK && there && !whole) {
        c->bad++;
        rc = run_key(c, drop_entry, key, err);
    }
    if (rc == BBT_OK && (!whole || (l->ttl_us && a.made_us < wall_us - l->ttl_us))) {
        c->misses++;
        rc = BBT_NOTFOUND;
    }
    if (rc != BBT_OK) {
        bbt_free(a.logit);
        return rc;
    }
    c->hits++;
    *ret = a;
    (void)note_use(c, key, wall_us, NULL); /* a use that is forgotten costs nothing */
    return BBT_OK;
}

enum bbt_rc cache_put(struct cache *c, const uint8_t key[DIGEST_LEN],
    const struct cache_answer *a, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    if (!shaped(a->rows, a->labels) || !a->logit)
        return bbt_fail(err, BBT_INVALID, "an answer of impossible shape (%u x %u)", a->rows,
            a->labels);
    for (size_t i = 0; i < (size_t)a->rows * a->labels; i++)
        if (!isfinite(a->logit[i]))
            return bbt_fail(err, BBT_INVALID, "an answer with a number that is not finite");
    db_start(&q, c->s,
        "INSERT OR REPLACE INTO entry (key, rows, labels, logit, tokens_in, tokens_out, "
        "made_us, used_us, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    db_blob(&q, key, DIGEST_LEN);
    db_int(&q, a->rows);
    db_int(&q, a->labels);
    db_blob(&q, a->logit, (size_t)a->rows * a->labels * sizeof *a->logit);
    db_int(&q, a->tokens_in);
    db_int(&q, a->tokens_out);
    db_int(&q, a->made_us);
    db_int(&q, a->made_us);
    db_u64(&q, seal_of(key, a));
    rc = db_done(&q, err);
    c->puts += rc == BBT_OK;
    return rc;
}

/* ---- upkeep ---- */

static enum bbt_rc bytes_of(struct cache *c, int64_t *ret, struct bbt_err *err)
{
    int64_t pages = 0, free_pages = 0, size = 0;
    enum bbt_rc rc = ask(c->s, "PRAGMA page_count", &pages, err);

    if (rc == BBT_OK)
        rc = ask(c->s, "PRAGMA freelist_count", &free_pages, err);
    if (rc == BBT_OK)
        rc = ask(c->s, "PRAGMA page_size", &size, err);
    *ret = (pages - free_pages) * size;
    return rc;
}

static enum bbt_rc give_back(struct cache *c, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;
    struct query q;

    for (int i = 0; rc == BBT_OK && i < TRIM_PAGES; i++) {
        db_start(&q, c->s, "PRAGMA incremental_vacuum(1)");
        rc = db_done(&q, err);
    }
    return rc;
}

static enum bbt_rc drop_old(
    struct cache *c, int64_t before_us, bool *ret_more, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, c->s,
        "DELETE FROM entry WHERE key IN "
        "(SELECT key FROM entry WHERE made_us < ? ORDER BY made_us LIMIT ?)");
    db_int(&q, before_us);
    db_int(&q, TRIM_ROWS);
    rc = db_done(&q, err);
    *ret_more = rc == BBT_OK && db_changed(c->s) == TRIM_ROWS;
    return rc;
}

static enum bbt_rc drop_unused(struct cache *c, struct bbt_err *err)
{
    struct query q;

    db_start(&q, c->s,
        "DELETE FROM entry WHERE key IN (SELECT key FROM entry ORDER BY used_us LIMIT ?)");
    db_int(&q, TRIM_ROWS);
    return db_done(&q, err);
}

enum bbt_rc cache_trim(struct cache *c, const struct cache_limits *l, int64_t wall_us,
    bool *ret_more, struct bbt_err *err)
{
    int64_t bytes = 0, entries = 0;
    bool more = false;
    enum bbt_rc rc = BBT_OK;

    if (l->ttl_us)
        rc = drop_old(c, wall_us - l->ttl_us, &more, err);
    if (rc == BBT_OK && !more && l->bytes_max) {
        rc = bytes_of(c, &bytes, err);
        if (rc == BBT_OK && (uint64_t)bytes > l->bytes_max) {
            rc = drop_unused(c, err);
            if (rc == BBT_OK) /* an empty file has a size, too */
                rc = ask(c->s, "SELECT EXISTS (SELECT 1 FROM entry)", &entries, err);
            more = entries > 0;
        }
    }
    if (rc == BBT_OK)
        rc = give_back(c, err);
    if (rc == BBT_OK)
        *ret_more = more;
    return rc;
}

/* Damaged ones among the next TRIM_ROWS entries above `after`, which moves on. */
static enum bbt_rc find_bad(struct cache *c, uint8_t after[DIGEST_LEN],
    uint8_t bad[TRIM_ROWS][DIGEST_LEN], size_t *ret_bad, bool *ret_more, struct bbt_err *err)
{
    uint8_t last[DIGEST_LEN];
    size_t seen = 0, found = 0;
    struct query q;
    enum bbt_rc rc;

    db_start(&q, c->s,
        "SELECT rows, labels, logit, tokens_in, tokens_out, made_us, seal, key FROM entry "
        "WHERE key > ? ORDER BY key LIMIT ?");
    db_blob(&q, after, DIGEST_LEN);
    db_int(&q, TRIM_ROWS);
    for (; seen < TRIM_ROWS && db_row(&q); seen++) {
        struct cache_answer a = {0};
        const void *key = sqlite3_column_blob(q.st, 7);

        if (!key || sqlite3_column_bytes(q.st, 7) != DIGEST_LEN) {
            q.bad = true; /* the table's own check was overcome: not one entry's damage */
            break;
        }
        memcpy(last, key, sizeof last);
        if (!read_entry(&q, last, &a) && !q.nomem)
            memcpy(bad[found++], last, sizeof last);
        bbt_free(a.logit);
    }
    rc = db_end(&q, err);
    if (rc != BBT_OK)
        return rc;
    if (seen)
        memcpy(after, last, sizeof last);
    *ret_bad = found;
    *ret_more = seen == TRIM_ROWS;
    return rc;
}

enum bbt_rc cache_verify(struct cache *c, uint8_t after[DIGEST_LEN], uint64_t *ret_bad,
    bool *ret_more, struct bbt_err *err)
{
    uint8_t bad[TRIM_ROWS][DIGEST_LEN];
    size_t n = 0;
    enum bbt_rc rc = find_bad(c, after, bad, &n, ret_more, err);

    for (size_t i = 0; rc == BBT_OK && i < n; i++)
        rc = run_key(c, drop_entry, bad[i], err);
    if (rc == BBT_OK) {
        c->bad += n;
        *ret_bad = n;
    }
    return rc;
}

enum bbt_rc cache_stats(struct cache *c, struct cache_stats *ret, struct bbt_err *err)
{
    struct cache_stats st = {
        .hits = c->hits, .misses = c->misses, .puts = c->puts, .bad = c->bad};
    int64_t entries = 0, bytes = 0;
    enum bbt_rc rc = ask(c->s, "SELECT count(*) FROM entry", &entries, err);

    if (rc == BBT_OK)
        rc = ask(c->s, "SELECT coalesce(min(made_us), 0) FROM entry", &st.oldest_us, err);
    if (rc == BBT_OK)
        rc = bytes_of(c, &bytes, err);
    st.entries = (uint64_t)entries;
    st.bytes = (uint64_t)bytes;
    if (rc == BBT_OK)
        *ret = st;
    return rc;
}
