/* room.h -- a state directory of one test, and rows to fill it with. */
#ifndef TEST_STORE_ROOM_H
#define TEST_STORE_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/record.h"
#include "store/db.h"
#include "store/st_blob.h"
#include "store/st_event.h"
#include "store/st_gen.h"
#include "store/st_job.h"
#include "store/st_ledger.h"
#include "store/st_mark.h"
#include "store/st_rate.h"
#include "store/st_spend.h"
#include "store/store.h"

#include <ftw.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

struct room {
    char base[64];  /* removed at the end */
    char dir[128];  /* the state directory */
    char file[160]; /* the database */
    struct store *s;
    struct bbt_err err;
};

/* Shows the sentence of a call that should have worked. */
#define ok(call)                                                                       \
    do {                                                                               \
        enum bbt_rc ok_rc_ = (call);                                                   \
        if (ok_rc_ != BBT_OK)                                                          \
            print_error("%s: %s\n", #call, r->err.msg);                                \
        assert_int_equal(ok_rc_, BBT_OK);                                              \
    } while (0)

#define fails(call, rc) assert_int_equal(call, rc)

UNUSED static void room_open(struct room *r)
{
    ok(store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err));
}

UNUSED static void room_close(struct room *r)
{
    store_close(r->s);
    r->s = NULL;
}

UNUSED static int room_setup(void **state)
{
    struct room *r = calloc(1, sizeof *r);

    assert_non_null(r);
    (void)snprintf(r->base, sizeof r->base, "%s/bbt-store-XXXXXX",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(r->base));
    (void)snprintf(r->dir, sizeof r->dir, "%s/state", r->base);
    (void)snprintf(r->file, sizeof r->file, "%s/bbtd.db", r->dir);
    *state = r;
    return 0;
}

UNUSED static int room_setup_open(void **state)
{
    (void)room_setup(state);
    room_open(*state);
    return 0;
}

static int room_remove(
    const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

UNUSED static int room_teardown(void **state)
{
    struct room *r = *state;

    store_close(r->s);
    (void)nftw(r->base, room_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(r);
    return 0;
}

/* Next of a row of tries: every one, or under valgrind (or with BBT_SLOW_TOOL) a
 * sample. */
UNUSED static long next_try(long k)
{
    const char *preload = getenv("LD_PRELOAD");
    bool brief = getenv("BBT_SLOW_TOOL") || (preload && strstr(preload, "vgpreload"));

    return k + 1 + (brief ? 3 + k / 4 : 0);
}

/* ---- rows ---- */

UNUSED static int64_t add_job(struct room *r, const char *name)
{
    struct rec_job j = {
        .created_us = 1000, .generations_max = 7, .evaluations_max = 140};
    int64_t id = 0;
    bool existed = true;

    (void)snprintf(j.name, sizeof j.name, "%s", name);
    ok(store_job_add(r->s, &j, "{\"a\":1}", NULL, &id, &existed, &r->err));
    assert_false(existed);
    return id;
}

UNUSED static struct rec_job job_of(struct room *r, int64_t id)
{
    struct rec_job j;

    ok(store_job_get(r->s, id, &j, NULL, &r->err));
    return j;
}

#define POP 4
#define DIM 3

/* Numbers that differ for every generation and place, fractions included. */
UNUSED static void fill(double *to, size_t n, uint64_t salt)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (double)(salt * 1000 + i) / 7.0;
}

UNUSED static struct rec_gen open_row(uint64_t gen, double *cand)
{
    fill(cand, POP * DIM, gen + 1);
    return (struct rec_gen){.gen = gen,
        .popsize = POP,
        .dim = DIM,
        .cand = cand,
        .sigma = 1.0 / (double)(gen + 1),
        .digest = UINT64_C(0xfedcba9876543210) ^ gen};
}

UNUSED static struct rec_gen closed_row(uint64_t gen, double *loss)
{
    fill(loss, POP, gen + 500);
    return (struct rec_gen){.gen = gen,
        .popsize = POP,
        .dim = DIM,
        .loss = loss,
        .trace = loss, /* any bytes */
        .trace_len = 8 * POP - 3,
        .loss_best = loss[0],
        .loss_mean = loss[1],
        .sigma = 0.5,
        .dev = gen % 2 ? (double)NAN : 0.75,
        .dev_loss = gen % 2 ? (double)NAN : 0.25,
        .evaluations = (gen + 1) * POP,
        .wall_us = 5000 + (int64_t)gen};
}

UNUSED static struct rec_answer answer_row(int64_t job, uint32_t cand, float *logit)
{
    for (unsigned i = 0; i < 6; i++)
        logit[i] = (float)cand + (float)i / 3.0f;
    return (struct rec_answer){.job = job,
        .phase = REC_TRAIN,
        .cand = cand,
        .batch = 1,
        .digest = UINT64_C(0x8000000000000001),
        .rows = 3,
        .labels = 2,
        .logit = logit,
        .tokens_in = 10,
        .tokens_out = 2,
        .attempts = 1,
        .latency_us = 99,
        .wall_us = 123456789};
}

/* ---- everything in the file, as one number ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * UINT64_C(1099511628211);
    return h;
}

static uint64_t table_digest(sqlite3 *db, const char *table, uint64_t h)
{
    char sql[80];
    sqlite3_stmt *st = NULL;

    (void)snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            int type = sqlite3_column_type(st, i);

            h = mix(h, &type, sizeof type);
            h = mix(h, sqlite3_column_blob(st, i), (size_t)sqlite3_column_bytes(st, i));
        }
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    return h;
}

UNUSED static uint64_t contents(struct room *r)
{
    static const char *const tables[] = {"job", "job_spec", "setup", "blob", "answer",
        "mark", "gen", "cand", "snapshot", "best", "result", "event", "claim",
        "spend"};
    uint64_t h = 1;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        h = table_digest(r->s->db, tables[i], mix(h, &i, sizeof i));
    return h;
}

#endif
