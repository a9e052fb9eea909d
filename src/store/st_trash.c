#include "store/st_trash.h"

#include "base/killpoint.h"
#include "store/db.h"
#include "store/st_job.h"
#include "store/st_ledger.h"

/* In deleted_us: not to be taken back any more, its rows are going. No law asks for its
 * ledger, and store_retain() goes on with it. */
#define CONDEMNED 1

static enum bbt_rc set(struct store *s, int64_t id, int64_t deleted_us, int64_t wall_us,
    struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, "UPDATE job SET deleted_us = ?, updated_us = ? WHERE id = ?");
    db_int(&q, deleted_us);
    db_int(&q, wall_us);
    db_int(&q, id);
    return db_done(&q, err);
}

static enum bbt_rc fail_running(int64_t id, struct bbt_err *err)
{
    return bbt_fail(err, BBT_CONFLICT,
        "job %lld is running: pause or cancel it first (bbtctl cancel %lld)", (long long)id,
        (long long)id);
}

enum bbt_rc store_trash_put(
    struct store *s, int64_t id, int64_t wall_us, struct bbt_err *err)
{
    struct rec_job job;
    enum bbt_rc rc = store_job_get(s, id, &job, NULL, err);

    if (rc == BBT_OK && job.state == REC_RUNNING)
        return fail_running(id, err);
    if (rc == BBT_OK && job.state == REC_DELETED)
        return bbt_fail(err, BBT_CONFLICT, "job %lld is in the trash", (long long)id);
    if (rc != BBT_OK)
        return rc;
    return set(s, id, wall_us > CONDEMNED ? wall_us : CONDEMNED + 1, wall_us, err);
}

enum bbt_rc store_trash_take(
    struct store *s, int64_t id, int64_t wall_us, struct bbt_err *err)
{
    struct rec_job job;
    enum bbt_rc rc = store_job_get(s, id, &job, NULL, err);

    if (rc == BBT_OK && job.deleted_us == CONDEMNED)
        return bbt_fail(err, BBT_CONFLICT,
            "job %lld is too old to be taken back: it is being purged", (long long)id);
    if (rc == BBT_OK && job.state != REC_DELETED)
        return bbt_fail(err, BBT_CONFLICT, "job %lld is %s, not in the trash",
            (long long)id, rec_state_name(job.state));
    return rc == BBT_OK ? set(s, id, 0, wall_us, err) : rc;
}

/* The row, and by reference all that is its own. */
static enum bbt_rc drop_row(struct store *s, int64_t id, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s, "DELETE FROM job WHERE id = ?");
    db_int(&q, id);
    rc = db_done(&q, err);
    BBT_KILLPOINT("purge-row");
    if (rc == BBT_OK) {
        db_start(&q, s, "DELETE FROM event WHERE job = ?");
        db_int(&q, id);
        rc = db_done(&q, err);
    }
    return rc;
}

enum bbt_rc store_trash_purge(struct store *s, int64_t id, struct bbt_err *err)
{
    struct rec_job job;
    bool gone = false;
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    rc = store_job_get(s, id, &job, NULL, err);
    if (rc == BBT_OK && job.state == REC_RUNNING)
        rc = fail_running(id, err);
    if (rc == BBT_OK && job.deleted_us != CONDEMNED)
        rc = set(s, id, CONDEMNED, job.updated_us, err);
    if (rc == BBT_OK)
        rc = store_ledger_drop(s, id, &gone, err);
    if (rc == BBT_OK && gone)
        rc = drop_row(s, id, err);
    return db_leave(s, rc, err);
}
