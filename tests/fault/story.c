#include "story.h"

#include "base/alloc.h"
#include "base/record.h"
#include "store/db.h"
#include "store/st_blob.h"
#include "store/st_event.h"
#include "store/st_gen.h"
#include "store/st_job.h"
#include "store/st_ledger.h"
#include "store/st_mark.h"
#include "store/st_upkeep.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOB 1
#define POP 4
#define DIM 40
#define SNAP 60000 /* bytes: spills over many pages */

static unsigned char snap[SNAP];
static double cand[POP * DIM], loss[POP];
static float logit[6] = {0.5f, 1, 2, 3, 4, 5};

static const char abc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/* ---- steps that write ---- */

static enum bbt_rc job_add(struct story *t)
{
    const struct rec_job j = {.name = "story", .created_us = 7, .generations_max = 9};
    int64_t id;
    bool existed;

    return store_job_add(t->s, &j, "{\"a\":1}", "key", &id, &existed, &t->err);
}

static enum bbt_rc job_start(struct story *t)
{
    const struct store_move m = {JOB, ~0u, REC_RUNNING, "", "detail", 9};

    return store_job_state(t->s, &m, &t->err);
}

static enum bbt_rc setup_put(struct story *t)
{
    memset(snap, 0x5a, sizeof snap);
    return store_setup_put(t->s, JOB, snap, 9000, &t->err);
}

static enum bbt_rc blob_put(struct story *t)
{
    return store_blob_put(t->s, abc, "abc", 3, &t->err);
}

static enum bbt_rc turn(struct story *t, uint64_t gen, bool snapshot, bool last)
{
    struct rec_gen open = {.gen = gen, .popsize = POP, .dim = DIM, .cand = cand};
    struct rec_gen closed = {.popsize = POP, .dim = DIM, .loss = loss, .gen = gen - 1};
    struct rec_best best = {JOB, gen ? gen - 1 : 0, 1, 0.5 + (double)gen, 0.1, DIM, cand};
    struct rec_turn turn = {.job = JOB,
        .closed = gen ? &closed : NULL,
        .open = last ? NULL : &open,
        .snapshot = snapshot ? snap : NULL,
        .snapshot_len = SNAP,
        .snapshot_gen = gen,
        .best = gen ? &best : NULL,
        .add = {.generations = gen ? 1 : 0, .evaluations = gen ? POP : 0}};

    for (size_t i = 0; i < POP * DIM; i++)
        cand[i] = (double)(gen * 1000 + i);
    for (size_t i = 0; i < POP; i++)
        loss[i] = (double)(gen * 10 + i);
    memset(snap, (int)gen + 1, sizeof snap);
    return store_turn(t->s, &turn, &t->err);
}

static enum bbt_rc turn_first(struct story *t)
{
    return turn(t, 0, true, false);
}

static enum bbt_rc turn_small(struct story *t)
{
    return turn(t, 1, false, false);
}

static enum bbt_rc turn_snapshot(struct story *t)
{
    return turn(t, 2, true, false);
}

static enum bbt_rc turn_last(struct story *t)
{
    return turn(t, 3, false, true);
}

static enum bbt_rc mark_put(struct story *t)
{
    const struct rec_mark m = {.job = JOB, .cand = 1};

    return store_mark_put(t->s, &m, &t->err);
}

static enum bbt_rc mark_drop(struct story *t)
{
    const struct rec_answer a = {.job = JOB, .cand = 1};

    return store_mark_drop(t->s, &a, &t->err);
}

static struct rec_answer answer(uint64_t gen, uint32_t c)
{
    return (struct rec_answer){.job = JOB,
        .phase = REC_TRAIN,
        .gen = gen,
        .cand = c,
        .rows = 3,
        .labels = 2,
        .logit = logit,
        .tokens_in = 10,
        .tokens_out = 1,
        .attempts = 1};
}

static enum bbt_rc ledger_add(struct story *t)
{
    struct rec_answer rows[POP];

    for (uint32_t i = 0; i < POP; i++)
        rows[i] = answer(0, i);
    return store_ledger_add(t->s, rows, POP, NULL, &t->err);
}

/* As the daemon does it: many calls, one commit. */
static enum bbt_rc group(struct story *t)
{
    enum bbt_rc rc = store_begin(t->s, &t->err);

    if (rc != BBT_OK)
        return rc;
    for (uint32_t i = 0; rc == BBT_OK && i < 40; i++) {
        struct rec_answer a = answer(1, i);
        const struct rec_event e = {.job = JOB, .wall_us = i, .kind = "k", .text = "t"};

        rc = store_ledger_add(t->s, &a, 1, NULL, &t->err);
        if (rc == BBT_OK)
            rc = store_event_add(t->s, &e, NULL, &t->err);
    }
    if (rc == BBT_OK)
        return store_commit(t->s, &t->err);
    store_rollback(t->s);
    return rc;
}

