#include "store/st_mark.h"

#include "base/alloc.h"
#include "store/db.h"

enum bbt_rc store_mark_put(
    struct store *s, const struct rec_mark *m, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s,
        "INSERT INTO mark (job, phase, gen, cand, batch, tries) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET tries = excluded.tries");
    db_int(&q, m->job);
    db_int(&q, (int64_t)m->phase);
    db_u64(&q, m->gen);
    db_int(&q, m->cand);
    db_int(&q, m->batch);
    db_int(&q, m->tries ? m->tries : 1);
    return db_done(&q, err);
}

enum bbt_rc store_mark_drop(
    struct store *s, const struct rec_answer *a, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s,
        "DELETE FROM mark WHERE job = ? AND phase = ? AND gen = ? AND cand = ? "
        "AND batch = ?");
    db_int(&q, a->job);
    db_int(&q, (int64_t)a->phase);
    db_u64(&q, a->gen);
    db_int(&q, a->cand);
    db_int(&q, a->batch);
    return db_done(&q, err);
}

enum bbt_rc store_mark_list(struct store *s, int64_t job, enum rec_phase phase,
    uint64_t gen, struct rec_mark **ret, size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_mark *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    db_start(&q, s,
        "SELECT cand, batch, tries FROM mark WHERE job = ? AND phase = ? AND gen = ? "
        "ORDER BY cand, batch");
    db_int(&q, job);
    db_int(&q, (int64_t)phase);
    db_u64(&q, gen);
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc != BBT_OK)
            break;
        rows[n] = (struct rec_mark){.job = job, .phase = phase, .gen = gen};
        rows[n].cand = (uint32_t)db_col_int(&q);
        rows[n].batch = (uint32_t)db_col_int(&q);
        rows[n++].tries = (uint32_t)db_col_int(&q);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    rc = rc == BBT_OK ? end : rc;
    if (rc == BBT_OK) {
        *ret = rows;
        *ret_n = n;
        return rc;
    }
    bbt_free(rows);
    return rc;
}
