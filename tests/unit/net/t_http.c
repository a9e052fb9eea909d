/* The client against a server that misbehaves: every ending is told once, with its class. */
#include "net/http.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/op.h"
#include "hostile.h"
#include "turn.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#define CAP 100000u
#define MANY 64

struct ask {
    struct http_req r;
    struct op op;
    char url[96];
    unsigned steps;
    bool done_seen;
};

static struct hostile *host;
static struct loop *l;
static struct http_client *c;

/* Lengths that do not add up: refused before curl sees the request. */
static const struct http_slice too_much[] = {{"x", SIZE_MAX}, {"x", 1}};

static void ask_step(struct op *op)
{
    struct ask *a = bbt_container(op, struct ask, op);

    a->steps++;
    a->done_seen = a->r.done;
}

static void prepare(struct ask *a, const char *name)
{
    *a = (struct ask){0};
    op_init(&a->op, loop_turnq(l), ask_step);
    snprintf(a->url, sizeof(a->url), "http://127.0.0.1:%u/v1/%s", hostile_port(host), name);
    a->r = (struct http_req){.method = "GET", .url = a->url, .response_max = CAP,
        .timeout_us = 20000000};
}

static void finish(struct ask *a)
{
    http_start(c, &a->r, &a->op);
    assert_false(a->r.done);
    UNTIL(l, a->steps > 0);
    assert_true(a->done_seen);
    assert_int_equal(a->steps, 1);
    assert_int_equal(http_client_running(c), 0);
}

/* One request from start to end; facts in `a`, to be freed by http_req_fini. */
static void get(struct ask *a, const char *name)
{
    prepare(a, name);
    finish(a);
}

static void plain(void **state)
{
    struct ask a;

    (void)state;
    get(&a, "ok");
    assert_int_equal(a.r.rc, BBT_OK);
    assert_int_equal(a.r.status, 200);
    assert_int_equal(a.r.body.len, 3);
    assert_memory_equal(a.r.body.data, "ok\n", 3);
    assert_string_equal(http_header(&a.r, "x-who"), "hostile");
    assert_null(http_header(&a.r, "x-whom"));
    assert_true(a.r.sent);
    http_req_fini(&a.r);
}

/* Any status is a response. */
static void statuses(void **state)
{
    struct ask a;

    (void)state;
    get(&a, "429");
    assert_int_equal(a.r.rc, BBT_OK);
    assert_int_equal(a.r.status, 429);
    assert_string_equal(http_header(&a.r, "Retry-After"), "7");
    http_req_fini(&a.r);
    get(&a, "500");
    assert_int_equal(a.r.rc, BBT_OK);
    assert_int_equal(a.r.status, 500);
    http_req_fini(&a.r);
    get(&a, "html");
    assert_int_equal(a.r.rc, BBT_OK);
    assert_string_equal(http_header(&a.r, "content-type"), "text/html");
    http_req_fini(&a.r);
    get(&a, "redirect"); /* not followed */
    assert_int_equal(a.r.status, 302);
    http_req_fini(&a.r);
    get(&a, "continue"); /* only the last head counts */
    assert_int_equal(a.r.status, 200);
    assert_null(http_header(&a.r, "X-Early"));
    assert_string_equal(http_header(&a.r, "X-Late"), "1");
    http_req_fini(&a.r);
}

static void classes(void **state)
{
    static const struct {
        const char *name;
        enum bbt_rc rc;
        const char *word; /* of the sentence */
    } want[] = {
        {"half", BBT_AGAIN, NULL},
        {"badstatus", BBT_INVALID, NULL},
        {"badchunk", BBT_AGAIN, NULL},
        {"reset", BBT_AGAIN, NULL},
        {"close", BBT_AGAIN, NULL},
        {"huge", BBT_INVALID, "100000"},
        {"endless", BBT_INVALID, "100000"},
        {"bighead", BBT_INVALID, "headers"},
        {"longline", BBT_INVALID, "headers"},
    };
    struct ask a;

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        get(&a, want[i].name);
        if (a.r.rc != want[i].rc)
            print_message("%s: %s\n", want[i].name, a.r.err.msg);
        assert_int_equal(a.r.rc, want[i].rc);
        assert_int_equal(a.r.err.rc, want[i].rc);
        assert_true(a.r.err.msg[0]);
        assert_null(strstr(a.r.err.msg, "/v1/")); /* paths may hold secrets */
        if (want[i].word)
            assert_non_null(strstr(a.r.err.msg, want[i].word));
        assert_true(a.r.body.room <= 2 * CAP);
        http_req_fini(&a.r);
    }
    get(&a, "ok"); /* the client is as good as new */
    assert_int_equal(a.r.rc, BBT_OK);
    http_req_fini(&a.r);
}

