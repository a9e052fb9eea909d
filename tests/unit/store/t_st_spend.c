/* Money in the store: every sum against one that is kept beside it. */
#include "room.h"
#include "store/st_spend.h"
#include "store/st_upkeep.h"

static int64_t add_owned(struct room *r, const char *name, int64_t owner, const char *spec)
{
    struct rec_job j = {.owner = owner};
    int64_t id = 0;
    bool existed;

    (void)snprintf(j.name, sizeof j.name, "%s", name);
    ok(store_job_add(r->s, &j, spec, NULL, &id, &existed, &r->err));
    return id;
}

static struct rec_claim claim_of(int64_t job, int64_t day, int64_t owner)
{
    return (struct rec_claim){.day = day,
        .owner = owner,
        .job = job,
        .provider = "p",
        .model = "m",
        .worst = {1, 500, 7000}};
}

static int64_t number(struct room *r, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(r->s->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
    return n;
}

struct heard {
    char all[2000];
};

static void hear(void *arg, const char *finding)
{
    struct heard *h = arg;
    size_t at = strlen(h->all);

    (void)snprintf(h->all + at, sizeof h->all - at, "%s\n", finding);
}

static void sound(struct room *r)
{
    struct heard h = {""};

    ok(store_audit(r->dir, hear, &h, &r->err));
    assert_string_equal(h.all, "");
}

static void test_an_answer_settles(void **state)
{
    struct room *r = *state;
    int64_t id = add_owned(r, "a", 1000, "{}");
    struct rec_claim c = claim_of(id, 20000, 1000);
    float logit[6];
    struct rec_answer a = answer_row(id, 0, logit);
    struct rec_sum sum;

    ok(store_claim_put(r->s, &c, &c.id, &r->err));
    assert_int_not_equal(c.id, 0);
    c.worst.nano = 8000; /* asked again: the same reservation, another price */
    ok(store_claim_put(r->s, &c, &c.id, &r->err));
    assert_int_equal(number(r, "SELECT sum(nano) FROM claim"), 8000);
    ok(store_spend_job(r->s, id, &sum, &r->err));
    assert_int_equal(sum.nano + sum.tokens + sum.requests, 0); /* reserved is not spent */
    a.cost = 6000;
    a.claim = &c;
    ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
    assert_int_equal(number(r, "SELECT count(*) FROM claim"), 0);
    ok(store_spend_job(r->s, id, &sum, &r->err));
    assert_int_equal(sum.nano, 6000);
    assert_int_equal(sum.tokens, 12);
    assert_int_equal(sum.requests, 1);
    assert_int_equal(job_of(r, id).usage.cost, 6000);
    assert_int_equal(job_of(r, id).owner, 1000);
    sound(r);
}

/* The same question answered twice: the ledger keeps the first, the bill has both. */
static void test_paid_twice_is_counted(void **state)
{
    struct room *r = *state;
    int64_t id = add_owned(r, "a", 1000, "{}");
    struct rec_claim c = claim_of(id, 20000, 1000);
    float logit[6];
    struct rec_answer a = answer_row(id, 0, logit);
    struct rec_sum sum;

    a.cost = 6000;
    a.claim = &c;
    ok(store_claim_put(r->s, &c, &c.id, &r->err));
    ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
    c.id = 0;
    ok(store_claim_put(r->s, &c, &c.id, &r->err));
    fails(store_ledger_add(r->s, &a, 1, NULL, &r->err), BBT_CONFLICT);
    ok(store_spend_job(r->s, id, &sum, &r->err));
    assert_int_equal(sum.nano, 12000);
    assert_int_equal(sum.requests, 2);
    assert_int_equal(job_of(r, id).usage.cost, 12000);
    assert_int_equal(job_of(r, id).usage.requests, 1);
    assert_int_equal(number(r, "SELECT count(*) FROM claim"), 0);
    sound(r);
}

static void test_an_end_without_answer(void **state)
{
    struct room *r = *state;
    int64_t id = add_owned(r, "a", 1000, "{}");
    struct rec_claim c = claim_of(id, 20000, 1000);
    const struct rec_sum none = {0};
    struct rec_sum sum;

    ok(store_claim_put(r->s, &c, &c.id, &r->err));
    ok(store_claim_end(r->s, &c, &none, &r->err)); /* refused: free */
    assert_int_equal(number(r, "SELECT count(*) FROM claim"), 0);
    assert_int_equal(number(r, "SELECT count(*) FROM spend"), 0);
    c.id = 0;
    ok(store_claim_put(r->s, &c, &c.id, &r->err));
    ok(store_claim_end(r->s, &c, &c.worst, &r->err)); /* timed out: nobody knows */
    c.id = 0;
    c.job = 0; /* a prediction: of no job, but of the day */
    ok(store_claim_end(r->s, &c, &c.worst, &r->err));
    ok(store_spend_job(r->s, id, &sum, &r->err));
    assert_int_equal(sum.nano, 7000);
    assert_int_equal(sum.tokens, 500);
    assert_int_equal(job_of(r, id).usage.cost, 7000);
    sound(r);
}

static void test_a_crash_leaves_charges(void **state)
{
    struct room *r = *state;
    int64_t a = add_owned(r, "a", 1, "{}"), b = add_owned(r, "b", 2, "{}");
    struct rec_claim c[4] = {claim_of(a, 10, 1), claim_of(a, 10, 1), claim_of(b, 11, 2),
        claim_of(0, 11, 2)};
    struct rec_day *days = NULL;
    size_t n = 0;

    for (size_t i = 0; i < 4; i++)
        ok(store_claim_put(r->s, &c[i], &c[i].id, &r->err));
    room_close(r);
    room_open(r);
    ok(store_claims_charge(r->s, &r->err));
    ok(store_claims_charge(r->s, &r->err)); /* once */
    assert_int_equal(job_of(r, a).usage.cost, 14000);
    assert_int_equal(job_of(r, b).usage.cost, 7000);
    ok(store_spend_days(r->s, &days, &n, &r->err));
    assert_int_equal(n, 2);
    assert_int_equal(days[0].day, 10);
    assert_int_equal(days[0].owner, 1);
    assert_int_equal(days[0].nano, 14000);
    assert_int_equal(days[1].day, 11);
    assert_int_equal(days[1].nano, 14000);
    bbt_free(days);
    sound(r);
}

struct line {
    int64_t number;
    const char *name;
    uint64_t nano, requests;
};

static void same_list(struct room *r, enum rec_spend_by by, int64_t since,
    const struct line *want, size_t n)
{
    struct rec_spend *rows = NULL;
    size_t got = 0;

    ok(store_spend_list(r->s, by, since, &rows, &got, &r->err));
    assert_int_equal(got, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].number, want[i].number);
        assert_string_equal(rows[i].name, want[i].name);
        assert_int_equal(rows[i].nano, want[i].nano);
        assert_int_equal(rows[i].requests, want[i].requests);
    }
    bbt_free(rows);
}

