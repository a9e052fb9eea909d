/* ports_db.c -- the engine's ports to the store: the same calls under the engine's names.
 * All run on the store's thread. */
#include "engine/ports.h"
#include "store/st_blob.h"
#include "store/st_event.h"
#include "store/st_gen.h"
#include "store/st_job.h"
#include "store/st_ledger.h"
#include "store/st_mark.h"
#include "store/store.h"
#include "store/st_rate.h"
#include "store/st_spend.h"

#include <stdio.h>

static struct store *st(struct port_db *db)
{
    return (struct store *)db;
}

enum bbt_rc port_db_next(struct port_db *db, unsigned states, const int64_t *live,
    size_t nlive, struct rec_job *ret, struct bbt_err *err)
{
    return store_job_next(st(db), states, live, nlive, ret, err);
}

enum bbt_rc port_db_job(struct port_db *db, int64_t id, struct rec_job *ret,
    char **ret_spec_json, struct bbt_err *err)
{
    return store_job_get(st(db), id, ret, ret_spec_json, err);
}

enum bbt_rc port_db_state(struct port_db *db, int64_t id, unsigned from, enum rec_state to,
    const char *reason, const char *detail, struct bbt_err *err)
{
    struct store_move m = {id, from, to, reason, detail, port_wall_us()};

    return store_job_state(st(db), &m, err);
}

enum bbt_rc port_db_blob(struct port_db *db, const char *sha256, void **ret,
    size_t *ret_len, struct bbt_err *err)
{
    return store_blob_get(st(db), sha256, ret, ret_len, err);
}

enum bbt_rc port_db_setup_put(
    struct port_db *db, int64_t job, const void *bytes, size_t len, struct bbt_err *err)
{
    return store_setup_put(st(db), job, bytes, len, err);
}

enum bbt_rc port_db_setup_get(
    struct port_db *db, int64_t job, void **ret, size_t *ret_len, struct bbt_err *err)
{
    return store_setup_get(st(db), job, ret, ret_len, err);
}

enum bbt_rc port_db_resume(
    struct port_db *db, int64_t job, struct rec_resume *ret, struct bbt_err *err)
{
    return store_resume(st(db), job, ret, err);
}

enum bbt_rc port_db_best(
    struct port_db *db, int64_t job, struct rec_best *ret, struct bbt_err *err)
{
    return store_best_get(st(db), job, ret, err);
}

enum bbt_rc port_db_turn(
    struct port_db *db, const struct rec_turn *t, struct bbt_err *err)
{
    return store_turn(st(db), t, err);
}

enum bbt_rc port_db_touch(struct port_db *db, struct bbt_err *err)
{
    return store_touch(st(db), err);
}

enum bbt_rc port_db_answer_put(
    struct port_db *db, const struct rec_answer *row, struct bbt_err *err)
{
    return store_ledger_add(st(db), row, 1, NULL, err);
}

enum bbt_rc port_db_answers(struct port_db *db, int64_t job, enum rec_phase phase,
    uint64_t gen, struct rec_answer **ret, size_t *ret_n, struct bbt_err *err)
{
    return store_ledger_load(st(db), job, phase, gen, ret, ret_n, err);
}

enum bbt_rc port_db_mark_put(
    struct port_db *db, const struct rec_mark *mark, struct bbt_err *err)
{
    return store_mark_put(st(db), mark, err);
}

enum bbt_rc port_db_mark_drop(
    struct port_db *db, const struct rec_mark *mark, struct bbt_err *err)
{
    const struct rec_answer key = {.job = mark->job,
        .phase = mark->phase,
        .gen = mark->gen,
        .cand = mark->cand,
        .batch = mark->batch};

    return store_mark_drop(st(db), &key, err);
}

enum bbt_rc port_db_marks(struct port_db *db, int64_t job, enum rec_phase phase,
    uint64_t gen, struct rec_mark **ret, size_t *ret_n, struct bbt_err *err)
{
    return store_mark_list(st(db), job, phase, gen, ret, ret_n, err);
}

enum bbt_rc port_db_claim_put(struct port_db *db, const struct rec_claim *c, int64_t *ret_id,
    struct bbt_err *err)
{
    return store_claim_put(st(db), c, ret_id, err);
}

enum bbt_rc port_db_claim_end(struct port_db *db, const struct rec_claim *c,
    const struct rec_sum *charged, struct bbt_err *err)
{
    return store_claim_end(st(db), c, charged, err);
}

enum bbt_rc port_db_claims_charge(struct port_db *db, struct bbt_err *err)
{
    return store_claims_charge(st(db), err);
}

enum bbt_rc port_db_spend_days(
    struct port_db *db, struct rec_day **ret, size_t *ret_n, struct bbt_err *err)
{
    return store_spend_days(st(db), ret, ret_n, err);
}

enum bbt_rc port_db_spend_job(
    struct port_db *db, int64_t job, struct rec_sum *ret, struct bbt_err *err)
{
    return store_spend_job(st(db), job, ret, err);
}

enum bbt_rc port_db_usage(
    struct port_db *db, int64_t job, const struct rec_usage *add, struct bbt_err *err)
{
    return store_usage_add(st(db), job, add, err);
}

enum bbt_rc port_db_result(struct port_db *db, const struct rec_result *r,
    const char *reason, const char *detail, struct bbt_err *err)
{
    struct store_move m = {r->job, 1u << REC_RUNNING, REC_COMPLETED, reason, detail,
        port_wall_us()};

    return store_result_put(st(db), r, &m, err);
}

enum bbt_rc port_db_result_get(
    struct port_db *db, int64_t job, struct rec_result *ret, struct bbt_err *err)
{
    return store_result_get(st(db), job, ret, err);
}

enum bbt_rc port_db_event(struct port_db *db, int64_t job, const char *kind,
    const char *text, struct bbt_err *err)
{
    struct rec_event e = {.job = job, .wall_us = port_wall_us()};

    (void)snprintf(e.kind, sizeof e.kind, "%s", kind);
    (void)snprintf(e.text, sizeof e.text, "%s", text);
    return store_event_add(st(db), &e, NULL, err);
}

enum bbt_rc port_db_sent_put(
    struct port_db *db, const struct rec_sent *sent, struct bbt_err *err)
{
    return store_sent_put(st(db), sent, err);
}

enum bbt_rc port_db_sent_list(struct port_db *db, int64_t since_us, struct rec_sent **ret,
    size_t *ret_n, struct bbt_err *err)
{
    return store_sent_list(st(db), since_us, ret, ret_n, err);
}

enum bbt_rc port_db_rest_put(
    struct port_db *db, const struct rec_rest *rest, struct bbt_err *err)
{
    return store_rest_put(st(db), rest, err);
}

enum bbt_rc port_db_rest_list(
    struct port_db *db, struct rec_rest **ret, size_t *ret_n, struct bbt_err *err)
{
    return store_rest_list(st(db), ret, ret_n, err);
}