/* 10 GB announced: nothing of it is read into memory, and not much off the wire. */
static void huge_is_refused_at_the_head(void **state)
{
    unsigned long long before = hostile_sent(host);
    struct ask a;

    (void)state;
    get(&a, "huge");
    assert_int_equal(a.r.rc, BBT_INVALID);
    assert_int_equal(a.r.body.len, 0);
    assert_true(hostile_sent(host) - before < 64u << 20);
    http_req_fini(&a.r);
}

static void bad_requests(void **state)
{
    static const char *const urls[] = {"ftp://127.0.0.1/x", "file:///etc/passwd", "http://",
        "http://127.0.0.1:99999/", "gopher://x/", ""};
    struct ask a;

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        prepare(&a, "ok");
        a.r.url = urls[i];
        finish(&a);
        assert_int_equal(a.r.rc, BBT_INVALID);
        assert_false(a.r.sent);
        http_req_fini(&a.r);
    }
}

static void nobody_there(void **state)
{
    struct hostile *gone = hostile_start(0, NULL);
    struct ask a;

    (void)state;
    prepare(&a, "ok");
    snprintf(a.url, sizeof(a.url), "http://127.0.0.1:%u/", hostile_port(gone));
    hostile_stop(gone);
    finish(&a);
    assert_int_equal(a.r.rc, BBT_AGAIN);
    assert_false(a.r.sent);
    http_req_fini(&a.r);
    prepare(&a, "ok");
    a.r.unix_path = "/no/such/socket";
    finish(&a);
    assert_int_equal(a.r.rc, BBT_AGAIN);
    http_req_fini(&a.r);
    prepare(&a, "ok");
    a.r.url = "http://no-such-host.invalid/";
    finish(&a);
    assert_int_equal(a.r.rc, BBT_AGAIN);
    http_req_fini(&a.r);
}

static void timeouts(void **state)
{
    static const char *const names[] = {"hang", "hangbody", "drip"};
    struct ask a;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        prepare(&a, names[i]);
        a.r.timeout_us = 60000;
        finish(&a);
        assert_int_equal(a.r.rc, BBT_AGAIN);
        assert_true(a.r.total_us >= 55000);
        assert_true(a.r.total_us < 10000000);
        assert_true(a.r.sent);
        http_req_fini(&a.r);
    }
}

static void body_in_slices(void **state)
{
    static char big[300000];
    const struct http_slice send[] = {
        {"one", 3}, {NULL, 0}, {big, sizeof(big)}, {"", 0}, {"end", 3}};
    struct ask a;

    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)('a' + i % 26);
    prepare(&a, "echo");
    a.r.method = "POST";
    a.r.response_max = 400000;
    a.r.send = send;
    a.r.send_nr = 5;
    finish(&a);
    assert_int_equal(a.r.rc, BBT_OK);
    assert_int_equal(a.r.body.len, sizeof(big) + 6);
    assert_memory_equal(a.r.body.data, "one", 3);
    assert_memory_equal(a.r.body.data + 3, big, sizeof(big));
    assert_memory_equal(a.r.body.data + 3 + sizeof(big), "end", 3);
    http_req_fini(&a.r);
}

static bool said(const struct ask *a, const char *text)
{
    return memmem(a->r.body.data, a->r.body.len, text, strlen(text)) != NULL;
}

