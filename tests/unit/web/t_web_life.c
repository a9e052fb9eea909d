/* The server over time: slow, many, late and vanishing clients; its own end. */
#include "served.h"

static void pipelined(void **state)
{
    struct fix f = open_web();

    (void)state;
    assert_true(wire_say(&f.c, "POST /echo" H "Content-Length: 3\r\n\r\none"
                               "GET /nowhere" H "\r\n"
                               "GET /hold" H "\r\n"
                               "POST /echo" H "Content-Length: 3\r\n\r\ntwo"));
    UNTIL(f.l, got.n == 1);
    UNTIL(f.l, wire_has(&f.c, "no-such-path"));
    assert_true(wire_has(&f.c, "one"));
    assert_false(wire_has(&f.c, "two")); /* answers keep the order of the requests */
    web_reply(got.held[0], 200, NULL, "late", 4);
    UNTIL(f.l, wire_has(&f.c, "two"));
    assert_int_equal(wire_count(&f.c, "HTTP/1.1 "), 4);
    assert_true(wire_has(&f.c, "late"));
    close_web(&f);
}

/* Byte by byte: heads and bodies that come slowly are whole requests in the end. */
static void slow_client(void **state)
{
    struct fix f = open_web();
    const char *s = "POST /echo" H "Content-Length: 11\r\n\r\nhello world";

    (void)state;
    for (size_t i = 0; s[i]; i++) {
        unsigned turns = 0;

        assert_int_equal(wire_send(&f.c, s + i, 1), 1);
        assert_false(wire_has(&f.c, "200"));
        UNTIL(f.l, ++turns > 2);
    }
    UNTIL(f.l, wire_has(&f.c, "hello world"));
    close_web(&f);
}

/* Requests that never become whole are cut: silent, half a head, half a body, dripping.
 */
static void deadline(void **state)
{
    struct web_opts o = {.request_us = 150000};
    struct fix f = open_opts(&o);
    struct wire head, body, drip;
    unsigned n = 0;

    (void)state;
    assert_true(wire_tcp(&head, f.port));
    assert_true(wire_tcp(&body, f.port));
    assert_true(wire_tcp(&drip, f.port));
    assert_true(wire_say(&head, "GET /hold HT"));
    assert_true(wire_say(&body, "POST /echo" H "Content-Length: 900\r\n\r\nabc"));
    assert_true(wire_say(&drip, "POST /echo" H "Content-Length: 900\r\n\r\n"));
    UNTIL(f.l, (wire_send(&drip, "x", n++ % 64 == 0), wire_ended(&drip)));
    UNTIL(f.l, wire_ended(&head) && wire_ended(&body) && wire_ended(&f.c));
    UNTIL(f.l, web_busy(f.w) == 0);
    assert_int_equal(got.calls, 0);
    wire_close(&head);
    wire_close(&body);
    wire_close(&drip);
    close_web(&f);
}

/* A request in a handler's hands may take longer than any request may take to come in.
 */
static void late_reply_outlives_deadline(void **state)
{
    struct web_opts o = {.request_us = 50000};
    struct fix f = open_opts(&o);
    struct loop_timer t;

    (void)state;
    assert_true(wire_say(&f.c, "GET /hold" H "\r\n"));
    UNTIL(f.l, got.n == 1);
    timer_init(&t, f.l, NULL);
    timer_start(&t, 150000);
    UNTIL(f.l, t.fired);
    assert_false(wire_ended(&f.c));
    assert_false(web_gone(got.held[0]));
    web_reply(got.held[0], 200, NULL, "late", 4);
    UNTIL(f.l, wire_has(&f.c, "late"));
    close_web(&f);
}

/* More clients than slots: the rest waits and is served when somebody leaves. */
static void connection_limit(void **state)
{
    struct web_opts o = {.connections_max = 4};
    struct fix f = open_opts(&o);
    struct wire c[8];

    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_true(wire_tcp(&c[i], f.port));
        assert_true(wire_say(&c[i], "GET /hold" H "Connection: close\r\n\r\n"));
    }
    UNTIL(f.l, got.n == 3); /* f.c holds one slot and says nothing */
    for (unsigned i = 0; i < 8; i++) {
        UNTIL(f.l, got.n > i);
        assert_true(got.n - i <= 4);
        web_reply(got.held[i], 200, NULL, "x", 1);
    }
    for (int i = 0; i < 8; i++) {
        UNTIL(f.l, wire_has(&c[i], "HTTP/1.1 200"));
        wire_close(&c[i]);
    }
    close_web(&f);
}

