/* st_result.c -- what a job learned at its start and what came out at its end. */
#include "store/st_job.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/db.h"

enum bbt_rc store_setup_put(
    struct store *s, int64_t job, const void *bytes, size_t len, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, "INSERT OR REPLACE INTO setup (job, bytes) VALUES (?, ?)");
    db_int(&q, job);
    db_blob(&q, bytes ? bytes : "", len);
    return db_done(&q, err);
}

enum bbt_rc store_setup_get(
    struct store *s, int64_t job, void **ret, size_t *ret_len, struct bbt_err *err)
{
    struct query q;
    void *bytes = NULL;
    size_t len = 0;
    bool found = false;
    enum bbt_rc rc;

    db_start(&q, s, "SELECT bytes FROM setup WHERE job = ?");
    db_int(&q, job);
    if (db_row(&q)) {
        found = true;
        bytes = db_col_blob(&q, SIZE_MAX, &len);
    }
    rc = db_end(&q, err);
    if (rc == BBT_OK && !found)
        rc =
            bbt_fail(err, BBT_NOTFOUND, "job %lld has not been set up", (long long)job);
    if (rc == BBT_OK) {
        *ret = bytes;
        *ret_len = len;
        bytes = NULL;
    }
    bbt_free(bytes);
    return rc;
}

static enum bbt_rc insert_result(
    struct store *s, const struct rec_result *r, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s,
        "INSERT OR REPLACE INTO result (job, json, rows, hidden, prompt) "
        "VALUES (?, ?, ?, ?, ?)");
    db_int(&q, r->job);
    db_text(&q, r->json);
    db_u64(&q, r->rows);
    db_u64(&q, r->hidden);
    db_blob(&q, r->prompt, r->rows * r->hidden * sizeof *r->prompt);
    return db_done(&q, err);
}

enum bbt_rc store_result_put(struct store *s, const struct rec_result *r,
    const struct store_move *m, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (!r->json || m->id != r->job ||
        (r->rows && r->hidden > SIZE_MAX / sizeof *r->prompt / r->rows))
        return bbt_fail(err, BBT_INVALID, "a result of impossible shape");
    rc = db_enter(s, err);
    if (rc != BBT_OK)
        return rc;
    rc = store_job_state(s, m, err);
    BBT_KILLPOINT("result-state");
    if (rc == BBT_OK)
        rc = insert_result(s, r, err);
    BBT_KILLPOINT("result-row");
    return db_leave(s, rc, err);
}

enum bbt_rc store_result_get(
    struct store *s, int64_t job, struct rec_result *ret, struct bbt_err *err)
{
    struct query q;
    struct rec_result r = {0};
    size_t len;
    enum bbt_rc rc;

    db_start(&q, s, "SELECT json, rows, hidden, prompt FROM result WHERE job = ?");
    db_int(&q, job);
    if (db_row(&q)) {
        r.job = job;
        r.json = db_col_text_new(&q);
        r.rows = (size_t)db_col_u64(&q);
        r.hidden = (size_t)db_col_u64(&q);
        r.prompt = db_col_blob(&q, SIZE_MAX, &len);
        q.bad = q.bad || (r.prompt && (r.rows == 0 || r.hidden == 0 ||
                                          len / sizeof *r.prompt / r.rows != r.hidden));
    }
    rc = db_end(&q, err);
    if (rc == BBT_OK && r.job == 0)
        rc = bbt_fail(err, BBT_NOTFOUND, "job %lld has no result", (long long)job);
    if (rc == BBT_OK) {
        *ret = r;
        r = (struct rec_result){0};
    }
    rec_result_fini(&r);
    return rc;
}
