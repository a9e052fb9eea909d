#include "store/st_gen.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/db.h"
#include "store/st_job.h"

#include <math.h>

#define GEN_LIMIT 10000
#define CELLS_MAX (64u * 1024u * 1024u) /* doubles of one generation's candidates */

static bool shape_ok(size_t popsize, size_t dim)
{
    return popsize > 0 && dim > 0 && popsize <= CELLS_MAX / dim;
}

/* The last generation of a job. */
struct last {
    bool any, open;
    uint64_t gen;
};

static enum bbt_rc find_last(
    struct store *s, int64_t job, struct last *ret, struct bbt_err *err)
{
    struct query q;

    *ret = (struct last){0};
    db_start(&q, s,
        "SELECT gen, loss IS NULL FROM gen WHERE job = ? ORDER BY gen DESC LIMIT 1");
    db_int(&q, job);
    if (db_row(&q)) {
        ret->any = true;
        ret->gen = db_col_u64(&q);
        ret->open = db_col_int(&q) != 0;
    }
    return db_end(&q, err);
}

static enum bbt_rc close_gen(
    struct store *s, int64_t job, const struct rec_gen *g, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    if (!g->loss || !shape_ok(g->popsize, g->dim))
        return bbt_fail(err, BBT_INVALID, "a closed generation of impossible shape");
    db_start(&q, s,
        "UPDATE gen SET loss = ?, loss_best = ?, loss_mean = ?, sigma = ?, dev = ?, "
        "dev_loss = ?, evaluations = ?, wall_us = ?, trace = ? WHERE job = ? AND gen = ? AND "
        "loss IS NULL AND popsize = ? AND dim = ?");
    db_blob(&q, g->loss, g->popsize * sizeof *g->loss);
    db_real(&q, g->loss_best);
    db_real(&q, g->loss_mean);
    db_real(&q, g->sigma);
    db_real(&q, g->dev);
    db_real(&q, g->dev_loss);
    db_u64(&q, g->evaluations);
    db_int(&q, g->wall_us);
    db_blob(&q, g->trace, g->trace_len);
    db_int(&q, job);
    db_u64(&q, g->gen);
    db_u64(&q, g->popsize);
    db_u64(&q, g->dim);
    rc = db_done(&q, err);
    if (rc == BBT_OK && db_changed(s) != 1)
        rc = bbt_fail(err, BBT_CONFLICT,
            "generation %llu of job %lld is not the open one, or has another shape",
            (unsigned long long)g->gen, (long long)job);
    return rc;
}

static enum bbt_rc insert_gen(
    struct store *s, int64_t job, const struct rec_gen *g, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s,
        "INSERT INTO gen (job, gen, popsize, dim, digest, sigma) VALUES (?, ?, ?, ?, "
        "?, ?)");
    db_int(&q, job);
    db_u64(&q, g->gen);
    db_u64(&q, g->popsize);
    db_u64(&q, g->dim);
    db_u64(&q, g->digest);
    db_real(&q, g->sigma);
    rc = db_done(&q, err);
    if (rc != BBT_OK)
        return rc;
    db_start(&q, s, "INSERT INTO cand (job, gen, z) VALUES (?, ?, ?)");
    db_int(&q, job);
    db_u64(&q, g->gen);
    db_blob(&q, g->cand, g->popsize * g->dim * sizeof *g->cand);
    return db_done(&q, err);
}

static enum bbt_rc open_gen(
    struct store *s, int64_t job, const struct rec_gen *g, struct bbt_err *err)
{
    struct last last;
    enum bbt_rc rc;

    if (!g->cand || !shape_ok(g->popsize, g->dim))
        return bbt_fail(err, BBT_INVALID, "an open generation of impossible shape");
    rc = find_last(s, job, &last, err);
    if (rc != BBT_OK)
        return rc;
    if (last.open || g->gen != (last.any ? last.gen + 1 : 0))
        return bbt_fail(err, BBT_CONFLICT,
            "generation %llu of job %lld is not the next one",
            (unsigned long long)g->gen, (long long)job);
    return insert_gen(s, job, g, err);
}

/* Traces and candidates before a snapshot can no longer be needed. None is older than the
 * snapshot that this one replaces. */
static enum bbt_rc drop_replayed(
    struct store *s, int64_t job, uint64_t before, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s,
        "UPDATE gen SET trace = NULL WHERE job = ?1 AND gen < ?2 AND trace IS NOT NULL "
        "AND gen >= coalesce((SELECT gen FROM snapshot WHERE job = ?1), 0)");
    db_int(&q, job);
    db_u64(&q, before);
    rc = db_done(&q, err);
    if (rc != BBT_OK)
        return rc;
    db_start(&q, s, "DELETE FROM cand WHERE job = ? AND gen < ?");
    db_int(&q, job);
    db_u64(&q, before);
    return db_done(&q, err);
}