/* What goes over the wire. */
static void request_head(void **state)
{
    static const char *const headers[] = {"Authorization: Bearer s3cret", "X-One: 1", NULL};
    const struct http_slice send = {"abc", 3};
    struct ask a;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not matter */
    prepare(&a, "mirror");
    a.r.method = "POST";
    a.r.headers = headers;
    a.r.send = &send;
    a.r.send_nr = 1;
    finish(&a);
    unsetenv("http_proxy");
    assert_int_equal(a.r.rc, BBT_OK);
    assert_true(said(&a, "POST /v1/mirror HTTP/1.1\r\n"));
    assert_true(said(&a, "Content-Length: 3\r\n"));
    assert_true(said(&a, "Authorization: Bearer s3cret\r\n"));
    assert_true(said(&a, "X-One: 1\r\n"));
    assert_false(said(&a, "Expect"));
    assert_false(said(&a, "Content-Type"));
    assert_false(said(&a, "Transfer-Encoding"));
    assert_false(said(&a, "Accept-Encoding"));
    http_req_fini(&a.r);
    prepare(&a, "mirror");
    a.r.method = "PUT"; /* no body is a body of length 0 */
    finish(&a);
    assert_true(said(&a, "PUT /v1/mirror"));
    assert_true(said(&a, "Content-Length: 0\r\n"));
    http_req_fini(&a.r);
    prepare(&a, "mirror");
    a.r.method = "DELETE";
    finish(&a);
    assert_true(said(&a, "DELETE /v1/mirror"));
    http_req_fini(&a.r);
}

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
        const struct http_slice send = {"again", 5};

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
    static const char *const names[] = {"ok", "echo", "half", "429", "reset", "endless",
        "badstatus", "close"};
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

static void over_unix_socket(void **state)
{
    char path[64];
    struct hostile *h;
    struct ask a;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/t-http-%d.sock", (int)getpid());
    unlink(path);
    h = hostile_start(0, path);
    assert_non_null(h);
    prepare(&a, "ok");
    a.r.url = "http://localhost/v1/ok";
    a.r.unix_path = path;
    finish(&a);
    assert_int_equal(a.r.rc, BBT_OK);
    assert_int_equal(a.r.status, 200);
    http_req_fini(&a.r);
    hostile_stop(h);
}

/* Any single allocation of ours may fail: the request still ends, the client still works. */
static void allocations_fail(void **state)
{
    const struct http_slice send = {"abc", 3};
    unsigned failed = 0, quiet = 0;
    struct http_client *mine = c;
    struct ask a;

    (void)state;
    for (long k = 0; quiet < 3; k++) {
        unsigned long asked;

        assert_int_equal(http_client_new(l, NULL, &c, NULL), BBT_OK);
        prepare(&a, "echo");
        a.r.method = "POST";
        a.r.send = &send;
        a.r.send_nr = 1;
        a.r.timeout_us = 500000;
        bbt_alloc_fault(k, 0);
        http_start(c, &a.r, &a.op);
        UNTIL(l, a.steps > 0);
        asked = bbt_alloc_fault(-1, 0);
        assert_true(a.r.done);
        failed += a.r.rc != BBT_OK;
        if (a.r.rc == BBT_OK)
            assert_memory_equal(a.r.body.data, "abc", 3);
        else
            assert_true(a.r.err.msg[0]);
        quiet = asked <= (unsigned long)k ? quiet + 1 : 0;
        http_req_fini(&a.r);
        get(&a, "ok");
        assert_int_equal(a.r.rc, BBT_OK);
        http_req_fini(&a.r);
        http_client_free(c);
    }
    c = mine;
    assert_true(failed >= 3);
}

static int setup(void **state)
{
    (void)state;
    if (http_global_init(NULL) != BBT_OK || loop_new(&l, NULL) != BBT_OK)
        return -1;
    host = hostile_start(0, NULL);
    return host && http_client_new(l, NULL, &c, NULL) == BBT_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    http_client_free(c);
    loop_free(l);
    hostile_stop(host);
    http_global_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(statuses),
        cmocka_unit_test(classes),
        cmocka_unit_test(huge_is_refused_at_the_head),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(body_in_slices),
        cmocka_unit_test(request_head),
        cmocka_unit_test(connections_are_reused),
        cmocka_unit_test(stale_connection),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(cancel_at_every_stage),
        cmocka_unit_test(free_ends_what_runs),
        cmocka_unit_test(connection_limit),
        cmocka_unit_test(over_unix_socket),
        cmocka_unit_test(allocations_fail),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
