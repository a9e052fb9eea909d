/* The server over real sockets: what raw clients send and get. */
#include "web/web.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/op.h"
#include "turn.h"
#include "wire.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#define HELD_MAX 64

static struct {
    struct web_req *held[HELD_MAX];
    unsigned n, calls;
    char seen[512]; /* what the last handler saw */
    int64_t uid;
} got;

static void on_echo(struct web_req *r, void *arg)
{
    size_t n;
    const void *p = web_body(r, &n);

    (void)arg;
    got.calls++;
    web_reply(r, 200, "application/octet-stream", p, n);
}

static void on_parts(struct web_req *r, void *arg)
{
    const char *q = web_query(r, "q"), *bare = web_query(r, "bare"), *h;

    h = web_header(r, "x-test");
    got.calls++;
    got.uid = web_peer_uid(r);
    snprintf(got.seen, sizeof(got.seen), "%s|%s|%s|%s|%s|%s|%s|%s", (const char *)arg,
        web_method(r), web_part(r, 0), web_part(r, 1), web_part(r, 2), q ? q : "-",
        bare ? bare : "-", h ? h : "-");
    web_reply_header(r, "X-Seen", "yes");
    web_reply_header(r, "X-Evil", "a\r\nX-Split: 1");
    web_reply(r, 200, "text/plain", got.seen, strlen(got.seen));
}

static void on_pause(struct web_req *r, void *arg)
{
    got.calls++;
    snprintf(got.seen, sizeof(got.seen), "pause %s", web_part(r, 0));
    (void)arg;
    web_reply(r, 204, NULL, NULL, 0);
}

static void on_hold(struct web_req *r, void *arg)
{
    (void)arg;
    got.calls++;
    assert_true(got.n < HELD_MAX);
    got.held[got.n++] = r;
}

static void on_problem(struct web_req *r, void *arg)
{
    (void)arg;
    web_problem(r, 409, "wrong-state", "Wrong state", "say \"no\"", "{\"retry_after\": 3}");
}

static void on_big(struct web_req *r, void *arg)
{
    struct bbt_buf b;
    size_t n = (size_t)32 << 20;

    (void)arg;
    buf_init(&b, n);
    memset(buf_extend(&b, n), 'b', n);
    web_reply_take(r, 200, "text/plain", &b);
    assert_null(b.data);
}

static const struct web_route routes[] = {
    {"POST", "/echo", on_echo, 1000},
    {"POST", "/big-echo", on_echo, 8u << 20},
    {"GET", "/v1/jobs/{id}", on_parts, 0},
    {"GET", "/v1/jobs/{id}/log/{n}", on_parts, 0},
    {"GET", "/v1/jobs/stats", on_echo, 0},
    {"POST", "/v1/jobs/{id}:pause", on_pause, 100},
    {"DELETE", "/v1/jobs/{id}", on_parts, 0},
    {"GET", "/hold", on_hold, 0},
    {"GET", "/problem", on_problem, 0},
    {"GET", "/big", on_big, 0},
};

struct fix {
    struct loop *l;
    struct web *w;
    uint16_t port;
    struct wire c;
};

static struct fix open_opts(const struct web_opts *o)
{
    struct fix f;

    memset(&got, 0, sizeof(got));
    assert_int_equal(loop_new(&f.l, NULL), BBT_OK);
    assert_int_equal(web_new(f.l, o, routes, sizeof(routes) / sizeof(routes[0]),
                         (void *)(uintptr_t)"arg", &f.w, NULL),
        BBT_OK);
    assert_int_equal(web_listen_tcp(f.w, "127.0.0.1", 0, &f.port, NULL), BBT_OK);
    assert_int_not_equal(f.port, 0);
    assert_true(wire_tcp(&f.c, f.port));
    return f;
}

static struct fix open_web(void)
{
    return open_opts(NULL);
}

static void close_web(struct fix *f)
{
    wire_close(&f->c);
    web_free(f->w);
    loop_free(f->l);
}

