/* Every law that the audit knows is broken once and found; what retention takes and what
 * it leaves; room that goes back to the file system. */
#include "room.h"

#include "store/st_trash.h"
#include "store/st_upkeep.h"

struct found {
    size_t n;
    char all[2000];
};

static void say(void *arg, const char *finding)
{
    struct found *f = arg;

    size_t len = strlen(f->all);

    f->n++;
    (void)snprintf(f->all + len, sizeof f->all - len, "%s\n", finding);
}

static struct found audit(struct room *r)
{
    struct found f = {0};

    ok(store_audit(r->dir, say, &f, &r->err));
    return f;
}

/* A job in the middle of its third generation, with answers and a snapshot. */
static int64_t busy_job(struct room *r, const char *name)
{
    double cand[POP * DIM], loss[POP];
    float logit[6];
    int64_t id = add_job(r, name);
    const struct store_move run = {
        .id = id, .from = ~0u, .to = REC_RUNNING, .wall_us = 2000};

    ok(store_job_state(r->s, &run, &r->err));
    for (uint64_t g = 0; g < 3; g++) {
        struct rec_gen open = open_row(g, cand), closed;
        struct rec_best b = {id, 0, 1, 0.5, 0.1, DIM, cand};
        struct rec_turn t = {.job = id, .open = &open};

        if (g > 0) {
            closed = closed_row(g - 1, loss);
            t.closed = &closed;
            t.best = g == 1 ? &b : NULL;
            t.add = (struct rec_usage){.generations = 1, .evaluations = POP};
        }
        t.snapshot = g < 2 ? "snapshot" : NULL;
        t.snapshot_len = 8;
        t.snapshot_gen = g;
        ok(store_turn(r->s, &t, &r->err));
        for (uint32_t i = 0; i < POP; i++) {
            struct rec_answer a = answer_row(id, i, logit);

            a.gen = g;
            ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
        }
    }
    ok(store_mark_put(r->s, &(struct rec_mark){.job = id, .gen = 2, .cand = 90}, &r->err));
    return id;
}

static void end_job(struct room *r, int64_t id, int64_t wall_us)
{
    const struct store_move m = {
        .id = id, .from = ~0u, .to = REC_CANCELLED, .wall_us = wall_us};

    ok(store_job_state(r->s, &m, &r->err));
}

static void run_sql(struct room *r, const char *sql)
{
    char *why = NULL;

    if (sqlite3_exec(r->s->db, sql, NULL, NULL, &why) != SQLITE_OK)
        print_error("%s: %s\n", sql, why);
    assert_null(why);
}

static void test_sound(void **state)
{
    struct room *r = *state;
    struct found f;

    assert_int_equal(audit(r).n, 0); /* an empty one */
    (void)busy_job(r, "a");
    end_job(r, busy_job(r, "b"), 5000);
    f = audit(r);
    assert_string_equal(f.all, "");
    assert_int_equal(f.n, 0);
}

static const struct {
    const char *sql, *says;
} broken[] = {
    {"UPDATE job SET requests = requests + 1", "13 requests"},
    {"UPDATE job SET examples = examples - 1", "35 examples"},
    {"UPDATE job SET tokens_in = 0", "0 + 24 tokens"},
    {"UPDATE job SET repeated = 1", "1 repeated"},
    {"DELETE FROM answer WHERE cand = 2 AND gen = 1", "the ledger has 11"},
    {"UPDATE job SET generations = 3", "counted 3 generations"},
    {"UPDATE job SET evaluations = 9", "9 evaluations"},
    {"UPDATE gen SET gen = 7 WHERE gen = 1", "generations 0 to 7 are 3 records"},
    {"UPDATE gen SET loss = NULL WHERE gen = 0", "generation 0 is open, and not the last"},
    {"UPDATE best SET gen = 2", "best prompt is of generation 2"},
    {"UPDATE snapshot SET gen = 3", "the snapshot is of generation 3"},
    {"DELETE FROM cand WHERE gen = 2", "generation 2 has no candidates"},
    {"INSERT INTO mark (job, phase, gen, cand, batch) SELECT job, phase, gen, cand, batch "
     "FROM answer LIMIT 1",
        "and answered"},
    {"UPDATE job SET state = 'completed', ended_us = 5", "generation 2 is open"},
    {"UPDATE job SET state = 'completed', ended_us = 5; "
     "UPDATE gen SET loss = x'00', gen = 2 WHERE gen = 2; UPDATE job SET generations = 3, "
     "evaluations = 12",
        "without a result"},
    {"UPDATE job SET ended_us = 5", "has a time of an end"},
    {"UPDATE job SET deleted_us = 5", "is running, in the trash"},
    {"UPDATE job SET cost = 5", "cost 5, its spending is 0"},
    {"UPDATE answer SET cost = 1", "12 answers of 120 + 24 tokens for 12"},
    {"UPDATE spend SET requests = 11", "its spending is 11"},
    {"DELETE FROM spend", "its spending is 0"},
    {"DELETE FROM job_spec", "has no spec"},
    {"INSERT INTO setup VALUES (77, x'00')",
        "a row of setup belongs to nothing"},
};