static void pay(struct room *r, struct rec_claim c, uint32_t cand, uint64_t cost)
{
    float logit[6];
    struct rec_answer a = answer_row(c.job, cand, logit);

    a.cost = cost;
    a.claim = &c;
    ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
}

/* Two jobs, two users, three days, two providers; one job leaves, its spending stays. */
static void test_accounts(void **state)
{
    struct room *r = *state;
    int64_t a = add_owned(r, "one", 1, "{\"tags\":[\"x\",\"y\"]}"),
            b = add_owned(r, "two", 2, "{\"tags\":[\"y\"]}");
    struct rec_claim c = claim_of(a, 1, 1), d = claim_of(b, 2, 2);

    pay(r, c, 0, 100);
    c.day = 3;
    pay(r, c, 1, 30);
    d.model = "n";
    pay(r, d, 0, 500);
    d.provider = "q";
    pay(r, d, 1, 4);
    same_list(r, REC_BY_JOB, 0, (struct line[]){{b, "two", 504, 2}, {a, "one", 130, 2}}, 2);
    same_list(r, REC_BY_JOB, 2, (struct line[]){{b, "two", 504, 2}, {a, "one", 30, 1}}, 2);
    same_list(r, REC_BY_PROVIDER, 0, (struct line[]){{0, "p", 630, 3}, {0, "q", 4, 1}}, 2);
    same_list(r, REC_BY_MODEL, 0,
        (struct line[]){{0, "p/n", 500, 1}, {0, "p/m", 130, 2}, {0, "q/n", 4, 1}}, 3);
    same_list(r, REC_BY_TAG, 0, (struct line[]){{0, "y", 634, 4}, {0, "x", 130, 2}}, 2);
    same_list(r, REC_BY_USER, 0, (struct line[]){{2, "", 504, 2}, {1, "", 130, 2}}, 2);
    same_list(r, REC_BY_DAY, 0,
        (struct line[]){{1, "", 100, 1}, {2, "", 504, 2}, {3, "", 30, 1}}, 3);
    same_list(r, REC_BY_DAY, 4, NULL, 0);
    assert_int_equal(sqlite3_exec(r->s->db, "DELETE FROM job WHERE name = 'one'", NULL, NULL,
                         NULL),
        SQLITE_OK);
    same_list(r, REC_BY_JOB, 0, (struct line[]){{b, "two", 504, 2}, {a, "", 130, 2}}, 2);
    same_list(r, REC_BY_TAG, 0, (struct line[]){{0, "y", 504, 2}, {0, "", 130, 2}}, 2);
    sound(r);
    fails(store_spend_list(r->s, REC_BY_NR, 0, NULL, NULL, &r->err), BBT_INVALID);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, room_setup_open, room_teardown)
    const struct CMUnitTest tests[] = {
        T(test_an_answer_settles),
        T(test_paid_twice_is_counted),
        T(test_an_end_without_answer),
        T(test_a_crash_leaves_charges),
        T(test_accounts),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