static enum bbt_rc put_snapshot(
    struct store *s, const struct rec_turn *t, struct bbt_err *err)
{
    struct last last;
    struct query q;
    enum bbt_rc rc = find_last(s, t->job, &last, err);

    if (rc != BBT_OK)
        return rc;
    /* it may stand before the open generation, or after the last closed one */
    if (!last.any ? t->snapshot_gen != 0
                  : t->snapshot_gen > last.gen + (last.open ? 0 : 1))
        return bbt_fail(err, BBT_CONFLICT,
            "a snapshot of generation %llu, which job %lld has not reached",
            (unsigned long long)t->snapshot_gen, (long long)t->job);
    rc = drop_replayed(s, t->job, t->snapshot_gen, err);
    if (rc != BBT_OK)
        return rc;
    db_start(
        &q, s, "INSERT OR REPLACE INTO snapshot (job, gen, bytes) VALUES (?, ?, ?)");
    db_int(&q, t->job);
    db_u64(&q, t->snapshot_gen);
    db_blob(&q, t->snapshot, t->snapshot_len);
    rc = db_done(&q, err);
    BBT_KILLPOINT("turn-snapshot");
    return rc;
}

static enum bbt_rc set_last_loss(
    struct store *s, const struct rec_turn *t, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, "UPDATE job SET last_loss = ?, updated_us = ? WHERE id = ?");
    db_real(&q, t->closed->loss_best);
    db_int(&q, t->wall_us);
    db_int(&q, t->job);
    return db_done(&q, err);
}

enum bbt_rc store_turn(struct store *s, const struct rec_turn *t, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (t->best && t->best->job != t->job)
        return bbt_fail(err, BBT_INVALID, "the best point is of another job");
    rc = db_enter(s, err);
    if (rc != BBT_OK)
        return rc;
    rc = store_usage_add(
        s, t->job, &t->add, err); /* also tells whether the job exists */
    if (rc == BBT_OK && t->closed)
        rc = close_gen(s, t->job, t->closed, err);
    if (rc == BBT_OK && t->closed)
        rc = set_last_loss(s, t, err);
    BBT_KILLPOINT("turn-closed");
    if (rc == BBT_OK && t->open)
        rc = open_gen(s, t->job, t->open, err);
    BBT_KILLPOINT("turn-opened");
    if (rc == BBT_OK && t->snapshot)
        rc = put_snapshot(s, t, err);
    if (rc == BBT_OK && t->best)
        rc = store_best_put(s, t->best, err);
    BBT_KILLPOINT("turn-best");
    return db_leave(s, rc, err);
}

static enum bbt_rc load_snapshot(
    struct store *s, int64_t job, struct rec_resume *r, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, "SELECT gen, bytes FROM snapshot WHERE job = ?");
    db_int(&q, job);
    if (db_row(&q)) {
        r->snapshot_gen = db_col_u64(&q);
        r->snapshot = db_col_blob(&q, SIZE_MAX, &r->snapshot_len);
    }
    return db_end(&q, err);
}

#define GEN_COLS                                                                       \
    "gen.gen, popsize, dim, digest, loss_best, loss_mean, sigma, dev, dev_loss, "      \
    "evaluations, wall_us"

static void read_gen(struct query *q, int64_t job, struct rec_gen *g)
{
    *g = (struct rec_gen){.job = job};
    g->gen = db_col_u64(q);
    g->popsize = (size_t)db_col_u64(q);
    g->dim = (size_t)db_col_u64(q);
    g->digest = db_col_u64(q);
    g->loss_best = db_col_real(q);
    g->loss_mean = db_col_real(q);
    g->sigma = db_col_real(q);
    g->dev = db_col_real(q);
    g->dev_loss = db_col_real(q);
    g->evaluations = db_col_u64(q);
    g->wall_us = db_col_int(q);
    q->bad = q->bad || !shape_ok(g->popsize, g->dim);
}

