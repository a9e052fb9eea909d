/* The client against a server that misbehaves: every ending is told once, with its
 * class. */
#include "ask.h"

#include <unistd.h>

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
    static const char *const urls[] = {"ftp://127.0.0.1/x", "file:///etc/passwd",
        "http://", "http://127.0.0.1:99999/", "gopher://x/", ""};
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
    const struct bbt_slice send[] = {
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

/* What goes over the wire. */
static void request_head(void **state)
{
    static const char *const headers[] = {
        "Authorization: Bearer s3cret", "X-One: 1", NULL};
    const struct bbt_slice send = {"abc", 3};
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
        cmocka_unit_test(over_unix_socket),
    };

    return cmocka_run_group_tests(tests, ask_setup, ask_teardown);
}