/* Sends and waits for `want`. */
static void ask(struct fix *f, const char *say, const char *want)
{
    assert_true(wire_say(&f->c, say));
    UNTIL(f->l, wire_has(&f->c, want) || wire_ended(&f->c));
    assert_true(wire_has(&f->c, want));
}

static void forget(struct fix *f)
{
    buf_fini(&f->c.in);
}

#define H " HTTP/1.1\r\nHost: x\r\n"

static void echo_and_keep_alive(void **state)
{
    struct fix f = open_web();

    (void)state;
    for (int i = 0; i < 20; i++) {
        ask(&f, "POST /echo" H "Content-Length: 5\r\n\r\nhello", "\r\n\r\nhello");
        assert_true(wire_has(&f.c, "HTTP/1.1 200"));
        forget(&f);
    }
    ask(&f, "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "\r\n\r\nabcde");
    assert_int_equal(got.calls, 21);
    assert_false(wire_ended(&f.c));
    close_web(&f);
}

static void parts_and_query(void **state)
{
    struct fix f = open_web();

    (void)state;
    ask(&f, "GET /v1/jobs/a%2Fb%3Ac/log/7?x=1&q=a+b%26c&bare&=n" H "X-Test: t\r\n\r\n",
        "arg|GET|a/b:c|7||a b&c||t");
    assert_true(wire_has(&f.c, "X-Seen: yes\r\n"));
    assert_false(wire_has(&f.c, "X-Split"));
    assert_int_equal(got.uid, -1);
    forget(&f);
    /* many bare names: each takes more room decoded than sent */
    ask(&f, "GET /v1/jobs/j?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&bare" H
            "\r\n", "arg|GET|j|||||-");
    forget(&f);
    ask(&f, "POST /v1/jobs/j%20k:pause" H "Content-Length: 0\r\n\r\n", " 204 ");
    assert_string_equal(got.seen, "pause j k");
    forget(&f);
    ask(&f, "GET http://h:1/v1/jobs/abs?q=1" H "\r\n", "arg|GET|abs|||1|-|-");
    forget(&f);
    ask(&f, "HEAD /v1/jobs/j" H "\r\n", "\r\n\r\n");
    assert_true(wire_has(&f.c, " 200 "));
    assert_string_equal(got.seen, "arg|HEAD|j|||-|-|-");
    assert_false(wire_has(&f.c, "arg|")); /* no body after a HEAD */
    forget(&f);
    got.calls = 0;
    ask(&f, "GET /v1/jobs/stats" H "\r\n", " 200 "); /* the literal wins */
    assert_string_equal(got.seen, "arg|HEAD|j|||-|-|-");
    close_web(&f);
}

static void refusals(void **state)
{
    struct fix f = open_web();

    (void)state;
    ask(&f, "GET /nowhere" H "\r\n", "urn:bbtd:problem:no-such-path");
    assert_true(wire_has(&f.c, "HTTP/1.1 404"));
    assert_true(wire_has(&f.c, "application/problem+json"));
    forget(&f);
    ask(&f, "PATCH /v1/jobs/j" H "Content-Length: 3\r\n\r\nabc", "method-not-allowed");
    assert_true(wire_has(&f.c, "HTTP/1.1 405"));
    assert_true(wire_has(&f.c, "Allow: GET, DELETE\r\n"));
    forget(&f);
    ask(&f, "GET /v1/jobs/j:pause" H "\r\n", "Allow: POST\r\n");
    forget(&f);
    ask(&f, "GET /v1/jobs/%zz" H "\r\n", "HTTP/1.1 400");
    forget(&f);
    ask(&f, "GET /v1/jobs/%00" H "\r\n", "HTTP/1.1 400");
    forget(&f);
    ask(&f, "GET /v1/jobs//log/3" H "\r\n", "HTTP/1.1 404");
    forget(&f);
    ask(&f, "GET /problem" H "\r\n",
        "{\"detail\":\"say \\\"no\\\"\",\"retry_after\":3,\"status\":409,"
        "\"title\":\"Wrong state\",\"type\":\"urn:bbtd:problem:wrong-state\"}");
    assert_int_equal(got.calls, 0);
    assert_false(wire_ended(&f.c)); /* all of them kept the connection */
    close_web(&f);
}

static void plain_errors(void **state)
{
    struct web_opts o = {.plain_errors = true, .server = "t/1"};
    struct fix f = open_opts(&o);

    (void)state;
    ask(&f, "GET /nowhere" H "\r\n", "{\"error\":\"no such path\"}");
    assert_true(wire_has(&f.c, "Content-Type: application/json\r\n"));
    assert_true(wire_has(&f.c, "Server: t/1\r\n"));
    close_web(&f);
}

static void body_cap(void **state)
{
    struct fix f = open_web();
    char body[1001];

    (void)state;
    memset(body, 'x', sizeof(body));
    /* announced: read, dropped, refused, connection kept */
    assert_true(wire_say(&f.c, "POST /echo" H "Content-Length: 1001\r\n\r\n"));
    assert_int_equal(wire_send(&f.c, body, 1001), 1001);
    UNTIL(f.l, wire_has(&f.c, "body-too-large"));
    assert_true(wire_has(&f.c, "HTTP/1.1 413"));
    forget(&f);
    /* exactly the cap is fine */
    assert_true(wire_say(&f.c, "POST /echo" H "Content-Length: 1000\r\n\r\n"));
    assert_int_equal(wire_send(&f.c, body, 1000), 1000);
    UNTIL(f.l, wire_has(&f.c, "HTTP/1.1 200") && f.c.in.len > 1000);
    forget(&f);
    /* not announced */
    assert_true(wire_say(&f.c, "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n3e9\r\n"));
    assert_int_equal(wire_send(&f.c, body, 1001), 1001);
    assert_true(wire_say(&f.c, "\r\n0\r\n\r\n"));
    UNTIL(f.l, wire_has(&f.c, "HTTP/1.1 413"));
    assert_int_equal(got.calls, 1);
    forget(&f);
    /* 10 GB announced: refused without waiting for any of it */
    ask(&f, "POST /echo" H "Content-Length: 10737418240\r\n\r\n", "HTTP/1.1 413");
    UNTIL(f.l, wire_ended(&f.c));
    close_web(&f);
}

/* A chunked body without end is dropped for a while and then cut. */
static void endless_body(void **state)
{
    struct fix f = open_web();
    char chunk[4096 + 8];
    size_t sent = 0;
    long n = 0;

    (void)state;
    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, 'x', 4096);
    memcpy(chunk + 4102, "\r\n", 2);
    assert_true(wire_say(&f.c, "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n"));
    UNTIL(f.l, (n = wire_send(&f.c, chunk + sent % 4104, 4104 - sent % 4104)) < 0 ||
                   ((sent += (size_t)n), wire_ended(&f.c)));
    assert_true(sent < (size_t)16 << 20); /* our cap and what kernels buffer */
    assert_int_equal(got.calls, 0);
    UNTIL(f.l, web_busy(f.w) == 0);
    close_web(&f);
}

