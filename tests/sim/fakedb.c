/* fakedb.c -- the store's thread of the world, and the engine's ports to the store: the real
 * store behind them, its calls told to the checkers, the planted faults of a store. What more
 * than the engine writes, sees watch.c. */
#include "api.h"
#include "base/alloc.h"
#include "checks.h"
#include "store/cache.h"
#include "store/st_blob.h"
#include "store/st_event.h"
#include "store/st_gen.h"
#include "store/st_job.h"
#include "store/st_ledger.h"
#include "store/st_mark.h"
#include "store/st_spend.h"
#include "store/st_rate.h"
#include "store/store.h"
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the thread ---- */

/* Up to so many calls of the queue, as a list. */
static struct port_call *take_batch(struct world *w)
{
    struct port_call *batch = w->db_head, **at = &w->db_head;
    uint64_t n = 1 + world_draw(w, 16);

    while (*at && n-- > 0)
        at = (struct port_call **)(void *)&(*at)->impl[0];
    w->db_head = *at;
    if (!w->db_head)
        w->db_tail = &w->db_head;
    *at = NULL;
    return batch;
}

static enum bbt_rc commit(struct world *w, struct bbt_err *err)
{
    bool full = w->now_us >= w->faults.full_from && w->now_us < w->faults.full_until;

    if (full || world_chance(w, w->faults.commit)) {
        store_rollback(w->store);
        w->io_errors++;
        return bbt_fail(err, BBT_IO, full ? "database or disk is full" : "disk I/O error");
    }
    if (w->mutant == MUTANT_LOSE_COMMIT && w->steps > 100 && world_draw(w, 50) == 0) {
        store_rollback(w->store);
        return BBT_OK;
    }
    return store_commit(w->store, err);
}

bool world_is_story(const struct world *w, const struct port_call *c)
{
    for (const struct api *a = w->daemon ? w->daemon->stories : NULL; a; a = a->next)
        if (&a->call == c)
            return true;
    return false;
}

/* As daemon/ports.c runs it on the lane: a call that fails leaves no trace. */
static void run_call(struct world *w, struct port_call *c)
{
    size_t noted = w->checks ? checks_noted(w->checks) : 0;

    w->story = world_is_story(w, c);
    c->rc = store_enter(w->store, &c->err);
    if (c->rc == BBT_OK) {
        c->run(c, (struct port_db *)w->store);
        if (w->story && w->mutant == MUTANT_SICK && world_draw(w, 10) == 0)
            c->rc = bbt_fail(&c->err, BBT_IO, "no reason at all");
        c->rc = store_leave(w->store, c->rc, &c->err);
    }
    w->story = false;
    if (c->rc != BBT_OK && c->rc != BBT_NOTFOUND && w->checks)
        checks_undo(w->checks, noted);
}

/* The calls of handlers come home before the commit that they need. */
static void tell_early(struct world *w, struct port_call **at)
{
    while (*at) {
        struct port_call *c = *at;

        if (!world_is_story(w, c) || world_draw(w, 4)) {
            at = (struct port_call **)(void *)&c->impl[0];
            continue;
        }
        *at = c->impl[0];
        w->db_pending--;
        c->done = true;
        op_wake(c->wake);
        world_turn(w);
    }
}

void world_db_batch(struct world *w)
{
    struct port_call *batch = take_batch(w);
    struct bbt_err err = {0};
    enum bbt_rc rc = store_begin(w->store, &err);

    if (rc == BBT_OK) {
        for (struct port_call *c = batch; c; c = c->impl[0])
            run_call(w, c);
        if (w->mutant == MUTANT_TOO_EARLY)
            tell_early(w, &batch);
        rc = commit(w, &err);
    }
    for (struct port_call *c = batch; rc != BBT_OK && c; c = c->impl[0]) {
        c->rc = rc;
        c->err = err;
    }
    if (w->checks)
        checks_commit(w->checks, rc == BBT_OK);
    world_event_put(w, world_draw(w, 500), WORLD_DB_DONE, batch);
    w->db_busy = w->db_head != NULL;
    if (w->db_busy)
        world_event_put(w, 20 + world_draw(w, 2000), WORLD_DB, NULL);
}

void world_db_home(struct world *w, void *ptr)
{
    struct port_call *c = ptr;

    while (c) {
        struct port_call *next = c->impl[0];

        w->db_pending--;
        c->done = true;
        op_wake(c->wake);
        c = next;
    }
}

