#include "room.h"

static void test_round_trip(void **state)
{
    struct room *r = *state;
    struct rec_job in = {.name = "näme 'quoted'",
                       .priority = -5,
                       .created_us = INT64_C(1700000000000000),
                       .generations_max = 400,
                       .evaluations_max = 8000},
                   out;
    char *spec = NULL;
    int64_t id;
    bool existed;

    ok(store_job_add(r->s, &in, "{\"x\":\"ü\"}", NULL, &id, &existed, &r->err));
    ok(store_job_get(r->s, id, &out, &spec, &r->err));
    assert_string_equal(spec, "{\"x\":\"ü\"}");
    bbt_free(spec);
    assert_string_equal(out.name, in.name);
    assert_int_equal(out.id, id);
    assert_int_equal(out.state, REC_QUEUED);
    assert_int_equal(out.priority, -5);
    assert_int_equal(out.created_us, in.created_us);
    assert_int_equal(out.started_us, 0);
    assert_int_equal(out.generations_max, 400);
    assert_int_equal(out.evaluations_max, 8000);
    assert_true(isnan(out.best_dev));
    assert_true(isnan(out.last_loss));
    fails(store_job_get(r->s, id + 1, &out, NULL, &r->err), BBT_NOTFOUND);
}

/* The same submit twice is one job, before and after a restart. */
static void test_idempotency(void **state)
{
    struct room *r = *state;
    const struct rec_job j = {.name = "a"};
    char longkey[STORE_KEY_MAX + 2];
    int64_t first, second = 0;
    bool existed;

    ok(store_job_add(r->s, &j, "{}", "key-1", &first, &existed, &r->err));
    assert_false(existed);
    room_close(r);
    room_open(r);
    ok(store_job_add(r->s, &j, "{}", "key-1", &second, &existed, &r->err));
    assert_true(existed);
    assert_int_equal(first, second);
    fails(store_job_add(r->s, &j, "{\"b\":1}", "key-1", &second, &existed, &r->err),
        BBT_CONFLICT);
    ok(store_job_add(r->s, &j, "{}", "key-2", &second, &existed, &r->err));
    assert_true(second > first);
    fails(store_job_add(r->s, &j, "{}", "", &second, &existed, &r->err), BBT_INVALID);
    memset(longkey, 'k', sizeof longkey - 1);
    longkey[sizeof longkey - 1] = '\0';
    fails(store_job_add(r->s, &j, "{}", longkey, &second, &existed, &r->err),
        BBT_INVALID);
}

static size_t count(struct room *r, const struct store_filter *f, int64_t *ids)
{
    struct rec_job *rows = NULL;
    size_t n = 0;

    ok(store_job_list(r->s, f, &rows, &n, &r->err));
    for (size_t i = 0; i < n; i++)
        ids[i] = rows[i].id;
    bbt_free(rows);
    return n;
}

static void move(struct room *r, int64_t id, enum rec_state to)
{
    const struct store_move m = {.id = id, .from = ~0u, .to = to, .wall_us = 77};

    ok(store_job_state(r->s, &m, &r->err));
}

static void test_list(void **state)
{
    struct room *r = *state;
    int64_t ids[64], got[64];

    assert_int_equal(count(r, &(struct store_filter){0}, got), 0);
    for (unsigned i = 0; i < 40; i++)
        ids[i] = add_job(r, i % 2 ? "odd" : "even");
    move(r, ids[3], REC_RUNNING);
    move(r, ids[4], REC_PAUSED);
    assert_int_equal(count(r, &(struct store_filter){0}, got), 40);
    assert_memory_equal(ids, got, 40 * sizeof *ids);
    assert_int_equal(count(r, &(struct store_filter){.after = ids[37]}, got), 2);
    assert_int_equal(got[0], ids[38]);
    assert_int_equal(count(r, &(struct store_filter){.limit = 3}, got), 3);
    assert_int_equal(
        count(r, &(struct store_filter){.limit = 2, .newest_first = true}, got), 2);
    assert_int_equal(got[0], ids[39]);
    assert_int_equal(
        count(r, &(struct store_filter){.after = ids[2], .newest_first = true}, got),
        2);
    assert_int_equal(got[0], ids[1]);
    assert_int_equal(
        count(r, &(struct store_filter){.states = 1u << REC_RUNNING | 1u << REC_PAUSED},
            got),
        2);
    assert_int_equal(got[0], ids[3]);
    assert_int_equal(got[1], ids[4]);
    assert_int_equal(count(r, &(struct store_filter){.name = "odd"}, got), 20);
    assert_int_equal(count(r, &(struct store_filter){.name = "od"}, got), 0);
}