static void client_vanishes_while_held(void **state)
{
    struct fix f = open_web();

    (void)state;
    assert_true(wire_say(&f.c, "GET /hold" H "\r\n"));
    UNTIL(f.l, got.n == 1);
    assert_false(web_gone(got.held[0]));
    wire_close(&f.c);
    UNTIL(f.l, web_gone(got.held[0]));
    web_reply(got.held[0], 200, NULL, "to nobody", 9);
    UNTIL(f.l, web_busy(f.w) == 0);
    close_web(&f);
}

/* The server goes first; owners still answer, to nobody. */
static void free_with_held_requests(void **state)
{
    struct fix f = open_web();
    struct wire c[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_true(wire_tcp(&c[i], f.port));
        assert_true(wire_say(&c[i], "GET /hold" H "\r\n"));
    }
    UNTIL(f.l, got.n == 4);
    web_free(f.w);
    f.w = NULL;
    for (int i = 0; i < 4; i++) {
        assert_true(web_gone(got.held[i]));
        assert_null(web_header(got.held[i], "Host"));
        if (i % 2)
            web_reply(got.held[i], 200, NULL, "x", 1);
        else
            web_problem(got.held[i], 500, "x", "X", "x", NULL);
        assert_true(wire_ended(&c[i]));
        wire_close(&c[i]);
    }
    close_web(&f);
}

static unsigned idle_steps;

static void idle_step(struct op *op)
{
    (void)op;
    idle_steps++;
}

static void quiesce(void **state)
{
    struct fix f = open_web();
    struct wire late, second;
    struct op idle;

    (void)state;
    idle_steps = 0;
    op_init(&idle, loop_turnq(f.l), idle_step);
    assert_true(wire_tcp(&second, f.port));
    assert_true(wire_say(&f.c, "GET /hold" H "\r\n"));
    assert_true(wire_say(&second, "GET /nowhere" H "\r\n"));
    UNTIL(f.l, got.n == 1 && wire_has(&second, " 404 "));
    web_quiesce(f.w, &idle);
    assert_false(wire_tcp(&late, f.port));
    /* a kept connection asks once more */
    assert_true(wire_say(&second, "GET /hold" H "\r\n"));
    UNTIL(f.l, wire_has(&second, "HTTP/1.1 503"));
    UNTIL(f.l, wire_ended(&second));
    idle_steps = 0;
    assert_int_equal(web_busy(f.w), 1);
    web_reply(got.held[0], 200, NULL, "last", 4);
    UNTIL(f.l, idle_steps > 0);
    assert_int_equal(web_busy(f.w), 0);
    UNTIL(f.l, wire_has(&f.c, "last"));
    assert_true(wire_has(&f.c, "Connection: close"));
    wire_close(&second);
    close_web(&f);
    op_fini(&idle);
}

/* Any single allocation may fail: the client gets an answer or a closed connection, and
 * the next one is served. */
static void allocations_fail(void **state)
{
    struct fix f = open_web();
    unsigned cut = 0, refused = 0, asked_less = 0;

    (void)state;
    ask(&f, "GET /nowhere" H "\r\n",
        "no-such-path"); /* accepted before anything fails */
    forget(&f);
    for (long k = 0; asked_less < 2; k++) {
        struct wire c;

        assert_true(wire_tcp(&c, f.port));
        assert_true(wire_say(&c, "POST /echo" H "Content-Length: 5\r\n"
                                 "Connection: close\r\n\r\nhello"));
        bbt_alloc_fault(k, 0);
        UNTIL(
            f.l, web_busy(f.w) == 0 && wire_ended(&c)); /* reading allocates as well */
        asked_less += bbt_alloc_fault(-1, 0) <= (unsigned long)k;
        if (!wire_has(&c, "HTTP/1.1"))
            cut++;
        else if (!wire_has(&c, " 200 "))
            refused += wire_has(&c, " 503 ");
        else
            assert_true(wire_has(&c, "hello"));
        wire_close(&c);
        ask(&f, "POST /echo" H "Content-Length: 2\r\n\r\nok", "\r\n\r\nok");
        forget(&f);
    }
    assert_true(cut > 0);
    assert_true(refused > 0);
    close_web(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined),
        cmocka_unit_test(slow_client),
        cmocka_unit_test(deadline),
        cmocka_unit_test(late_reply_outlives_deadline),
        cmocka_unit_test(connection_limit),
        cmocka_unit_test(client_vanishes_while_held),
        cmocka_unit_test(free_with_held_requests),
        cmocka_unit_test(quiesce),
        cmocka_unit_test(allocations_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