static void big_bodies_both_ways(void **state)
{
    struct fix f = open_web();
    size_t n = (size_t)8 << 20, off = 0;
    char *body = bbt_alloc(n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        body[i] = (char)('a' + i % 23);
    assert_true(wire_say(&f.c, "POST /big-echo" H "Content-Length: 8388608\r\n\r\n"));
    UNTIL(f.l, (off += (size_t)wire_send(&f.c, body + off, n - off)) == n);
    UNTIL(f.l, (wire_has(&f.c, "\r\n\r\n"), f.c.in.len > n));
    UNTIL(f.l, web_busy(f.w) == 0);
    wire_has(&f.c, "");
    assert_memory_equal(f.c.in.data + f.c.in.len - n, body, n);
    forget(&f);
    assert_true(wire_say(&f.c, "GET /big" H "\r\n"));
    UNTIL(f.l, (wire_has(&f.c, "x"), f.c.in.len > (size_t)32 << 20));
    bbt_free(body);
    close_web(&f);
}

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

/* Requests that never become whole are cut: silent, half a head, half a body, dripping. */
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

/* A request in a handler's hands may take longer than any request may take to come in. */
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

static void head_cap(void **state)
{
    struct web_opts o = {.head_max = 8192};
    struct fix f = open_opts(&o);
    char line[1024];

    (void)state;
    memset(line, 'h', sizeof(line));
    memcpy(line, "X-Big: ", 7);
    memcpy(line + 1022, "\r\n", 2);
    assert_true(wire_say(&f.c, "GET /hold" H));
    for (int i = 0; i < 20 && wire_send(&f.c, line, sizeof(line)) > 0; i++)
        ;
    UNTIL(f.l, wire_ended(&f.c));
    assert_true(wire_has(&f.c, "HTTP/1.1 431"));
    assert_int_equal(got.n, 0);
    close_web(&f);
}

static void garbage(void **state)
{
    static const char *const bad[] = {"\x16\x03\x01\x02\x01\x01\x01", "\r\n\r\n\r\n\r\nx",
        "GET\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    struct fix f = open_web();

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct wire c;
        unsigned turns = 0;

        assert_true(wire_tcp(&c, f.port));
        assert_true(wire_say(&c, bad[i]));
        UNTIL(f.l, ++turns > 20);
        wire_close(&c);
    }
    ask(&f, "POST /echo" H "Content-Length: 2\r\n\r\nok", "\r\n\r\nok"); /* still serving */
    assert_int_equal(got.calls, 1);
    UNTIL(f.l, web_busy(f.w) == 0);
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

static void bad_routes(void **state)
{
    static const struct web_route bad[] = {
        {"GET", "no-slash", on_echo, 0},
        {"GET", "/{id", on_echo, 0},
        {"GET", "/{id}pause", on_echo, 0},
        {"GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", on_echo, 0},
        {"AVERYLONGMETHODNAME", "/x", on_echo, 0},
        {"GET", "/x", NULL, 0},
    };
    struct web *w = NULL;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(web_new(l, NULL, &bad[i], 1, NULL, &w, NULL), BBT_INVALID);
    assert_null(w);
    loop_free(l);
}

/* Any single allocation may fail: the client gets an answer or a closed connection, and
 * the next one is served. */
static void allocations_fail(void **state)
{
    struct fix f = open_web();
    unsigned cut = 0, refused = 0, asked_less = 0;

    (void)state;
    ask(&f, "GET /nowhere" H "\r\n", "no-such-path"); /* accepted before anything fails */
    forget(&f);
    for (long k = 0; asked_less < 2; k++) {
        struct wire c;

        assert_true(wire_tcp(&c, f.port));
        assert_true(wire_say(&c, "POST /echo" H "Content-Length: 5\r\n"
                                 "Connection: close\r\n\r\nhello"));
        bbt_alloc_fault(k, 0);
        UNTIL(f.l, web_busy(f.w) == 0 && wire_ended(&c)); /* reading allocates as well */
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
        cmocka_unit_test(echo_and_keep_alive),
        cmocka_unit_test(parts_and_query),
        cmocka_unit_test(refusals),
        cmocka_unit_test(plain_errors),
        cmocka_unit_test(body_cap),
        cmocka_unit_test(endless_body),
        cmocka_unit_test(big_bodies_both_ways),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(slow_client),
        cmocka_unit_test(deadline),
        cmocka_unit_test(late_reply_outlives_deadline),
        cmocka_unit_test(head_cap),
        cmocka_unit_test(garbage),
        cmocka_unit_test(connection_limit),
        cmocka_unit_test(client_vanishes_while_held),
        cmocka_unit_test(free_with_held_requests),
        cmocka_unit_test(quiesce),
        cmocka_unit_test(bad_routes),
        cmocka_unit_test(allocations_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
