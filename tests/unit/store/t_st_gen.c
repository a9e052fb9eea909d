#include "room.h"

/* What the engine does: closes g, opens g + 1; a snapshot before generation `snap`. */
static enum bbt_rc turn(
    struct room *r, int64_t id, int64_t close, int64_t open, int64_t snap)
{
    double cand[POP * DIM], loss[POP];
    struct rec_gen c, o;
    struct rec_turn t = {.job = id, .wall_us = 4242};
    char bytes[64];

    if (close >= 0) {
        c = closed_row((uint64_t)close, loss);
        t.closed = &c;
        t.add =
            (struct rec_usage){.generations = 1, .evaluations = POP, .active_us = 10};
    }
    if (open >= 0) {
        o = open_row((uint64_t)open, cand);
        t.open = &o;
    }
    if (snap >= 0) {
        (void)snprintf(bytes, sizeof bytes, "state before %lld", (long long)snap);
        t.snapshot = bytes;
        t.snapshot_len = strlen(bytes);
        t.snapshot_gen = (uint64_t)snap;
    }
    return store_turn(r->s, &t, &r->err);
}

static void check_gen(const struct rec_gen *g, uint64_t gen, bool closed)
{
    double cand[POP * DIM], loss[POP];
    struct rec_gen o = open_row(gen, cand), c = closed_row(gen, loss);

    assert_int_equal(g->gen, gen);
    assert_int_equal(g->popsize, POP);
    assert_int_equal(g->dim, DIM);
    assert_int_equal(g->digest, o.digest);
    assert_memory_equal(g->cand, cand, sizeof cand);
    if (!closed) {
        assert_null(g->loss);
        assert_null(g->trace);
        return;
    }
    assert_memory_equal(g->loss, loss, sizeof loss);
    assert_int_equal(g->trace_len, c.trace_len);
    assert_memory_equal(g->trace, c.trace, c.trace_len);
    assert_true(g->loss_best == c.loss_best && g->loss_mean == c.loss_mean);
    assert_true(g->dev == c.dev || (isnan(g->dev) && isnan(c.dev)));
    assert_int_equal(g->evaluations, c.evaluations);
    assert_int_equal(g->wall_us, c.wall_us);
}

static void check_resume(
    struct room *r, int64_t id, int64_t snap, uint64_t first, uint64_t open, size_t n)
{
    struct rec_resume got;
    char bytes[64];

    ok(store_resume(r->s, id, &got, &r->err));
    if (snap < 0) {
        assert_null(got.snapshot);
    } else {
        (void)snprintf(bytes, sizeof bytes, "state before %lld", (long long)snap);
        assert_int_equal(got.snapshot_len, strlen(bytes));
        assert_memory_equal(got.snapshot, bytes, strlen(bytes));
        assert_int_equal(got.snapshot_gen, snap);
    }
    assert_int_equal(got.gens_nr, n);
    for (size_t i = 0; i < n; i++)
        check_gen(&got.gens[i], first + i, first + i != open);
    rec_resume_fini(&got);
}

#define NONE UINT64_MAX

/* Whatever was put in comes out, to the bit, after every turn and a reopen. */
static void test_resume_equality(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "g");
    struct rec_job j;

    fails(store_resume(r->s, id, &(struct rec_resume){0}, &r->err), BBT_NOTFOUND);
    ok(turn(r, id, -1, 0, 0));
    check_resume(r, id, 0, 0, 0, 1);
    for (int64_t g = 0; g < 5; g++) {
        ok(turn(r, id, g, g + 1, g == 2 ? 3 : -1));
        room_close(r);
        room_open(r);
        if (g < 2)
            check_resume(r, id, 0, 0, (uint64_t)g + 1, (size_t)g + 2);
        else
            check_resume(r, id, 3, 3, (uint64_t)g + 1, (size_t)(g - 1));
    }
    ok(turn(r, id, 5, -1, 6)); /* the last turn: nothing open, snapshot after the end */
    check_resume(r, id, 6, 6, NONE, 0);
    j = job_of(r, id);
    assert_int_equal(j.usage.generations, 6);
    assert_int_equal(j.usage.evaluations, 6 * POP);
    assert_int_equal(j.usage.active_us, 60);
    assert_int_equal(j.updated_us, 4242);
    double loss[POP];
    assert_true(j.last_loss == closed_row(5, loss).loss_best);
}

