/* The server over real sockets: what raw clients send and get. */
#include "served.h"

static void echo_and_keep_alive(void **state)
{
    struct fix f = open_web();

    (void)state;
    for (int i = 0; i < 20; i++) {
        ask(&f, "POST /echo" H "Content-Length: 5\r\n\r\nhello", "\r\n\r\nhello");
        assert_true(wire_has(&f.c, "HTTP/1.1 200"));
        forget(&f);
    }
    ask(&f,
        "POST /echo" H
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
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
    ask(&f,
        "GET /v1/jobs/j?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y&z&bare" H
        "\r\n",
        "arg|GET|j|||||-");
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
    assert_true(
        wire_say(&f.c, "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n3e9\r\n"));
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
#define POST "POST /echo HTTP/1.1\r\nHost: x\r\n"
    static const char *const bad[] = {
        "\x16\x03\x01\x02\x01\x01\x01", /* a TLS hello */
        "\r\n\r\n\r\n\r\nx",
        "GET\r\n\r\n",
        (POST "Content-Length: -5\r\n\r\n"),
        (POST "Content-Length: 99999999999999999999\r\n\r\n"),
        (POST "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    };
#undef POST
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
    ask(&f, "POST /echo" H "Content-Length: 2\r\n\r\nok",
        "\r\n\r\nok"); /* still serving */
    assert_int_equal(got.calls, 1);
    UNTIL(f.l, web_busy(f.w) == 0);
    close_web(&f);
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
        cmocka_unit_test(head_cap),
        cmocka_unit_test(garbage),
        cmocka_unit_test(bad_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
