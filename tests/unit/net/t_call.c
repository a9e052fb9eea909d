/* The blocking call of the command line tool. */
#include "net/call.h"

#include "hostile.h"
#include "net/http.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

static struct hostile *host;
static char url[96], path[64];

static struct call to(const char *name)
{
    snprintf(url, sizeof(url), "http://localhost/v1/%s", name);
    return (struct call){
        .method = "GET", .url = url, .unix_path = path, .timeout_ms = 20000};
}

static void over_unix_socket(void **state)
{
    struct call c = to("echo");
    struct bbt_buf body;
    struct bbt_err err;
    unsigned status = 0;

    (void)state;
    buf_init(&body, 0);
    c.method = "POST";
    c.body = "hello";
    c.body_len = 5;
    assert_int_equal(call_run(&c, &status, &body, &err), BBT_OK);
    assert_int_equal(status, 200);
    assert_int_equal(body.len, 5);
    assert_memory_equal(body.data, "hello", 5);
    c = to("429");
    assert_int_equal(
        call_run(&c, &status, &body, &err), BBT_OK); /* replaces the body */
    assert_int_equal(status, 429);
    assert_non_null(memmem(body.data, body.len, "slow down", 9));
    buf_fini(&body);
}

static void over_tcp(void **state)
{
    struct hostile *h = hostile_start(0, NULL);
    struct call c = {.method = "GET", .url = url, .timeout_ms = 20000};
    unsigned status = 0;

    (void)state;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/ok", hostile_port(h));
    assert_int_equal(call_run(&c, &status, NULL, NULL), BBT_OK);
    assert_int_equal(status, 200);
    hostile_stop(h);
    assert_int_equal(call_run(&c, &status, NULL, NULL), BBT_AGAIN);
}

static void failures(void **state)
{
    struct call c = to("ok");
    struct bbt_err err;
    unsigned status = 77;

    (void)state;
    c.unix_path = "/tmp/t-call-nobody-here.sock";
    assert_int_equal(call_run(&c, &status, NULL, &err), BBT_NOTFOUND);
    assert_non_null(strstr(err.msg, "t-call-nobody-here"));
    c = to("half");
    assert_int_equal(call_run(&c, &status, NULL, &err), BBT_AGAIN);
    c = to("hang");
    c.timeout_ms = 50;
    assert_int_equal(call_run(&c, &status, NULL, &err), BBT_AGAIN);
    c = to("endless");
    c.response_max = 5000;
    assert_int_equal(call_run(&c, &status, NULL, &err), BBT_INVALID);
    c = to("badstatus");
    assert_int_equal(call_run(&c, &status, NULL, &err), BBT_INVALID);
    assert_int_equal(status, 77); /* written on success only */
}

static char lines[256];

static bool keep_line(void *arg, const char *line, size_t len)
{
    unsigned *stop_after = arg;
    size_t have = strlen(lines);

    assert_int_equal(strlen(line), len);
    snprintf(lines + have, sizeof(lines) - have, "%s|", line);
    return --*stop_after > 0;
}

static void line_by_line(void **state)
{
    struct call c = to("lines");
    unsigned status = 0, stop_after = 100;
    struct bbt_err err;

    (void)state;
    lines[0] = '\0';
    assert_int_equal(
        call_lines(&c, keep_line, &stop_after, &status, NULL, &err), BBT_OK);
    assert_int_equal(status, 200);
    assert_string_equal(lines, "one|tw|o||last.|");
    lines[0] = '\0';
    stop_after = 2;
    assert_int_equal(
        call_lines(&c, keep_line, &stop_after, &status, NULL, &err), BBT_CANCELED);
    assert_string_equal(lines, "one|tw|");
    c = to("endless"); /* one line without end */
    stop_after = 100;
    assert_int_equal(
        call_lines(&c, keep_line, &stop_after, &status, NULL, &err), BBT_INVALID);
}

/* An error's body is not a stream: it goes to the caller's buffer. */
static void errors_are_not_streamed(void **state)
{
    struct call c = to("500");
    unsigned status = 0, stop_after = 100;
    struct bbt_buf body;

    (void)state;
    buf_init(&body, 0);
    lines[0] = '\0';
    assert_int_equal(
        call_lines(&c, keep_line, &stop_after, &status, &body, NULL), BBT_OK);
    assert_int_equal(status, 500);
    assert_int_equal(body.len, 5);
    assert_string_equal(lines, "");
    buf_fini(&body);
}

static bool count_bytes(void *arg, const void *bytes, size_t len)
{
    size_t *n = arg;

    assert_non_null(bytes);
    *n += len;
    return *n < (size_t)8 << 20;
}

/* More than any cap of ours passes through; the reader says when it is enough. */
static void long_download(void **state)
{
    struct call c = to("huge");
    unsigned status = 0;
    size_t n = 0;

    (void)state;
    assert_int_equal(
        call_bytes(&c, count_bytes, &n, &status, NULL, NULL), BBT_CANCELED);
    assert_true(n >= (size_t)8 << 20);
}

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/t-call-%d.sock", (int)getpid());
    unlink(path);
    host = hostile_start(0, path);
    return host && http_global_init(NULL) == BBT_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hostile_stop(host);
    http_global_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_unix_socket),
        cmocka_unit_test(over_tcp),
        cmocka_unit_test(failures),
        cmocka_unit_test(line_by_line),
        cmocka_unit_test(errors_are_not_streamed),
        cmocka_unit_test(long_download),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
