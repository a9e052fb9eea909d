#include "room.h"

static void test_round_trip(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "l");
    float a[6], b[6];
    struct rec_answer in[2] = {answer_row(id, 4, a), answer_row(id, 2, b)}, *out = NULL;
    size_t n = 0, added = 0;

    in[1].repeated = 1;
    ok(store_ledger_add(r->s, in, 2, &added, &r->err));
    assert_int_equal(added, 2);
    room_close(r);
    room_open(r);
    ok(store_ledger_load(r->s, id, REC_TRAIN, 0, &out, &n, &r->err));
    assert_int_equal(n, 2);
    assert_int_equal(out[0].cand, 2); /* in order of candidate, then batch */
    assert_int_equal(out[1].cand, 4);
    assert_memory_equal(out[1].logit, a, sizeof a);
    assert_memory_equal(out[0].logit, b, sizeof b);
    assert_int_equal(out[0].digest, in[1].digest); /* above 2^63 */
    assert_int_equal(out[0].rows, 3);
    assert_int_equal(out[0].labels, 2);
    assert_int_equal(out[0].tokens_in, 10);
    assert_int_equal(out[0].tokens_out, 2);
    assert_int_equal(out[0].attempts, 1);
    assert_int_equal(out[0].repeated, 1);
    assert_int_equal(out[0].latency_us, 99);
    assert_int_equal(out[0].wall_us, 123456789);
    rec_answers_free(out, n);
    ok(store_ledger_load(r->s, id, REC_TRAIN, 1, &out, &n, &r->err));
    assert_int_equal(n, 0);
    assert_null(out);
    ok(store_ledger_load(r->s, id, REC_DEV, 0, &out, &n, &r->err));
    assert_int_equal(n, 0);
}

/* The counters are those of the rows: each answer counts once, whatever is sent twice.
 */
static void test_counters(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "l");
    float logit[6];
    struct rec_answer rows[3] = {
        answer_row(id, 0, logit), answer_row(id, 1, logit), answer_row(id, 0, logit)};
    size_t added = 9;
    struct rec_usage u;

    rows[1].phase = REC_DEV;
    rows[1].repeated = 1;
    fails(store_ledger_add(r->s, rows, 3, &added, &r->err), BBT_CONFLICT);
    assert_int_equal(added, 2);
    fails(store_ledger_add(r->s, rows, 1, &added, &r->err), BBT_CONFLICT);
    assert_int_equal(added, 0);
    u = job_of(r, id).usage;
    assert_int_equal(u.requests, 2);
    assert_int_equal(u.examples, 3); /* the training answer's rows only */
    assert_int_equal(u.tokens_in, 20);
    assert_int_equal(u.tokens_out, 4);
    assert_int_equal(u.repeated, 1);
    assert_int_equal(u.evaluations, 0);
}

/* The same place asked about other words: the newer answer is found, the older one was paid for
 * all the same. */
static void test_other_words(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "l");
    float a[6], b[6];
    struct rec_answer row = answer_row(id, 4, a), *out = NULL;
    size_t n = 0, found = 0;
    struct rec_usage u;

    ok(store_ledger_add(r->s, &row, 1, NULL, &r->err));
    for (uint64_t i = 1; i <= 2; i++) {
        (void)answer_row(id, (uint32_t)i, b);
        row.logit = b;
        row.digest += i;
        ok(store_ledger_add(r->s, &row, 1, NULL, &r->err));
        fails(store_ledger_add(r->s, &row, 1, NULL, &r->err), BBT_CONFLICT);
    }
    ok(store_ledger_load(r->s, id, REC_TRAIN, 0, &out, &n, &r->err));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(out[i].cand, 4);
        found += out[i].batch == row.batch;
        assert_int_equal(out[i].batch == row.batch, out[i].digest == row.digest);
        if (out[i].batch == row.batch)
            assert_memory_equal(out[i].logit, b, sizeof b);
        else
            assert_true(out[i].batch >= 4000000000);
    }
    assert_int_equal(found, 1);
    rec_answers_free(out, n);
    u = job_of(r, id).usage;
    assert_int_equal(u.requests, 3);
    assert_int_equal(u.examples, 9);
    assert_int_equal(u.tokens_in, 30);
}

static void test_refusals(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "l");
    float logit[6];
    struct rec_answer a = answer_row(id, 0, logit);
    uint64_t n = 9;

    a.rows = 0;
    fails(store_ledger_add(r->s, &a, 1, NULL, &r->err), BBT_INVALID);
    a.rows = a.labels = 0xffffffff;
    fails(store_ledger_add(r->s, &a, 1, NULL, &r->err), BBT_INVALID);
    a = answer_row(id, 0, logit);
    a.logit = NULL;
    fails(store_ledger_add(r->s, &a, 1, NULL, &r->err), BBT_INVALID);
    a = answer_row(777, 0, logit);
    fails(store_ledger_add(r->s, &a, 1, NULL, &r->err), BBT_NOTFOUND);
    ok(store_ledger_count(r->s, id, &n, &r->err));
    assert_int_equal(n, 0);
    ok(store_ledger_add(r->s, NULL, 0, NULL, &r->err));
}

static void test_damaged_row(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "l");
    float logit[6];
    struct rec_answer a = answer_row(id, 0, logit), *out = NULL;
    size_t n;

    ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
    assert_int_equal(sqlite3_exec(r->s->db,
                         "UPDATE answer SET rows = 4000000000, labels = 4000000000",
                         NULL, NULL, NULL),
        SQLITE_OK);
    fails(store_ledger_load(r->s, id, REC_TRAIN, 0, &out, &n, &r->err), BBT_CORRUPT);
    assert_null(out);
}

/* An answer takes its own mark away; what is left after a crash may be paid twice. */
static void test_marks(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "l");
    float logit[6];
    struct rec_answer a = answer_row(id, 1, logit);
    struct rec_mark m = {
        .job = id, .phase = REC_TRAIN, .gen = 0, .cand = 1, .batch = 1};
    struct rec_mark *left = NULL;
    size_t n = 0;

    ok(store_mark_put(r->s, &m, &r->err));
    ok(store_mark_put(r->s, &m, &r->err));
    m.cand = 2;
    ok(store_mark_put(r->s, &m, &r->err));
    m.tries = 2;
    ok(store_mark_put(r->s, &m, &r->err));
    ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
    room_close(r);
    room_open(r);
    ok(store_mark_list(r->s, id, REC_TRAIN, 0, &left, &n, &r->err));
    assert_int_equal(n, 1);
    assert_int_equal(left[0].cand, 2);
    assert_int_equal(left[0].batch, 1);
    assert_int_equal(left[0].tries, 2);
    bbt_free(left);
    m.job = 55;
    fails(store_mark_put(r->s, &m, &r->err), BBT_NOTFOUND);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_setup_open, room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_round_trip),
        T(test_counters),
        T(test_other_words),
        T(test_refusals),
        T(test_damaged_row),
        T(test_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
