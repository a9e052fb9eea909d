/* The rules every exchange obeys: looking up headers, what curl's results mean. */
#include "net/exchange.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static void headers(void **state)
{
    static const char bytes[] = "Retry-After\0001\0Empty\0\0X\0a: b\0retry-after\0002";
    struct bbt_buf head;

    (void)state;
    buf_init(&head, 1000);
    assert_null(exchange_header(&head, "X"));
    assert_int_equal(buf_put(&head, bytes, sizeof(bytes)), BBT_OK);
    assert_string_equal(exchange_header(&head, "RETRY-AFTER"), "2"); /* the last one */
    assert_string_equal(exchange_header(&head, "empty"), "");
    assert_string_equal(exchange_header(&head, "x"), "a: b");
    assert_null(exchange_header(&head, "a: b")); /* a value is not a name */
    assert_null(exchange_header(&head, "Retry"));
    assert_string_equal(exchange_header(&head, "retry*"), "2");
    assert_null(exchange_header(&head, "retry-after-*"));
    buf_fini(&head);
}

static void classes(void **state)
{
    static const struct {
        CURLcode code;
        enum bbt_rc rc;
    } want[] = {
        {CURLE_OK, BBT_OK},
        {CURLE_COULDNT_CONNECT, BBT_AGAIN},
        {CURLE_COULDNT_RESOLVE_HOST, BBT_AGAIN},
        {CURLE_OPERATION_TIMEDOUT, BBT_AGAIN},
        {CURLE_PARTIAL_FILE, BBT_AGAIN},
        {CURLE_GOT_NOTHING, BBT_AGAIN},
        {CURLE_SSL_CONNECT_ERROR, BBT_AGAIN},
        {CURLE_FILESIZE_EXCEEDED, BBT_INVALID},
        {CURLE_URL_MALFORMAT, BBT_INVALID},
        {CURLE_UNSUPPORTED_PROTOCOL, BBT_INVALID},
        {CURLE_PEER_FAILED_VERIFICATION, BBT_DENIED},
        {CURLE_SSL_CACERT_BADFILE, BBT_DENIED},
        {CURLE_OUT_OF_MEMORY, BBT_NOMEM},
    };
    struct bbt_buf head, body;
    struct exchange x = {.head = &head, .body = &body};
    struct bbt_err err;

    (void)state;
    buf_init(&head, 10);
    buf_init(&body, 10);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        err = (struct bbt_err){0};
        assert_int_equal(exchange_result(&x, want[i].code, &err), want[i].rc);
        assert_int_equal(err.rc, want[i].rc);
        assert_int_equal(err.msg[0] != '\0', want[i].rc != BBT_OK);
    }
    /* in the middle of a head, "out of memory" is curl's word for a line too long for
     * it */
    x.head_seen = true;
    assert_int_equal(exchange_result(&x, CURLE_OUT_OF_MEMORY, &err), BBT_INVALID);
}

/* Lengths are added with care, before anything is sent. */
static void lengths_that_do_not_add_up(void **state)
{
    const struct bbt_slice send[] = {{"x", SIZE_MAX}, {"x", 1}};
    struct bbt_buf head, body;
    struct exchange x = {.method = "POST",
        .url = "http://h/",
        .head = &head,
        .body = &body,
        .send = send,
        .send_nr = 2};

    (void)state;
    buf_init(&head, 10);
    buf_init(&body, 10);
    assert_int_equal(exchange_open(&x, NULL), BBT_INVALID);
    x.send_nr = 1; /* fits 64 bits, but not a signed length */
    assert_int_equal(exchange_open(&x, NULL), BBT_INVALID);
    x.send_nr = 0;
    assert_int_equal(exchange_open(&x, NULL), BBT_OK);
    exchange_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(classes),
        cmocka_unit_test(lengths_that_do_not_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
