/* Many requests on few connections: reuse, limits, cancelling, the client's own end. */
#include "ask.h"

#define MANY 64

/* Lengths that do not add up: refused before curl sees the request. */
static const struct bbt_slice too_much[] = {{"x", SIZE_MAX}, {"x", 1}};

static void connections_are_reused(void **state)
{
    unsigned before = hostile_connections(host);
    struct ask a;

    (void)state;
    for (int i = 0; i < 20; i++) {
        get(&a, "ok");
        assert_int_equal(a.r.rc, BBT_OK);
        assert_int_equal(a.r.reused, hostile_connections(host) == before || i > 0);
        http_req_fini(&a.r);
    }
    assert_true(hostile_connections(host) - before <= 1);
}

/* The server closed the kept connection meanwhile: no failure reaches the caller. */
static void stale_connection(void **state)
{
    struct ask a;

    (void)state;
    for (int i = 0; i < 200; i++) {
        const struct bbt_slice send = {"again", 5};

        prepare(&a, i % 2 ? "echo" : "keepclose");
        a.r.method = "POST";
        a.r.send = &send;
        a.r.send_nr = 1;
        finish(&a);
        assert_int_equal(a.r.rc, BBT_OK);
        assert_memory_equal(a.r.body.data, i % 2 ? "again" : "ok\n", i % 2 ? 5 : 3);
        http_req_fini(&a.r);
    }
}

static void many_at_once(void **state)
{
    static struct ask a[MANY];
    static const char *const names[] = {
        "ok", "echo", "half", "429", "reset", "endless", "badstatus", "close"};
    unsigned ok = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        prepare(&a[i], names[i % 8]);
        http_start(c, &a[i].r, &a[i].op);
    }
    assert_int_equal(http_client_running(c), MANY);
    UNTIL(l, http_client_running(c) == 0);
    for (int i = 0; i < MANY; i++) {
        UNTIL(l, a[i].steps > 0);
        assert_int_equal(a[i].steps, 1);
        ok += a[i].r.rc == BBT_OK;
        if (i % 8 < 2)
            assert_int_equal(a[i].r.rc, BBT_OK);
        http_req_fini(&a[i].r);
    }
    assert_int_equal(ok, MANY / 8 * 3);
}

static void cancel(struct ask *a)
{
    http_abort(c, &a->r);
    assert_false(a->r.done); /* also this ending comes later */
    http_abort(c, &a->r);    /* twice is fine */
    UNTIL(l, a->steps > 0);
    assert_int_equal(a->steps, 1);
    assert_int_equal(a->r.rc, BBT_CANCELED);
    http_req_fini(&a->r);
}

static void cancel_at_every_stage(void **state)
{
    unsigned requests, turns = 0;
    unsigned long long sent;
    struct ask a;

    (void)state;
    prepare(&a, "hang"); /* right after the start */
    http_start(c, &a.r, &a.op);
    cancel(&a);
    for (unsigned n = 1; n < 6; n++) { /* connecting, sending */
        prepare(&a, "hang");
        http_start(c, &a.r, &a.op);
        turns = 0;
        UNTIL(l, ++turns > n);
        cancel(&a);
    }
    requests = hostile_requests(host);
    prepare(&a, "hang"); /* waiting for the answer */
    http_start(c, &a.r, &a.op);
    UNTIL(l, hostile_requests(host) > requests);
    cancel(&a);
    sent = hostile_sent(host);
    prepare(&a, "drip"); /* in the middle of the body */
    http_start(c, &a.r, &a.op);
    UNTIL(l, hostile_sent(host) > sent + 60 && a.r.body.len > 0);
    cancel(&a);
    prepare(&a, "ok"); /* over, but not yet told */
    http_start(c, &a.r, &a.op);
    UNTIL(l, a.r.done);
    http_abort(c, &a.r);
    UNTIL(l, a.steps > 0);
    assert_int_equal(a.r.rc, BBT_OK);
    http_req_fini(&a.r);
    prepare(&a, "ok"); /* cannot start: one ending, its own */
    a.r.send = too_much;
    a.r.send_nr = 2;
    http_start(c, &a.r, &a.op);
    http_abort(c, &a.r);
    UNTIL(l, a.steps > 0);
    assert_int_equal(a.r.rc, BBT_INVALID);
    http_req_fini(&a.r);
}

static void free_ends_what_runs(void **state)
{
    struct http_client *other;
    struct ask a, b;

    (void)state;
    assert_int_equal(http_client_new(l, NULL, &other, NULL), BBT_OK);
    prepare(&a, "hang");
    prepare(&b, "ok");
    b.r.send = too_much;
    b.r.send_nr = 2;
    http_start(other, &a.r, &a.op);
    http_start(other, &b.r, &b.op);
    http_client_free(other);
    assert_true(a.r.done && b.r.done);
    assert_int_equal(a.r.rc, BBT_CANCELED);
    assert_int_equal(b.r.rc, BBT_INVALID);
    UNTIL(l, a.steps == 1 && b.steps == 1);
    http_req_fini(&a.r);
    http_req_fini(&b.r);
}

/* At most so many connections; the rest waits its turn inside the client. */
static void connection_limit(void **state)
{
    struct http_opts o = {.connections_max = 2, .agent = "t/1"};
    unsigned before = hostile_connections(host);
    struct http_client *mine = c, *few;
    struct ask a[10];

    (void)state;
    assert_int_equal(http_client_new(l, &o, &few, NULL), BBT_OK);
    c = few;
    for (int i = 0; i < 10; i++) {
        prepare(&a[i], "mirror");
        http_start(c, &a[i].r, &a[i].op);
    }
    UNTIL(l, http_client_running(c) == 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(a[i].r.rc, BBT_OK);
        assert_true(said(&a[i], "User-Agent: t/1\r\n"));
        UNTIL(l, a[i].steps == 1);
        http_req_fini(&a[i].r);
    }
    assert_true(hostile_connections(host) - before <= 2);
    http_client_free(few);
    c = mine;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_reused),
        cmocka_unit_test(stale_connection),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(cancel_at_every_stage),
        cmocka_unit_test(free_ends_what_runs),
        cmocka_unit_test(connection_limit),
    };

    return cmocka_run_group_tests(tests, ask_setup, ask_teardown);
}
