/* What limits must not forget. */
#include "room.h"

#include "store/st_rate.h"

static void sent(struct room *r, const char *quota, int64_t wall_us, uint64_t tokens)
{
    struct rec_sent s = {.wall_us = wall_us, .requests = 1, .tokens = tokens};

    (void)snprintf(s.quota, sizeof s.quota, "%s", quota);
    ok(store_sent_put(r->s, &s, &r->err));
}

static void test_sent(void **state)
{
    struct room *r = *state;
    struct rec_sent *rows = NULL;
    size_t n = 0;
    int64_t old = 7000000, now = old + STORE_SENT_KEEP_US;

    sent(r, "b", old, 3);
    sent(r, "a", old, 5);
    sent(r, "a", old, 6); /* the same moment: added up */
    sent(r, "a", old + 1, 7);
    ok(store_sent_list(r->s, old, &rows, &n, &r->err));
    assert_int_equal(n, 3);
    assert_string_equal(rows[0].quota, "a");
    assert_true(rows[0].requests == 2 && rows[0].tokens == 11 && rows[0].wall_us == old);
    assert_string_equal(rows[1].quota, "b");
    assert_true(rows[2].wall_us == old + 1);
    bbt_free(rows);
    ok(store_sent_list(r->s, old + 1, &rows, &n, &r->err));
    assert_int_equal(n, 1);
    bbt_free(rows);
    sent(r, "a", now + 1, 1); /* its own old rows go; those of others are their business */
    ok(store_sent_list(r->s, 0, &rows, &n, &r->err));
    assert_int_equal(n, 3);
    assert_true(rows[0].wall_us == old && rows[1].wall_us == old + 1);
    assert_string_equal(rows[0].quota, "b");
    bbt_free(rows);
    ok(store_sent_list(r->s, now + 2, &rows, &n, &r->err));
    assert_int_equal(n, 0);
    assert_null(rows);
}

static void rest(struct room *r, const char *name, int limit, int64_t until, const char *why)
{
    struct rec_rest row = {.limit = limit, .until_us = until, .text = "said so"};

    (void)snprintf(row.name, sizeof row.name, "%s", name);
    (void)snprintf(row.reason, sizeof row.reason, "%s", why);
    ok(store_rest_put(r->s, &row, &r->err));
}

static void test_rests(void **state)
{
    struct room *r = *state;
    struct rec_rest *rows = NULL;
    size_t n = 0;

    rest(r, "b", 0, 0, "quota");
    rest(r, "a", 1, 99, "hold");
    rest(r, "a", 0, 50, "hold");
    rest(r, "a", 0, 70, "hold"); /* in its place */
    ok(store_rest_list(r->s, &rows, &n, &r->err));
    assert_int_equal(n, 3);
    assert_true(!rows[0].limit && rows[0].until_us == 70);
    assert_true(rows[1].limit && rows[1].until_us == 99);
    assert_string_equal(rows[2].name, "b");
    assert_string_equal(rows[2].reason, "quota");
    assert_string_equal(rows[2].text, "said so");
    bbt_free(rows);
    rest(r, "a", 0, 0, "");
    rest(r, "nobody", 0, 0, "");
    room_close(r);
    room_open(r);
    ok(store_rest_list(r->s, &rows, &n, &r->err));
    assert_int_equal(n, 2);
    assert_true(rows[0].limit);
    bbt_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sent, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_rests, room_setup_open, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