static int64_t add_with(struct room *r, int64_t priority)
{
    const struct rec_job j = {.name = "p", .priority = priority};
    int64_t id;
    bool existed;

    ok(store_job_add(r->s, &j, "{}", NULL, &id, &existed, &r->err));
    return id;
}

static void test_next(void **state)
{
    struct room *r = *state;
    const unsigned waiting = 1u << REC_QUEUED | 1u << REC_RUNNING;
    int64_t low = add_with(r, -1), a = add_with(r, 5), b = add_with(r, 5);
    int64_t running = add_with(r, 5), done = add_with(r, 99);
    int64_t live[2] = {a, b};
    struct rec_job got;

    move(r, running, REC_RUNNING); /* left over by a crash: goes by the same order */
    move(r, done, REC_COMPLETED);
    ok(store_job_next(r->s, waiting, NULL, 0, &got, &r->err));
    assert_int_equal(got.id, a);
    ok(store_job_next(r->s, waiting, live, 1, &got, &r->err));
    assert_int_equal(got.id, b);
    ok(store_job_next(r->s, waiting, live, 2, &got, &r->err));
    assert_int_equal(got.id, running);
    ok(store_job_next(r->s, 1u << REC_QUEUED, live, 2, &got, &r->err));
    assert_int_equal(got.id, low);
    fails(store_job_next(r->s, 1u << REC_PAUSED, NULL, 0, &got, &r->err), BBT_NOTFOUND);
}

/* A priority orders the queue from its commit on; what has ended has none. */
static void test_priority(void **state)
{
    struct room *r = *state;
    int64_t a = add_with(r, 5), b = add_with(r, 0), done = add_with(r, 1);
    struct rec_job got;

    move(r, done, REC_COMPLETED);
    ok(store_job_priority(r->s, b, 6, 77, &r->err));
    ok(store_job_next(r->s, 1u << REC_QUEUED, NULL, 0, &got, &r->err));
    assert_int_equal(got.id, b);
    assert_int_equal(got.priority, 6);
    assert_int_equal(got.updated_us, 77);
    move(r, b, REC_PAUSED);
    ok(store_job_priority(r->s, b, -100, 78, &r->err));
    move(r, b, REC_QUEUED);
    ok(store_job_next(r->s, 1u << REC_QUEUED, NULL, 0, &got, &r->err));
    assert_int_equal(got.id, a);
    fails(store_job_priority(r->s, done, 2, 79, &r->err), BBT_CONFLICT);
    assert_int_equal(job_of(r, done).priority, 1);
    fails(store_job_priority(r->s, 99, 2, 79, &r->err), BBT_NOTFOUND);
}

static void test_state(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "s");
    struct store_move m = {.id = id,
        .from = 1u << REC_QUEUED | 1u << REC_PAUSED,
        .to = REC_RUNNING,
        .reason = "working",
        .wall_us = 10};
    struct rec_job j;
    char text[1000];

    ok(store_job_state(r->s, &m, &r->err));
    j = job_of(r, id);
    assert_int_equal(j.state, REC_RUNNING);
    assert_string_equal(j.reason, "working");
    assert_int_equal(j.started_us, 10);
    assert_int_equal(j.ended_us, 0);
    m.wall_us = 20;
    fails(store_job_state(r->s, &m, &r->err), BBT_CONFLICT); /* it is running already */
    assert_int_equal(job_of(r, id).updated_us, 10);

    /* a long detail is cut between characters; the start stays the first start */
    memset(text, 'x', sizeof text);
    for (size_t i = 1; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    text[sizeof text - 1] = '\0';
    ok(store_job_state(
        r->s, &(struct store_move){id, ~0u, REC_PAUSED, "user", text, 30}, &r->err));
    j = job_of(r, id);
    assert_int_equal(strlen(j.detail), REC_DETAIL_MAX - 1);
    ok(store_job_state(r->s,
        &(struct store_move){id, ~0u, REC_PAUSED, "user", text + 1, 31}, &r->err));
    j = job_of(r, id);
    assert_int_equal(strlen(j.detail), REC_DETAIL_MAX - 2);
    assert_memory_equal(j.detail, text + 1, REC_DETAIL_MAX - 2);
    m.wall_us = 40;
    ok(store_job_state(r->s, &m, &r->err));
    assert_int_equal(job_of(r, id).started_us, 10);
    ok(store_job_state(
        r->s, &(struct store_move){id, ~0u, REC_FAILED, "data", NULL, 50}, &r->err));
    assert_int_equal(job_of(r, id).ended_us, 50);

    m.id = 12345;
    fails(store_job_state(r->s, &m, &r->err), BBT_NOTFOUND);
    m.to = REC_STATE_NR;
    fails(store_job_state(r->s, &m, &r->err), BBT_INVALID);
    m.to = REC_RUNNING;
    m.reason = "a reason that is longer than every one of the closed list";
    fails(store_job_state(r->s, &m, &r->err), BBT_INVALID);
}