static int64_t rows_of(struct room *r, const char *sql)
{
    sqlite3_stmt *st;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(r->s->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

/* Candidates live as long as a resume may need them, and no longer. */
static void test_prune(void **state)
{
    struct room *r = *state;
    int64_t a = add_job(r, "a"), b = add_job(r, "b");

    ok(turn(r, a, -1, 0, 0));
    ok(turn(r, b, -1, 0, 0));
    for (int64_t g = 0; g < 4; g++)
        ok(turn(r, a, g, g + 1, -1));
    assert_int_equal(rows_of(r, "SELECT count(*) FROM cand WHERE job = 1"), 5);
    assert_int_equal(rows_of(r, "SELECT count(*) FROM gen WHERE trace IS NOT NULL"), 4);
    ok(turn(r, a, 4, 5, 4));
    assert_int_equal(rows_of(r, "SELECT min(gen) FROM gen WHERE trace IS NOT NULL"), 4);
    for (int64_t g = 5; g < 8; g++)
        ok(turn(r, a, g, g + 1, g == 6 ? 7 : -1));
    assert_int_equal(rows_of(r, "SELECT min(gen) FROM gen WHERE trace IS NOT NULL"), 7);
    assert_int_equal(rows_of(r, "SELECT min(gen) FROM cand WHERE job = 1"), 7);
    assert_int_equal(rows_of(r, "SELECT count(*) FROM cand WHERE job = 1"), 2);
    assert_int_equal(rows_of(r, "SELECT count(*) FROM cand WHERE job = 2"), 1);
    assert_int_equal(rows_of(r, "SELECT count(*) FROM gen WHERE job = 1"), 9);
    assert_int_equal(rows_of(r, "SELECT count(*) FROM snapshot"), 2);
}

/* A turn out of order changes nothing. */
static void test_order(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "g");
    double cand[POP * DIM], loss[POP];
    struct rec_gen g;
    uint64_t before;

    fails(turn(r, 99, -1, 0, 0), BBT_NOTFOUND);
    fails(turn(r, id, -1, 1, -1), BBT_CONFLICT); /* begins at 0 */
    fails(turn(r, id, 0, 1, -1), BBT_CONFLICT);  /* nothing open */
    ok(turn(r, id, -1, 0, 0));
    before = contents(r);
    fails(turn(r, id, -1, 1, -1), BBT_CONFLICT); /* 0 is still open */
    fails(turn(r, id, -1, 0, -1), BBT_CONFLICT);
    fails(turn(r, id, 1, 2, -1), BBT_CONFLICT);
    fails(turn(r, id, 0, 2, -1), BBT_CONFLICT);
    fails(turn(r, id, 0, 1, 2), BBT_CONFLICT); /* a snapshot of the future */
    g = closed_row(0, loss);
    g.popsize = POP - 1;
    fails(store_turn(r->s, &(struct rec_turn){.job = id, .closed = &g}, &r->err),
        BBT_CONFLICT);
    g.loss = NULL;
    fails(store_turn(r->s, &(struct rec_turn){.job = id, .closed = &g}, &r->err),
        BBT_INVALID);
    g = open_row(0, cand);
    g.dim = SIZE_MAX / 2;
    fails(store_turn(r->s, &(struct rec_turn){.job = id, .open = &g}, &r->err),
        BBT_INVALID);
    assert_int_equal(contents(r), before);
    ok(turn(r, id, 0, 1, -1));
    before = contents(r);
    fails(turn(r, id, 0, 1, -1), BBT_CONFLICT); /* closed twice: counted once */
    assert_int_equal(contents(r), before);
}

static void test_best(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "g");
    double z[DIM] = {1.0 / 3, -2, 1e-300}, cand[POP * DIM];
    struct rec_best b = {id, 3, REC_CAND_MEAN, 0.75, 0.5, DIM, z}, got;
    struct rec_gen o = open_row(0, cand);

    fails(store_best_get(r->s, id, &got, &r->err), BBT_NOTFOUND);
    ok(store_turn(
        r->s, &(struct rec_turn){.job = id, .open = &o, .best = &b}, &r->err));
    ok(store_best_get(r->s, id, &got, &r->err));
    assert_int_equal(got.gen, 3);
    assert_true(got.cand == REC_CAND_MEAN);
    assert_true(got.dev == 0.75 && got.dev_loss == 0.5);
    assert_int_equal(got.dim, DIM);
    assert_memory_equal(got.z, z, sizeof z);
    rec_best_fini(&got);
    assert_true(job_of(r, id).best_dev == 0.75);
    b.dev = 0.8;
    b.cand = 1;
    ok(store_best_put(r->s, &b, &r->err));
    assert_true(job_of(r, id).best_dev == 0.8);
    b.job = 99;
    fails(store_best_put(r->s, &b, &r->err), BBT_NOTFOUND);
    fails(store_turn(r->s, &(struct rec_turn){.job = id, .best = &b}, &r->err),
        BBT_INVALID);
    b.z = NULL;
    fails(store_best_put(r->s, &b, &r->err), BBT_INVALID);
}