static enum bbt_rc usage_add(struct story *t)
{
    return store_usage_add(
        t->s, JOB, &(struct rec_usage){.failures = 1, .active_us = 5}, &t->err);
}

static enum bbt_rc event_add(struct story *t)
{
    const struct rec_event e = {.job = JOB, .wall_us = 3, .kind = "best", .text = "x"};

    return store_event_add(t->s, &e, NULL, &t->err);
}

static enum bbt_rc best_put(struct story *t)
{
    double z[DIM] = {3};
    const struct rec_best b = {JOB, 2, 1, 0.9, 0.05, DIM, z};

    return store_best_put(t->s, &b, &t->err);
}

static enum bbt_rc result_put(struct story *t)
{
    char json[] = "{}";
    const struct rec_result r = {JOB, json, logit, 2, 3};
    const struct store_move m = {.id = JOB, .from = ~0u, .to = REC_COMPLETED, .wall_us = 50};

    return store_result_put(t->s, &r, &m, &t->err);
}

/* ---- steps that read ---- */

static enum bbt_rc read_job(struct story *t)
{
    struct rec_job j, *rows = NULL;
    size_t n = 0;
    char *spec = NULL;
    enum bbt_rc rc = store_job_get(t->s, JOB, &j, &spec, &t->err);

    bbt_free(spec);
    if (rc == BBT_OK)
        rc = store_job_list(
            t->s, &(struct store_filter){.newest_first = true}, &rows, &n, &t->err);
    bbt_free(rows);
    if (rc == BBT_OK)
        rc = store_job_next(t->s, ~0u, NULL, 0, &j, &t->err);
    return rc;
}

static enum bbt_rc read_bytes(struct story *t)
{
    void *bytes = NULL;
    size_t n;
    bool has;
    enum bbt_rc rc = store_setup_get(t->s, JOB, &bytes, &n, &t->err);

    bbt_free(bytes);
    if (rc != BBT_OK)
        return rc;
    rc = store_blob_has(t->s, abc, &has, &t->err);
    if (rc != BBT_OK)
        return rc;
    assert_true(has);
    rc = store_blob_get(t->s, abc, &bytes, &n, &t->err);
    if (rc == BBT_OK)
        bbt_free(bytes);
    return rc;
}

static enum bbt_rc read_search(struct story *t)
{
    struct rec_resume resume = {0};
    struct rec_best best = {0};
    struct rec_gen *gens = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_resume(t->s, JOB, &resume, &t->err);

    rec_resume_fini(&resume);
    if (rc == BBT_OK)
        rc = store_best_get(t->s, JOB, &best, &t->err);
    rec_best_fini(&best);
    if (rc == BBT_OK)
        rc = store_gen_list(t->s, JOB, 0, 0, &gens, &n, &t->err);
    rec_gens_free(gens, n);
    return rc;
}

static enum bbt_rc read_ledger(struct story *t)
{
    struct rec_answer *rows = NULL;
    struct rec_mark *marks = NULL;
    size_t n = 0;
    uint64_t count;
    enum bbt_rc rc = store_ledger_load(t->s, JOB, REC_TRAIN, 0, &rows, &n, &t->err);

    rec_answers_free(rows, n);
    if (rc == BBT_OK)
        rc = store_ledger_count(t->s, JOB, &count, &t->err);
    if (rc == BBT_OK)
        rc = store_mark_list(t->s, JOB, REC_TRAIN, 0, &marks, &n, &t->err);
    bbt_free(marks);
    return rc;
}

static enum bbt_rc read_end(struct story *t)
{
    struct rec_result r = {0};
    struct rec_event *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = store_result_get(t->s, JOB, &r, &t->err);

    rec_result_fini(&r);
    if (rc == BBT_OK)
        rc = store_event_list(t->s, JOB, 0, 0, &rows, &n, &t->err);
    bbt_free(rows);
    return rc;
}

/* ---- upkeep ---- */

static enum bbt_rc touch(struct story *t)
{
    return store_touch(t->s, &t->err);
}

static enum bbt_rc retain(struct story *t)
{
    const struct store_retain what = {.ledger_before_us = 100};
    bool more;

    return store_retain(t->s, &what, &more, &t->err);
}

static enum bbt_rc vacuum(struct story *t)
{
    uint64_t freed;
    bool more;
    enum bbt_rc rc = store_begin(t->s, &t->err);

