#include "store/st_upkeep.h"

#include "base/killpoint.h"
#include "store/db.h"

/* The job that ended first, before `before_us`, and still has what `probe` looks for. */
static enum bbt_rc first_job(struct store *s, const char *sql, int64_t before_us,
    int64_t *ret_id, struct bbt_err *err)
{
    struct query q;

    *ret_id = 0;
    if (before_us <= 0)
        return BBT_OK;
    db_start(&q, s, sql);
    db_int(&q, before_us);
    if (db_row(&q))
        *ret_id = db_col_int(&q);
    return db_end(&q, err);
}

static const char old_job[] =
    "SELECT id FROM job WHERE ended_us > 0 AND ended_us < ? ORDER BY ended_us LIMIT 1";
static const char old_ledger[] =
    "SELECT id FROM job WHERE ended_us > 0 AND ended_us < ? AND "
    "(EXISTS (SELECT 1 FROM answer WHERE answer.job = id) OR "
    "EXISTS (SELECT 1 FROM mark WHERE mark.job = id) OR "
    "EXISTS (SELECT 1 FROM cand WHERE cand.job = id) OR "
    "EXISTS (SELECT 1 FROM snapshot WHERE snapshot.job = id)) ORDER BY ended_us LIMIT 1";

/* Literals: a statement is found by its address. */
static const char *const drop_ledger[] = {
    "DELETE FROM answer WHERE job = ?",
    "DELETE FROM mark WHERE job = ?",
    "DELETE FROM cand WHERE job = ?",
    "DELETE FROM snapshot WHERE job = ?",
    "UPDATE gen SET trace = NULL WHERE job = ? AND trace IS NOT NULL",
};
static const char *const drop_job[] = {
    "DELETE FROM job WHERE id = ?", /* and, by reference, all that is its own */
    "DELETE FROM event WHERE job = ?",
};

static enum bbt_rc drop(struct store *s, const char *const *sql, size_t n, int64_t id,
    struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; rc == BBT_OK && i < n; i++) {
        struct query q;

        db_start(&q, s, sql[i]);
        db_int(&q, id);
        rc = db_done(&q, err);
    }
    return rc;
}

/* A data file is put before the job that names it: it may be without one for a while. */
static enum bbt_rc sweep_blobs(struct store *s, struct bbt_err *err)
{
#define UNNAMED "NOT EXISTS (SELECT 1 FROM job_spec WHERE instr(spec, sha256) > 0)"
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s, "DELETE FROM blob WHERE idle > 0 AND " UNNAMED);
    rc = db_done(&q, err);
    if (rc == BBT_OK) {
        db_start(&q, s, "UPDATE blob SET idle = 1 WHERE idle = 0 AND " UNNAMED);
        rc = db_done(&q, err);
    }
    return rc;
#undef UNNAMED
}

enum bbt_rc store_retain(
    struct store *s, const struct store_retain *r, bool *ret_more, struct bbt_err *err)
{
    int64_t id = 0;
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    rc = first_job(s, old_job, r->jobs_before_us, &id, err);
    if (rc == BBT_OK && id) {
        rc = drop(s, drop_job, sizeof drop_job / sizeof drop_job[0], id, err);
    } else if (rc == BBT_OK) {
        rc = first_job(s, old_ledger, r->ledger_before_us, &id, err);
        if (rc == BBT_OK && id)
            rc = drop(s, drop_ledger, sizeof drop_ledger / sizeof drop_ledger[0], id, err);
        else if (rc == BBT_OK)
            rc = sweep_blobs(s, err);
    }
    BBT_KILLPOINT("retain");
    rc = db_leave(s, rc, err);
    if (rc == BBT_OK)
        *ret_more = id != 0;
    return rc;
}

static enum bbt_rc ask(struct store *s, const char *sql, int64_t *ret, struct bbt_err *err)
{
    struct query q;

    *ret = 0;
    db_start(&q, s, sql);
    if (db_row(&q))
        *ret = db_col_int(&q);
    return db_end(&q, err);
}

enum bbt_rc store_vacuum(struct store *s, uint64_t pages, uint64_t *ret_freed,
    bool *ret_more, struct bbt_err *err)
{
    static const char unused[] = "PRAGMA freelist_count";
    int64_t mode = 0, before = 0, after = 0, size = 0;
    struct query q;
    enum bbt_rc rc;

    rc = ask(s, "PRAGMA auto_vacuum", &mode, err);
    if (rc == BBT_OK && mode == 0)
        rc = bbt_fail(err, BBT_CONFLICT,
            "the database was made by a version that could not give room back: back it up, "
            "stop bbtd, and restore the backup");
    if (rc == BBT_OK)
        rc = ask(s, "PRAGMA page_size", &size, err);
    if (rc == BBT_OK)
        rc = ask(s, unused, &before, err);
    BBT_KILLPOINT("vacuum");
    for (uint64_t i = 0; rc == BBT_OK && i < pages && (int64_t)i < before; i++) {
        db_start(&q, s, "PRAGMA incremental_vacuum(1)");
        rc = db_done(&q, err);
    }
    if (rc == BBT_OK)
        rc = ask(s, unused, &after, err);
    if (rc == BBT_OK) {
        *ret_freed = (uint64_t)(before - after) * (uint64_t)size;
        *ret_more = after > 0 && after < before;
    }
    return rc;
}