static void test_curve(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "g");
    struct rec_gen *rows = NULL;
    size_t n = 0;

    ok(turn(r, id, -1, 0, 0));
    for (int64_t g = 0; g < 30; g++)
        ok(turn(r, id, g, g + 1, g));
    ok(store_gen_list(r->s, id, 0, 0, &rows, &n, &r->err));
    assert_int_equal(n, 30); /* the open one is not part of a curve */
    assert_null(rows[0].cand);
    assert_null(rows[0].loss);
    assert_int_equal(rows[29].evaluations, 30 * POP);
    assert_true(rows[28].dev == 0.75 && isnan(rows[29].dev));
    rec_gens_free(rows, n);
    ok(store_gen_list(r->s, id, 27, 2, &rows, &n, &r->err));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].gen, 27);
    rec_gens_free(rows, n);
}

/* Rows that contradict each other are damage. */
static void test_damage(void **state)
{
    static const char *const damage[] = {
        "DELETE FROM cand WHERE gen = 1",
        "DELETE FROM gen WHERE gen = 1",
        "UPDATE gen SET loss = NULL WHERE gen = 1",
        "UPDATE gen SET dim = 1000000000000 WHERE gen = 1",
        "UPDATE gen SET popsize = 0",
        "UPDATE cand SET z = x'00' WHERE gen = 1",
        "UPDATE gen SET loss = x'0011' WHERE gen = 0",
    };
    struct room *r = *state;
    int64_t id = add_job(r, "g");
    struct rec_resume got;

    ok(turn(r, id, -1, 0, 0));
    ok(turn(r, id, 0, 1, -1));
    ok(turn(r, id, 1, 2, -1));
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        ok(store_begin(r->s, &r->err));
        assert_int_equal(
            sqlite3_exec(r->s->db, damage[i], NULL, NULL, NULL), SQLITE_OK);
        fails(store_resume(r->s, id, &got, &r->err), BBT_CORRUPT);
        store_rollback(r->s);
    }
    ok(store_resume(r->s, id, &got, &r->err));
    rec_resume_fini(&got);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_setup_open, room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_resume_equality),
        T(test_prune),
        T(test_order),
        T(test_best),
        T(test_curve),
        T(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