    if (rc != BBT_OK)
        return rc;
    rc = store_vacuum(t->s, 1000, &freed, &more, &t->err);
    if (rc == BBT_OK)
        return store_commit(t->s, &t->err);
    store_rollback(t->s);
    return rc;
}

static void finding(void *arg, const char *text)
{
    (void)arg;
    fail_msg("%s", text);
}

static enum bbt_rc audit(struct story *t)
{
    return store_audit(t->dir, finding, NULL, &t->err);
}

static enum bbt_rc check(struct story *t)
{
    return store_check(t->s, &t->err);
}

const struct story_step story_steps[] = {
    {"job_add", job_add},
    {"blob_put", blob_put},
    {"job_start", job_start},
    {"setup_put", setup_put},
    {"turn_first", turn_first},
    {"read_bytes", read_bytes},
    {"mark_put", mark_put},
    {"mark_drop", mark_drop},
    {"ledger_add", ledger_add},
    {"event_add", event_add},
    {"turn_small", turn_small},
    {"read_ledger", read_ledger},
    {"group", group},
    {"turn_snapshot", turn_snapshot},
    {"usage_add", usage_add},
    {"read_search", read_search},
    {"turn_last", turn_last},
    {"best_put", best_put},
    {"result_put", result_put},
    {"read_job", read_job},
    {"read_end", read_end},
    {"check", check},
    {"touch", touch},
    {"audit", audit},
    {"retain", retain},
    {"sweep", retain},
    {"vacuum", vacuum},
};
const size_t story_steps_nr = sizeof story_steps / sizeof story_steps[0];
_Static_assert(sizeof story_steps / sizeof story_steps[0] < STORY_STEPS_MAX, "room");

/* ---- the room ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void story_init(struct story *t)
{
    *t = (struct story){0};
    (void)snprintf(t->base, sizeof t->base, "%s/bbt-fault-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(t->base));
    (void)snprintf(t->dir, sizeof t->dir, "%s/state", t->base);
    simvfs_install();
    simvfs_seed(1);
    simdisk_wipe();
}

void story_fini(struct story *t)
{
    store_close(t->s);
    simdisk_wipe();
    (void)nftw(t->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

enum bbt_rc story_open(struct story *t)
{
    enum bbt_rc rc = store_open(t->dir, STORE_NETWORK_OK, &t->s, &t->err);

    if (rc == BBT_OK)
        (void)sqlite3_wal_autocheckpoint(t->s->db, 12);
    return rc;
}

void story_close(struct story *t)
{
    store_close(t->s);
    t->s = NULL;
}

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * UINT64_C(1099511628211);
    return h;
}

uint64_t story_digest(struct story *t)
{
    static const char *const tables[] = {"job", "job_spec", "setup", "blob", "answer",
        "mark", "gen", "cand", "snapshot", "best", "result", "event"};
    uint64_t h = 1;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char sql[80];
        sqlite3_stmt *st = NULL;

        (void)snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[i]);
        assert_int_equal(sqlite3_prepare_v2(t->s->db, sql, -1, &st, NULL), SQLITE_OK);
        h = mix(h, &i, sizeof i);
        while (sqlite3_step(st) == SQLITE_ROW)
            for (int c = 0; c < sqlite3_column_count(st); c++) {
                int type = sqlite3_column_type(st, c);

                h = mix(h, &type, sizeof type);
                h = mix(h, sqlite3_column_blob(st, c),
                    (size_t)sqlite3_column_bytes(st, c));
            }
        assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    }
    return h;
}

void story_exec(struct story *t, const char *sql)
{
    assert_int_equal(sqlite3_exec(t->s->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

void story_sound(struct story *t)
{
    sqlite3_stmt *st = NULL;

    assert_int_equal(
        sqlite3_prepare_v2(t->s->db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(t->s->db, "PRAGMA foreign_key_check", -1, &st, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
}

void story_ok(struct story *t, enum bbt_rc rc, const char *what, size_t step)
{
    if (rc != BBT_OK)
        print_error("%s, step %zu (%s): %s\n", what, step,
            step < story_steps_nr ? story_steps[step].name : "end", t->err.msg);
    assert_int_equal(rc, BBT_OK);
}

void story_undisturbed(
    struct story *t, uint64_t *digests, struct simdisk_image **images)
{
    simdisk_wipe();
    story_ok(t, story_open(t), "open", 0);
    for (size_t i = 0;; i++) {
        digests[i] = story_digest(t);
        if (images)
            images[i] = simdisk_save();
        if (i == story_steps_nr)
            break;
        story_ok(t, story_steps[i].run(t), "undisturbed", i);
    }
    story_close(t);
}
