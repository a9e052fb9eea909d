#include "room.h"

#include "store/st_trash.h"

static void move(struct room *r, int64_t id, enum rec_state to)
{
    const struct store_move m = {.id = id, .from = ~0u, .to = to, .wall_us = 77};

    ok(store_job_state(r->s, &m, &r->err));
}

static size_t listed(struct room *r, unsigned states)
{
    const struct store_filter f = {.states = states};
    struct rec_job *rows = NULL;
    size_t n = 0;

    ok(store_job_list(r->s, &f, &rows, &n, &r->err));
    for (size_t i = 0; i < n; i++)
        assert_true(states == 0 ? rows[i].state != REC_DELETED
                                : (states >> rows[i].state) & 1u);
    bbt_free(rows);
    return n;
}

static bool waits(struct room *r, unsigned states)
{
    struct rec_job got;

    return store_job_next(r->s, states, NULL, 0, &got, &r->err) == BBT_OK;
}

/* From every state but running into the trash and back to it, over a restart. */
static void test_there_and_back(void **state)
{
    struct room *r = *state;

    for (unsigned st = 0; st < REC_DELETED; st++) {
        int64_t id = add_job(r, "j");
        struct rec_job was, in, back;

        if (st != REC_QUEUED)
            move(r, id, (enum rec_state)st);
        was = job_of(r, id);
        if (st == REC_RUNNING) {
            fails(store_trash_put(r->s, id, 90, &r->err), BBT_CONFLICT);
            assert_non_null(strstr(r->err.msg, "bbtctl cancel"));
            assert_int_equal(job_of(r, id).state, REC_RUNNING);
            move(r, id, REC_FAILED);
            continue;
        }
        ok(store_trash_put(r->s, id, 90 + st, &r->err));
        fails(store_trash_put(r->s, id, 99, &r->err), BBT_CONFLICT);
        room_close(r);
        room_open(r);
        in = job_of(r, id);
        assert_int_equal(in.state, REC_DELETED);
        assert_int_equal(in.was, st);
        assert_int_equal(in.deleted_us, 90 + st);
        assert_int_equal(in.ended_us, was.ended_us);
        ok(store_trash_take(r->s, id, 95, &r->err));
        fails(store_trash_take(r->s, id, 96, &r->err), BBT_CONFLICT);
        back = job_of(r, id);
        assert_int_equal(back.state, st);
        assert_int_equal(back.was, st);
        assert_int_equal(back.deleted_us, 0);
        assert_int_equal(back.updated_us, 95);
        assert_string_equal(back.reason, was.reason);
        ok(store_trash_put(r->s, id, 97, &r->err)); /* the queue stays empty */
    }
    fails(store_trash_put(r->s, 99, 1, &r->err), BBT_NOTFOUND);
    fails(store_trash_take(r->s, 99, 1, &r->err), BBT_NOTFOUND);
    fails(store_trash_purge(r->s, 99, &r->err), BBT_NOTFOUND);
}

/* Nobody sees or starts what is in the trash, and nothing moves it but taking it back. */
static void test_hidden(void **state)
{
    struct room *r = *state;
    const unsigned open = 1u << REC_QUEUED | 1u << REC_RUNNING | 1u << REC_PAUSED;
    int64_t id = add_job(r, "a");
    struct store_move m = {.id = id, .from = open, .to = REC_RUNNING, .wall_us = 5};

    (void)add_job(r, "b");
    move(r, 2, REC_CANCELLED);
    assert_int_equal(listed(r, 0), 2);
    ok(store_trash_put(r->s, id, 10, &r->err));
    assert_int_equal(listed(r, 0), 1);
    assert_int_equal(listed(r, 1u << REC_DELETED), 1);
    assert_int_equal(listed(r, ~0u), 2);
    assert_int_equal(listed(r, 1u << REC_QUEUED), 0);
    assert_false(waits(r, ~0u & ~(1u << REC_CANCELLED)));
    fails(store_job_state(r->s, &m, &r->err), BBT_CONFLICT);
    fails(store_job_priority(r->s, id, 5, 11, &r->err), BBT_CONFLICT);
    m.from = ~0u;
    m.to = REC_DELETED; /* not the way into it */
    fails(store_job_state(r->s, &m, &r->err), BBT_INVALID);
    ok(store_trash_take(r->s, id, 12, &r->err));
    assert_true(waits(r, open));
}

/* Out of the trash or not: with all that was its own, and nothing else's. */
static void test_purge(void **state)
{
    struct room *r = *state;
    int64_t a = add_job(r, "a"), b = add_job(r, "b"), c = add_job(r, "c");
    const struct rec_event e = {.job = a, .kind = "k"}, other = {.job = b, .kind = "k"};
    struct rec_event *rows = NULL;
    size_t n = 0;

    ok(store_event_add(r->s, &e, NULL, &r->err));
    ok(store_event_add(r->s, &other, NULL, &r->err));
    ok(store_setup_put(r->s, a, "x", 1, &r->err));
    ok(store_trash_put(r->s, a, 5, &r->err));
    ok(store_trash_purge(r->s, a, &r->err));
    ok(store_trash_purge(r->s, c, &r->err));
    fails(store_job_get(r->s, a, &(struct rec_job){0}, NULL, &r->err), BBT_NOTFOUND);
    fails(store_job_get(r->s, c, &(struct rec_job){0}, NULL, &r->err), BBT_NOTFOUND);
    ok(store_event_list(r->s, 0, 0, 0, &rows, &n, &r->err));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].job, b);
    bbt_free(rows);
    move(r, b, REC_RUNNING);
    fails(store_trash_purge(r->s, b, &r->err), BBT_CONFLICT);
    assert_int_equal(job_of(r, b).state, REC_RUNNING);
    assert_true(add_job(r, "next") > c);
}

/* A large ledger goes in parts: what was purged does not come back in between. */
static void test_large(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "large");
    float logit[6];
    unsigned calls = 0;
    enum bbt_rc rc;

    ok(store_begin(r->s, &r->err));
    for (uint32_t i = 0; i < 2001; i++) {
        struct rec_answer a = answer_row(id, i, logit);

        ok(store_ledger_add(r->s, &a, 1, NULL, &r->err));
    }
    ok(store_commit(r->s, &r->err));
    while ((rc = store_trash_purge(r->s, id, &r->err)) == BBT_OK) {
        calls++;
        room_close(r);
        room_open(r);
        if (calls == 3)
            continue;
        assert_int_equal(job_of(r, id).state, REC_DELETED);
        fails(store_trash_take(r->s, id, 5, &r->err), BBT_CONFLICT);
        fails(store_trash_put(r->s, id, 5, &r->err), BBT_CONFLICT);
    }
    assert_int_equal(rc, BBT_NOTFOUND);
    assert_int_equal(calls, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_hidden, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_purge, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_large, room_setup_open, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