/* ---- the ports ---- */

static struct store *st(struct port_db *db)
{
    return (struct store *)db;
}

static struct checks *watch(void)
{
    return world_now()->checks;
}

static bool mutant(enum world_mutant m)
{
    return world_now()->mutant == m;
}

enum bbt_rc port_db_next(struct port_db *db, unsigned states, const int64_t *live,
    size_t nlive, struct rec_job *ret, struct bbt_err *err)
{
    if (mutant(MUTANT_OVERRULE))
        states |= 1u << REC_PAUSED;
    return store_job_next(st(db), states, live, nlive, ret, err);
}

/* The text of an object loses a key. */
static void forget(char **text, const char *key)
{
    json_t *v = NULL;

    if (json_parse(*text, strlen(*text), "spec", &v, NULL) != BBT_OK)
        abort();
    (void)json_object_del(v, key);
    bbt_free(*text);
    *text = json_print(v);
    json_decref(v);
}

enum bbt_rc port_db_job(struct port_db *db, int64_t id, struct rec_job *ret,
    char **ret_spec_json, struct bbt_err *err)
{
    enum bbt_rc rc = store_job_get(st(db), id, ret, ret_spec_json, err);

    if (rc == BBT_OK && ret_spec_json && mutant(MUTANT_FORGET_HOURS))
        forget(ret_spec_json, "schedule");
    return rc;
}

enum bbt_rc port_db_state(struct port_db *db, int64_t id, unsigned from, enum rec_state to,
    const char *reason, const char *detail, struct bbt_err *err)
{
    struct store_move m = {id, mutant(MUTANT_OVERRULE) ? 63u : from, to, reason, detail,
        port_wall_us()};

    if (mutant(MUTANT_WRONG_STOP) && to == REC_RUNNING && world_draw(world_now(), 4) == 0) {
        m.to = REC_PAUSED;
        m.reason = "auth";
    }
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
    enum bbt_rc rc = store_resume(st(db), job, ret, err);

    for (size_t i = 0; rc == BBT_OK && mutant(MUTANT_BENT_TRACE) && i < ret->gens_nr; i++)
        if (ret->gens[i].trace)
            *(uint8_t *)ret->gens[i].trace ^= 1; /* sigma's last bit */
    if (rc == BBT_OK && mutant(MUTANT_STALE_RESUME) && ret->gens_nr > 1) {
        struct rec_gen *last = &ret->gens[--ret->gens_nr];

        rec_gen_fini(last);
        last = &ret->gens[ret->gens_nr - 1];
        bbt_free(last->loss);
        bbt_free(last->trace);
        last->loss = NULL;
        last->trace = NULL;
    }
    return rc;
}

enum bbt_rc port_db_best(
    struct port_db *db, int64_t job, struct rec_best *ret, struct bbt_err *err)
{
    return store_best_get(st(db), job, ret, err);
}

enum bbt_rc port_db_turn(
    struct port_db *db, const struct rec_turn *t, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (mutant(MUTANT_LOSE_TURN) && t->closed && world_draw(world_now(), 10) == 0)
        return BBT_OK;
    rc = store_turn(st(db), t, err);
    if (rc == BBT_OK && watch())
        checks_turn(watch(), t);
    return rc;
}

enum bbt_rc port_db_answer_put(
    struct port_db *db, const struct rec_answer *row, struct bbt_err *err)
{
    const struct rec_mark key = {row->job, row->phase, row->gen, row->cand, row->batch, 1};
    enum bbt_rc rc;

    if (mutant(MUTANT_LOSE_ANSWER) && world_draw(world_now(), 30) == 0)
        return BBT_OK;
    rc = store_ledger_add(st(db), row, 1, NULL, err);
    if (rc == BBT_OK && mutant(MUTANT_DOUBLE_COUNT)) {
        const struct rec_usage more = {.requests = 1};

        rc = store_usage_add(st(db), row->job, &more, err);
    }
    if (rc == BBT_OK && mutant(MUTANT_KEEP_MARK) && world_draw(world_now(), 10) == 0)
        rc = store_mark_put(st(db), &key, err);
    if (rc == BBT_OK && watch())
        checks_answer(watch(), &key, row->rows);
    return rc;
}

