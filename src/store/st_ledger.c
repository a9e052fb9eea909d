#include "store/st_ledger.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/db.h"
#include "store/st_job.h"
#include "store/st_mark.h"
#include "store/st_spend.h"

#define DROP_STEP 1000 /* answers */

#define CELLS_MAX (64u * 1024u * 1024u) /* logits of one answer */

static enum bbt_rc insert_answer(
    struct store *s, const struct rec_answer *a, struct bbt_err *err)
{
    struct query q;
    uint64_t cells = (uint64_t)a->rows * a->labels;

    if (cells == 0 || cells > CELLS_MAX || !a->logit ||
        (unsigned)a->phase >= REC_PHASE_NR)
        return bbt_fail(err, BBT_INVALID, "an answer of impossible shape (%u x %u)",
            a->rows, a->labels);
    db_start(&q, s,
        "INSERT INTO answer (job, phase, gen, cand, batch, digest, rows, labels, "
        "logit, "
        "tokens_in, tokens_out, attempts, repeated, latency_us, wall_us, "
        "cost) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
    db_int(&q, a->job);
    db_int(&q, (int64_t)a->phase);
    db_u64(&q, a->gen);
    db_int(&q, a->cand);
    db_int(&q, a->batch);
    db_u64(&q, a->digest);
    db_int(&q, a->rows);
    db_int(&q, a->labels);
    db_blob(&q, a->logit, (size_t)cells * sizeof *a->logit);
    db_int(&q, a->tokens_in);
    db_int(&q, a->tokens_out);
    db_int(&q, a->attempts);
    db_int(&q, a->repeated);
    db_u64(&q, a->latency_us);
    db_int(&q, a->wall_us);
    db_u64(&q, a->cost);
    return db_done(&q, err);
}

/* An answer about other words has this one's key: a tokenizer or a limit on length has changed
 * since. It was paid for and keeps its row, under a number that no batch has. */
static enum bbt_rc move_aside(struct store *s, const struct rec_answer *a, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s,
        "UPDATE answer SET batch = (SELECT max(4000000000, max(batch) + 1) FROM answer WHERE "
        "job = ?1 AND phase = ?2 AND gen = ?3 AND cand = ?4) "
        "WHERE job = ?1 AND phase = ?2 AND gen = ?3 AND cand = ?4 AND batch = ?5 AND digest <> ?6");
    db_int(&q, a->job);
    db_int(&q, (int64_t)a->phase);
    db_u64(&q, a->gen);
    db_int(&q, a->cand);
    db_int(&q, a->batch);
    db_u64(&q, a->digest);
    return db_done(&q, err);
}

/* *ret_fresh false: it is there already. */
static enum bbt_rc insert(
    struct store *s, const struct rec_answer *a, bool *ret_fresh, struct bbt_err *err)
{
    enum bbt_rc rc = insert_answer(s, a, err);

    if (rc == BBT_OK && db_changed(s) == 0) {
        rc = move_aside(s, a, err);
        if (rc == BBT_OK && db_changed(s) > 0)
            rc = insert_answer(s, a, err);
    }
    if (rc == BBT_OK)
        *ret_fresh = db_changed(s) > 0;
    return rc;
}

/* The ledger has this answer from before; what was paid for it now is paid all the same. */
static enum bbt_rc settle_again(
    struct store *s, const struct rec_answer *a, struct bbt_err *err)
{
    const struct rec_sum charged = {1, (uint64_t)a->tokens_in + a->tokens_out, a->cost};

    return a->claim && a->claim->id ? store_claim_end(s, a->claim, &charged, err) : BBT_OK;
}

static enum bbt_rc add_row(
    struct store *s, const struct rec_answer *a, size_t *added, struct bbt_err *err)
{
    bool paid = a->attempts > 0; /* else the response cache's */
    const struct rec_usage use = {
        .requests = paid,
        .repeated = a->repeated,
        .examples = a->phase == REC_TRAIN ? a->rows : 0,
        .tokens_in = paid ? a->tokens_in : 0,
        .tokens_out = paid ? a->tokens_out : 0,
        .cost = a->cost,
        .cached = !paid,
    };
    bool fresh = false;
    enum bbt_rc rc = insert(s, a, &fresh, err);