static void test_every_law(void **state)
{
    struct room *r = *state;

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct found f;

        (void)snprintf(r->dir, sizeof r->dir, "%s/%zu", r->base, i);
        room_open(r);
        (void)busy_job(r, "job");
        run_sql(r, "PRAGMA foreign_keys = OFF");
        run_sql(r, broken[i].sql);
        f = audit(r);
        if (f.n == 0 || !strstr(f.all, broken[i].says))
            print_error("%s: found \"%s\"\n", broken[i].sql, f.all);
        assert_non_null(strstr(f.all, broken[i].says));
        room_close(r);
    }
}

static int64_t number(struct room *r, const char *sql)
{
    sqlite3_stmt *st;
    int64_t v;

    assert_int_equal(sqlite3_prepare_v2(r->s->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return v;
}

static unsigned steps(struct room *r, struct store_retain what)
{
    bool more = true;
    unsigned n = 0;

    while (more) {
        ok(store_retain(r->s, &what, &more, &r->err));
        n++;
    }
    return n;
}

static unsigned retain(struct room *r, int64_t ledger, int64_t jobs)
{
    return steps(
        r, (struct store_retain){.ledger_before_us = ledger, .jobs_before_us = jobs});
}

static void test_ledger_goes(void **state)
{
    struct room *r = *state;
    int64_t running = busy_job(r, "running"), old = busy_job(r, "old"),
            young = busy_job(r, "young");
    struct rec_job before;
    uint64_t n;

    end_job(r, old, 5000);
    end_job(r, young, 9000);
    before = job_of(r, old);
    assert_int_equal(retain(r, 0, 0), 1); /* the default keeps everything */
    ok(store_ledger_count(r->s, old, &n, &r->err));
    assert_int_equal(n, 12);
    assert_int_equal(retain(r, 6000, 0), 2);
    ok(store_ledger_count(r->s, old, &n, &r->err));
    assert_int_equal(n, 0);
    ok(store_ledger_count(r->s, young, &n, &r->err));
    assert_int_equal(n, 12);
    ok(store_ledger_count(r->s, running, &n, &r->err));
    assert_int_equal(n, 12);
    assert_int_equal(job_of(r, old).usage.requests, before.usage.requests);
    assert_int_equal(number(r, "SELECT count(*) FROM gen"), 9);
    assert_int_equal(number(r, "SELECT count(*) FROM best"), 3);
    assert_int_equal(audit(r).n, 0);
    assert_int_equal(retain(r, 6000, 0), 1); /* nothing left to do */
}

/* An ended job needs no optimiser any more; one that can go on keeps its own. */
static void test_checkpoints_go(void **state)
{
    struct room *r = *state;
    const struct store_retain what = {.checkpoints_before_us = 6000};
    int64_t running = busy_job(r, "running"), paused = busy_job(r, "paused"),
            old = busy_job(r, "old"), young = busy_job(r, "young");
    struct rec_resume got;
    uint64_t n;

    end_job(r, old, 5000);
    end_job(r, young, 9000);
    ok(store_job_state(r->s,
        &(struct store_move){.id = paused, .from = ~0u, .to = REC_PAUSED, .wall_us = 1},
        &r->err));
    ok(store_trash_put(r->s, paused, 5, &r->err)); /* it may be taken back */
    assert_int_equal(number(r, "SELECT count(*) FROM gen WHERE trace IS NOT NULL"), 4);
    assert_int_equal(steps(r, what), 2);
    assert_int_equal(number(r, "SELECT count(*) FROM snapshot WHERE job = 3"), 0);
    assert_int_equal(number(r, "SELECT count(*) FROM cand WHERE job = 3"), 0);
    assert_int_equal(
        number(r, "SELECT count(*) FROM gen WHERE job = 3 AND trace IS NOT NULL"), 0);
    ok(store_ledger_count(r->s, old, &n, &r->err));
    assert_int_equal(n, 12);
    assert_int_equal(number(r, "SELECT count(*) FROM gen WHERE job = 3"), 3);
    for (int64_t id = running; id <= young; id++) {
        if (id == old)
            continue;
        ok(store_resume(r->s, id, &got, &r->err));
        assert_true(got.snapshot && got.gens_nr == 2 && got.gens[1].cand);
        rec_resume_fini(&got);
    }
    assert_int_equal(audit(r).n, 0);
    assert_int_equal(steps(r, what), 1);
}

static void test_trash_goes(void **state)
{
    struct room *r = *state;
    int64_t a = busy_job(r, "a"), b = busy_job(r, "b"), c = add_job(r, "c");

    end_job(r, a, 1000);
    end_job(r, b, 1000);
    ok(store_trash_put(r->s, a, 5000, &r->err));
    ok(store_trash_put(r->s, c, 4000, &r->err));
    assert_int_equal(steps(r, (struct store_retain){.trash_before_us = 4000}), 1);
    assert_int_equal(steps(r, (struct store_retain){.trash_before_us = 5000}), 2);
    fails(store_job_get(r->s, c, &(struct rec_job){0}, NULL, &r->err), BBT_NOTFOUND);
    assert_int_equal(job_of(r, a).state, REC_DELETED);
    assert_int_equal(steps(r, (struct store_retain){.trash_before_us = 5001}), 2);
    assert_int_equal(number(r, "SELECT count(*) FROM answer"), 12);
    assert_int_equal(job_of(r, b).state, REC_CANCELLED);
    assert_int_equal(audit(r).n, 0);
}

static int64_t large_job(struct room *r)
{
    int64_t id = busy_job(r, "large");
    float logit[6];

    end_job(r, id, 5000);
    ok(store_begin(r->s, &r->err));
    for (uint32_t i = 0; i < 2500; i++) {
        struct rec_answer a = answer_row(id, i, logit);

        a.gen = 77;
        ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
    }
    ok(store_commit(r->s, &r->err));
    return id;
}

/* A large ledger goes in parts, and the database agrees with itself after each. */
static void test_in_parts(void **state)
{
    struct room *r = *state;
    int64_t a = large_job(r), b = large_job(r);
    struct store_retain what = {.ledger_before_us = 6000};
    uint64_t was = 2512, n = 0;
    bool more = true;

    ok(store_trash_put(r->s, a, 7000, &r->err));
    for (unsigned i = 0; i < 3; i++) {
        ok(store_retain(r->s, &what, &more, &r->err));
        assert_true(more);
        ok(store_ledger_count(r->s, a, &n, &r->err));
        assert_true(n < was && was - n <= 1000);
        was = n;
        room_close(r);
        room_open(r);
        assert_int_equal(audit(r).n, 0);
    }
    assert_int_equal(was, 0);
    assert_int_equal(number(r, "SELECT count(*) FROM mark WHERE job = 1"), 0);
    what = (struct store_retain){.jobs_before_us = 6000};
    ok(store_trash_take(r->s, a, 1, &r->err));
    ok(store_job_get(r->s, b, &(struct rec_job){0}, NULL, &r->err));
    for (was = 0; more; was++) {
        ok(store_retain(r->s, &what, &more, &r->err));
        assert_int_equal(audit(r).n, 0);
        if (store_ledger_count(r->s, b, &n, &r->err) == BBT_OK && n == 1512)
            fails(store_trash_take(r->s, b, 2, &r->err), BBT_CONFLICT);
    }
    assert_int_equal(was, 1 + 3 + 1); /* no ledger; three parts; nothing */
    assert_int_equal(number(r, "SELECT count(*) FROM job"), 0);
}

/* The oldest first, some hundred at a time; whoever's they are. */
static void test_events_go(void **state)
{
    struct room *r = *state;

    (void)add_job(r, "a");
    for (int64_t i = 0; i < 1203; i++) {
        const struct rec_event e = {.job = i % 2, .wall_us = 100 + i, .kind = "k"};

        ok(store_event_add(r->s, &e, NULL, &r->err));
    }
    assert_int_equal(steps(r, (struct store_retain){.events_before_us = 100}), 1);
    assert_int_equal(number(r, "SELECT count(*) FROM event"), 1203);
    assert_int_equal(steps(r, (struct store_retain){.events_before_us = 100 + 1200}), 3);
    assert_int_equal(number(r, "SELECT count(*) FROM event"), 3);
    assert_int_equal(number(r, "SELECT min(wall_us) FROM event"), 1300);
    assert_int_equal(audit(r).n, 0);
}

static void test_jobs_go(void **state)
{
    struct room *r = *state;
    int64_t running = busy_job(r, "running"), old = busy_job(r, "old");
    const struct rec_event e = {.job = old, .kind = "k"};

    ok(store_event_add(r->s, &e, NULL, &r->err));
    end_job(r, old, 5000);
    assert_int_equal(retain(r, 0, 5000), 1); /* at that moment is not before */
    assert_int_equal(retain(r, 0, 5001), 2);
    fails(store_job_get(r->s, old, &(struct rec_job){0}, NULL, &r->err), BBT_NOTFOUND);
    assert_int_equal(job_of(r, running).state, REC_RUNNING);
    assert_int_equal(number(r, "SELECT count(*) FROM event"), 0);
    assert_int_equal(number(r, "SELECT count(*) FROM gen WHERE job = 2"), 0);
    assert_int_equal(number(r, "SELECT count(*) FROM answer WHERE job = 2"), 0);
    assert_int_equal(audit(r).n, 0);
    assert_true(add_job(r, "next") > old); /* its number is not used again */
}

/* SHA-256 of "abc" and of nothing. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NIL "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_data_files_go(void **state)
{
    struct room *r = *state;
    const struct rec_job j = {.name = "named"};
    int64_t id;
    bool there;

    ok(store_blob_put(r->s, ABC, "abc", 3, &r->err));
    ok(store_blob_put(r->s, NIL, "", 0, &r->err));
    ok(store_job_add(
        r->s, &j, "{\"data\":\"" ABC "\"}", NULL, &id, &there, &r->err));
    (void)retain(r, 0, 0);
    ok(store_blob_has(r->s, NIL, &there, &r->err)); /* its job may still come */
    assert_true(there);
    ok(store_blob_put(r->s, NIL, "", 0, &r->err)); /* asked for again */
    (void)retain(r, 0, 0);
    ok(store_blob_has(r->s, NIL, &there, &r->err));
    assert_true(there);
    (void)retain(r, 0, 0);
    ok(store_blob_has(r->s, NIL, &there, &r->err));
    assert_false(there);
    ok(store_blob_has(r->s, ABC, &there, &r->err));
    assert_true(there);
}

static void test_vacuum(void **state)
{
    struct room *r = *state;
    uint64_t freed = 0, all = 0;
    bool more = true;
    int64_t before;
    unsigned steps = 0;

    run_sql(r, "CREATE TABLE fat (x); WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
               "WHERE i < 200) INSERT INTO fat SELECT zeroblob(4000) FROM n; DROP TABLE fat");
    before = number(r, "PRAGMA page_count");
    while (more) {
        ok(store_begin(r->s, &r->err)); /* as the daemon's thread does */
        ok(store_vacuum(r->s, 64, &freed, &more, &r->err));
        ok(store_commit(r->s, &r->err));
        all += freed;
        steps++;
    }
    assert_true(steps >= 3);
    assert_true(all >= 190 * 4096);
    assert_int_equal(number(r, "PRAGMA page_count"), before - (int64_t)(all / 4096));
    assert_int_equal(number(r, "PRAGMA freelist_count"), 0);
    ok(store_check(r->s, &r->err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sound, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_every_law, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_ledger_goes, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_checkpoints_go, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_trash_goes, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_in_parts, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_events_go, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_jobs_go, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_data_files_go, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_vacuum, room_setup_open, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