enum bbt_rc port_db_answers(struct port_db *db, int64_t job, enum rec_phase phase,
    uint64_t gen, struct rec_answer **ret, size_t *ret_n, struct bbt_err *err)
{
    enum bbt_rc rc = store_ledger_load(st(db), job, phase, gen, ret, ret_n, err);

    if (rc == BBT_OK && *ret_n && mutant(MUTANT_LOSE_KNOWN))
        bbt_free((*ret)[--*ret_n].logit);
    return rc;
}

enum bbt_rc port_db_touch(struct port_db *db, struct bbt_err *err)
{
    return store_touch(st(db), err);
}

enum bbt_rc port_db_mark_put(
    struct port_db *db, const struct rec_mark *mark, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (mutant(MUTANT_FORGET_MARK) && world_draw(world_now(), 10) == 0)
        return BBT_OK;
    rc = store_mark_put(st(db), mark, err);
    if (rc == BBT_OK && watch())
        checks_mark(watch(), mark, true);
    return rc;
}

enum bbt_rc port_db_mark_drop(
    struct port_db *db, const struct rec_mark *mark, struct bbt_err *err)
{
    const struct rec_answer key = {.job = mark->job,
        .phase = mark->phase,
        .gen = mark->gen,
        .cand = mark->cand,
        .batch = mark->batch};
    enum bbt_rc rc = store_mark_drop(st(db), &key, err);

    if (rc == BBT_OK && watch())
        checks_mark(watch(), mark, false);
    return rc;
}

enum bbt_rc port_db_marks(struct port_db *db, int64_t job, enum rec_phase phase,
    uint64_t gen, struct rec_mark **ret, size_t *ret_n, struct bbt_err *err)
{
    return store_mark_list(st(db), job, phase, gen, ret, ret_n, err);
}

enum bbt_rc port_db_claim_put(struct port_db *db, const struct rec_claim *c, int64_t *ret_id,
    struct bbt_err *err)
{
    if (mutant(MUTANT_FORGET_CLAIM)) {
        *ret_id = INT64_MAX;
        return BBT_OK;
    }
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
    enum bbt_rc rc = store_spend_days(st(db), ret, ret_n, err);

    if (rc == BBT_OK && mutant(MUTANT_FORGET_SPEND))
        *ret_n = 0;
    return rc;
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

    if (mutant(MUTANT_LOSE_RESULT) && r->prompt)
        r->prompt[0] += 0.001f;
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
    return mutant(MUTANT_FORGET_SENT) ? BBT_OK : store_sent_put(st(db), sent, err);
}

enum bbt_rc port_db_sent_list(struct port_db *db, int64_t since_us, struct rec_sent **ret,
    size_t *ret_n, struct bbt_err *err)
{
    return store_sent_list(st(db), since_us, ret, ret_n, err);
}

enum bbt_rc port_db_rest_put(
    struct port_db *db, const struct rec_rest *rest, struct bbt_err *err)
{
    enum bbt_rc rc =
        mutant(MUTANT_FORGET_REST) ? BBT_OK : store_rest_put(st(db), rest, err);

    if (rc == BBT_OK && watch())
        checks_rest(watch(), rest);
    return rc;
}

enum bbt_rc port_db_rest_list(
    struct port_db *db, struct rec_rest **ret, size_t *ret_n, struct bbt_err *err)
{
    return store_rest_list(st(db), ret, ret_n, err);
}

/* ---- the response cache: the real one, where the world has one ---- */

bool port_cache(void)
{
    return world_now()->cache != NULL;
}

bool port_cache_get(struct port_db *db, const uint8_t *key, struct rec_answer *row)
{
    const struct cache_limits any = {0};
    struct cache_answer a = {0};

    (void)db;
    if (cache_get(world_now()->cache, key, &any, port_wall_us(), &a, NULL) != BBT_OK)
        return false;
    assert(a.rows == row->rows && a.labels == row->labels);
    row->logit = a.logit;
    row->tokens_in = a.tokens_in;
    row->tokens_out = a.tokens_out;
    return true;
}

void port_cache_put(struct port_db *db, const uint8_t *key, const struct rec_answer *row)
{
    const struct cache_answer a = {row->rows, row->labels, row->logit, row->tokens_in,
        row->tokens_out, row->wall_us};
    struct bbt_err err = {0};
    enum bbt_rc rc = cache_put(world_now()->cache, key, &a, &err);

    (void)db;
    assert(rc == BBT_OK);
}