    BBT_KILLPOINT("ledger-row");
    if (rc == BBT_OK)
        rc = store_mark_drop(s, a, err);
    BBT_KILLPOINT("ledger-unmarked");
    if (rc != BBT_OK)
        return rc;
    if (!fresh)
        return settle_again(s, a, err);
    (*added)++;
    rc = store_usage_add(s, a->job, &use, err);
    return rc == BBT_OK && paid ? spend_answer(s, a, a->claim, err) : rc;
}

enum bbt_rc store_ledger_add(struct store *s, const struct rec_answer *rows, size_t n,
    size_t *ret_added, struct bbt_err *err)
{
    size_t added = 0;
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; rc == BBT_OK && i < n; i++)
        rc = add_row(s, &rows[i], &added, err);
    rc = db_leave(s, rc, err);
    if (rc != BBT_OK)
        return rc;
    if (ret_added)
        *ret_added = added;
    return added == n
               ? BBT_OK
               : bbt_fail(err, BBT_CONFLICT,
                     "%zu of %zu answers were in the ledger already", n - added, n);
}

static void read_answer(struct query *q, struct rec_answer *a)
{
    a->cand = (uint32_t)db_col_int(q);
    a->batch = (uint32_t)db_col_int(q);
    a->digest = db_col_u64(q);
    a->rows = (uint32_t)db_col_int(q);
    a->labels = (uint32_t)db_col_int(q);
    a->logit = db_col_blob(q, (size_t)a->rows * a->labels * sizeof *a->logit, NULL);
    a->tokens_in = (uint32_t)db_col_int(q);
    a->tokens_out = (uint32_t)db_col_int(q);
    a->attempts = (uint32_t)db_col_int(q);
    a->repeated = (uint32_t)db_col_int(q);
    a->latency_us = db_col_u64(q);
    a->wall_us = db_col_int(q);
    a->cost = db_col_u64(q);
}

enum bbt_rc store_ledger_load(struct store *s, int64_t job, enum rec_phase phase,
    uint64_t gen, struct rec_answer **ret, size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_answer *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    db_start(&q, s,
        "SELECT cand, batch, digest, rows, labels, logit, tokens_in, tokens_out, "
        "attempts, "
        "repeated, latency_us, wall_us, cost FROM answer WHERE job = ? AND phase = ? AND gen "
        "= ? "
        "ORDER BY cand, batch");
    db_int(&q, job);
    db_int(&q, (int64_t)phase);
    db_u64(&q, gen);
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc != BBT_OK)
            break;
        rows[n] = (struct rec_answer){.job = job, .phase = phase, .gen = gen};
        read_answer(&q, &rows[n++]);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    rc = rc == BBT_OK ? end : rc;
    if (rc == BBT_OK) {
        *ret = rows;
        *ret_n = n;
        return rc;
    }
    rec_answers_free(rows, n);
    return rc;
}

enum bbt_rc store_ledger_count(
    struct store *s, int64_t job, uint64_t *ret, struct bbt_err *err)
{
    struct query q;
    uint64_t n = 0;
    enum bbt_rc rc;

    db_start(&q, s, "SELECT count(*) FROM answer WHERE job = ?");
    db_int(&q, job);
    if (db_row(&q))
        n = db_col_u64(&q);
    rc = db_end(&q, err);
    if (rc == BBT_OK)
        *ret = n;
    return rc;
}

enum bbt_rc store_ledger_drop(
    struct store *s, int64_t job, bool *ret_gone, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s,
        "DELETE FROM answer WHERE (job, phase, gen, cand, batch) IN (SELECT job, phase, gen, "
        "cand, batch FROM answer WHERE job = ? LIMIT ?)");
    db_int(&q, job);
    db_int(&q, DROP_STEP);
    rc = db_done(&q, err);
    if (rc == BBT_OK)
        *ret_gone = db_changed(s) < DROP_STEP;
    return rc;
}