/* Every counter has a column of its own. */
static void test_usage(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "u");
    const struct rec_usage one = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const struct rec_usage twice = {2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22};
    struct rec_job j;

    ok(store_usage_add(r->s, id, &one, &r->err));
    ok(store_usage_add(r->s, id, &one, &r->err));
    j = job_of(r, id);
    assert_memory_equal(&j.usage, &twice, sizeof twice);
    fails(store_usage_add(r->s, 99, &one, &r->err), BBT_NOTFOUND);
}

static void test_setup(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "p");
    void *bytes = NULL;
    size_t len = 9;

    fails(store_setup_get(r->s, id, &bytes, &len, &r->err), BBT_NOTFOUND);
    ok(store_setup_put(r->s, id, "abc\0d", 5, &r->err));
    ok(store_setup_put(r->s, id, "ABC\0D", 5, &r->err));
    ok(store_setup_get(r->s, id, &bytes, &len, &r->err));
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "ABC\0D", 5);
    bbt_free(bytes);
    ok(store_setup_put(r->s, id, NULL, 0, &r->err));
    ok(store_setup_get(r->s, id, &bytes, &len, &r->err));
    assert_int_equal(len, 0);
    bbt_free(bytes);
    fails(store_setup_put(r->s, 99, "x", 1, &r->err), BBT_NOTFOUND);
}

static void test_result(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "r");
    float prompt[6] = {1.5f, -0.0f, 3.25f, 1e-30f, 5, 6};
    char json[] = "{\"tuned\":0.9}";
    struct rec_result in = {id, json, prompt, 2, 3}, out;
    struct store_move m = {.id = id, .from = 1u << REC_RUNNING, .to = REC_COMPLETED};

    fails(store_result_put(r->s, &in, &m, &r->err), BBT_CONFLICT); /* not running */
    fails(store_result_get(r->s, id, &out, &r->err),
        BBT_NOTFOUND); /* so nothing is kept */
    move(r, id, REC_RUNNING);
    ok(store_result_put(r->s, &in, &m, &r->err));
    assert_int_equal(job_of(r, id).state, REC_COMPLETED);
    ok(store_result_get(r->s, id, &out, &r->err));
    assert_string_equal(out.json, json);
    assert_int_equal(out.rows, 2);
    assert_int_equal(out.hidden, 3);
    assert_memory_equal(out.prompt, prompt, sizeof prompt);
    rec_result_fini(&out);

    m.from = ~0u;
    in.prompt = NULL;
    in.rows = in.hidden = 0;
    ok(store_result_put(r->s, &in, &m, &r->err));
    ok(store_result_get(r->s, id, &out, &r->err));
    assert_null(out.prompt);
    rec_result_fini(&out);
    m.id = id + 1;
    fails(store_result_put(r->s, &in, &m, &r->err), BBT_INVALID);
}

/* A row whose numbers no longer fit each other is damage, not a crash. */
static void test_damaged_result(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "r");
    struct rec_result out;

    assert_int_equal(sqlite3_exec(r->s->db,
                         "INSERT INTO result VALUES (1, '{}', 1000000, 1000000, x'00')",
                         NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(id, 1);
    fails(store_result_get(r->s, id, &out, &r->err), BBT_CORRUPT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, room_setup_open, room_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_round_trip),
        T(test_idempotency),
        T(test_list),
        T(test_next),
        T(test_priority),
        T(test_state),
        T(test_usage),
        T(test_setup),
        T(test_result),
        T(test_damaged_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