static enum bbt_rc load_gens(
    struct store *s, int64_t job, struct rec_resume *r, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc = BBT_OK, end;

    db_start(&q, s,
        "SELECT " GEN_COLS ", loss, trace, z FROM gen LEFT JOIN cand USING (job, gen) "
        "WHERE job = ? AND gen.gen >= ? ORDER BY gen.gen");
    db_int(&q, job);
    db_u64(&q, r->snapshot_gen);
    while (rc == BBT_OK && db_row(&q)) {
        struct rec_gen *g;

        rc = db_grow((void **)&r->gens, r->gens_nr, sizeof *r->gens, err);
        if (rc != BBT_OK)
            break;
        g = &r->gens[r->gens_nr++];
        read_gen(&q, job, g);
        if (q.bad)
            break;
        g->loss = db_col_blob(&q, g->popsize * sizeof *g->loss, NULL);
        g->trace = db_col_blob(&q, SIZE_MAX, &g->trace_len);
        g->cand = db_col_blob(&q, g->popsize * g->dim * sizeof *g->cand, NULL);
        /* every row but an open last one has losses; none lacks its candidates */
        q.bad = q.bad || (!q.nomem && !g->cand) ||
                g->gen != r->snapshot_gen + (r->gens_nr - 1) ||
                (r->gens_nr > 1 && !r->gens[r->gens_nr - 2].loss);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    return rc == BBT_OK ? end : rc;
}

enum bbt_rc store_resume(
    struct store *s, int64_t job, struct rec_resume *ret, struct bbt_err *err)
{
    struct rec_resume r = {0};
    enum bbt_rc rc;

    rc = load_snapshot(s, job, &r, err);
    if (rc == BBT_OK)
        rc = load_gens(s, job, &r, err);
    if (rc == BBT_OK && !r.snapshot && r.gens_nr == 0)
        rc = bbt_fail(err, BBT_NOTFOUND, "job %lld has not begun", (long long)job);
    if (rc == BBT_OK) {
        *ret = r;
        return rc;
    }
    rec_resume_fini(&r);
    return rc;
}

enum bbt_rc store_best_put(
    struct store *s, const struct rec_best *b, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    if (!b->z || !shape_ok(1, b->dim))
        return bbt_fail(err, BBT_INVALID, "a best point without coordinates");
    rc = db_enter(s, err);
    if (rc != BBT_OK)
        return rc;
    db_start(&q, s,
        "INSERT OR REPLACE INTO best (job, gen, cand, dev, dev_loss, z) "
        "VALUES (?, ?, ?, ?, ?, ?)");
    db_int(&q, b->job);
    db_u64(&q, b->gen);
    db_int(&q, b->cand);
    db_real(&q, b->dev);
    db_real(&q, b->dev_loss);
    db_blob(&q, b->z, b->dim * sizeof *b->z);
    rc = db_done(&q, err);
    if (rc == BBT_OK) {
        db_start(&q, s, "UPDATE job SET best_dev = ? WHERE id = ?");
        db_real(&q, b->dev);
        db_int(&q, b->job);
        rc = db_done(&q, err);
    }
    return db_leave(s, rc, err);
}

enum bbt_rc store_best_get(
    struct store *s, int64_t job, struct rec_best *ret, struct bbt_err *err)
{
    struct query q;
    struct rec_best b = {0};
    size_t len = 0;
    enum bbt_rc rc;

    db_start(&q, s, "SELECT gen, cand, dev, dev_loss, z FROM best WHERE job = ?");
    db_int(&q, job);
    if (db_row(&q)) {
        b.job = job;
        b.gen = db_col_u64(&q);
        b.cand = (uint32_t)db_col_int(&q);
        b.dev = db_col_real(&q);
        b.dev_loss = db_col_real(&q);
        b.z = db_col_blob(&q, SIZE_MAX, &len);
        b.dim = len / sizeof *b.z;
        q.bad = q.bad || b.dim == 0 || len % sizeof *b.z != 0;
    }
    rc = db_end(&q, err);
    if (rc == BBT_OK && b.job == 0)
        rc = bbt_fail(
            err, BBT_NOTFOUND, "job %lld has no best point yet", (long long)job);
    if (rc == BBT_OK) {
        *ret = b;
        return rc;
    }
    rec_best_fini(&b);
    return rc;
}

enum bbt_rc store_gen_list(struct store *s, int64_t job, uint64_t from, size_t limit,
    struct rec_gen **ret, size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_gen *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    db_start(&q, s,
        "SELECT " GEN_COLS " FROM gen WHERE job = ? AND gen >= ? AND loss IS NOT NULL "
        "ORDER BY gen LIMIT ?");
    db_int(&q, job);
    db_u64(&q, from);
    db_u64(&q, limit ? limit : GEN_LIMIT);
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc == BBT_OK)
            read_gen(&q, job, &rows[n++]);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    rc = rc == BBT_OK ? end : rc;
    if (rc == BBT_OK) {
        *ret = rows;
        *ret_n = n;
        return rc;
    }
    rec_gens_free(rows, n);
    return rc;
}
