#include "store/st_upkeep.h"

#include "base/killpoint.h"
#include "store/db.h"
#include "store/st_ledger.h"
#include "store/st_trash.h"

#define EVENTS_PER_STEP 500

/* One kind of what may go: finds the first job that still has it, and takes it away. Literals:
 * a statement is found by its address. */
struct rule {
    const char *find;  /* one parameter: before when */
    const char *begin; /* says of the job that its ledger is going; NULL: it stays */
    const char *drop[3]; /* when the ledger is gone; none: the whole job goes */
};

static const struct rule condemned = {"SELECT id FROM job WHERE deleted_us = ?", NULL, {0}};
static const struct rule trash = {
    "SELECT id FROM job WHERE deleted_us > 0 AND deleted_us < ? ORDER BY deleted_us LIMIT 1",
    NULL, {0}};
static const struct rule jobs = {
    "SELECT id FROM job WHERE ended_us > 0 AND ended_us < ? ORDER BY ended_us LIMIT 1", NULL,
    {0}};
static const struct rule ledger = {
    "SELECT id FROM job WHERE ended_us > 0 AND ended_us < ? AND "
    "(EXISTS (SELECT 1 FROM answer WHERE answer.job = id) OR "
    "EXISTS (SELECT 1 FROM mark WHERE mark.job = id)) ORDER BY ended_us LIMIT 1",
    /* a mark of no phase: this ledger is going */
    "INSERT OR IGNORE INTO mark (job, phase, gen, cand, batch) VALUES (?, -1, 0, 0, 0)",
    {"DELETE FROM mark WHERE job = ?"}};
static const struct rule checkpoint = {
    "SELECT id FROM job WHERE ended_us > 0 AND ended_us < ? AND "
    "(EXISTS (SELECT 1 FROM cand WHERE cand.job = id) OR "
    "EXISTS (SELECT 1 FROM snapshot WHERE snapshot.job = id)) ORDER BY ended_us LIMIT 1",
    NULL,
    {"DELETE FROM cand WHERE job = ?", "DELETE FROM snapshot WHERE job = ?",
        "UPDATE gen SET trace = NULL WHERE job = ? AND trace IS NOT NULL"}};

static enum bbt_rc for_job(
    struct store *s, const char *sql, int64_t id, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, sql);
    db_int(&q, id);
    return db_done(&q, err);
}

static enum bbt_rc drop(
    struct store *s, const struct rule *r, int64_t id, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;
    bool gone = true;

    if (!r->drop[0])
        return store_trash_purge(s, id, err);
    if (r->begin)
        rc = for_job(s, r->begin, id, err);
    if (rc == BBT_OK && r->begin)
        rc = store_ledger_drop(s, id, &gone, err);
    for (size_t i = 0; gone && i < sizeof r->drop / sizeof *r->drop; i++)
        if (rc == BBT_OK && r->drop[i])
            rc = for_job(s, r->drop[i], id, err);
    return rc;
}

/* *ret_more: it found something, and there may be another. */
static enum bbt_rc apply(struct store *s, const struct rule *r, int64_t before_us,
    bool *ret_more, struct bbt_err *err)
{
    struct query q;
    int64_t id = 0;
    enum bbt_rc rc;

    *ret_more = false;
    if (before_us <= 0)
        return BBT_OK;
    db_start(&q, s, r->find);
    db_int(&q, before_us);
    if (db_row(&q))
        id = db_col_int(&q);
    rc = db_end(&q, err);
    *ret_more = id != 0;
    return rc == BBT_OK && id ? drop(s, r, id, err) : rc;
}

/* Their ids grow with time, so the oldest are looked at alone. */
static enum bbt_rc drop_events(
    struct store *s, int64_t before_us, bool *ret_more, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    *ret_more = false;
    if (before_us <= 0)
        return BBT_OK;
    db_start(&q, s,
        "DELETE FROM event WHERE wall_us < ? AND id IN (SELECT id FROM event ORDER BY id "
        "LIMIT ?)");
    db_int(&q, before_us);
    db_int(&q, EVENTS_PER_STEP);
    rc = db_done(&q, err);
    *ret_more = rc == BBT_OK && db_changed(s) == EVENTS_PER_STEP;
    return rc;
}

/* A data file is put before the job that names it: it may be without one for a while. All
 * names are read once: looking each one up in every spec takes seconds with many jobs. */
static enum bbt_rc sweep_blobs(struct store *s, struct bbt_err *err)
{
#define UNNAMED                                                                        \
    "sha256 NOT IN (SELECT value FROM job_spec, json_tree(spec) WHERE type = 'text' "  \
    "AND length(value) = 64)"
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
    const struct {
        const struct rule *rule;
        int64_t before_us;
    } all[] = {{&condemned, 1}, {&trash, r->trash_before_us}, {&jobs, r->jobs_before_us},
        {&ledger, r->ledger_before_us}, {&checkpoint, r->checkpoints_before_us}};
    bool more = false;
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; rc == BBT_OK && !more && i < sizeof all / sizeof *all; i++)
        rc = apply(s, all[i].rule, all[i].before_us, &more, err);
    if (rc == BBT_OK && !more)
        rc = drop_events(s, r->events_before_us, &more, err);
    if (rc == BBT_OK && !more)
        rc = sweep_blobs(s, err);
    BBT_KILLPOINT("retain");
    rc = db_leave(s, rc, err);
    if (rc == BBT_OK)
        *ret_more = more;
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
