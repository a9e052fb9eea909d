#include "net/call.h"

#include "net/exchange.h"
#include "net/http.h"

#include <errno.h>
#include <string.h>

#define RESPONSE_MAX ((size_t)64 << 20)
#define LINE_MAX_BYTES ((size_t)1 << 20)

enum bbt_rc call_init(struct bbt_err *err)
{
    return http_global_init(err);
}

/* Nobody behind a unix socket is its own answer: "is bbtd running?" */
static enum bbt_rc no_server(struct exchange *x, struct bbt_err *err)
{
    long e = 0;

    curl_easy_getinfo(x->h, CURLINFO_OS_ERRNO, &e);
    if (e == EACCES || e == EPERM)
        return bbt_fail(
            err, BBT_DENIED, "no permission to connect to %s", x->unix_path);
    return bbt_fail(err, BBT_NOTFOUND, "nobody listens on %s", x->unix_path);
}

static enum bbt_rc perform(const struct call *c, call_bytes_fn *sink, void *arg,
    unsigned *ret_status, struct bbt_buf *body, struct bbt_err *err)
{
    struct bbt_slice send = {c->body, c->body_len};
    struct bbt_buf head;
    struct exchange x = {.method = c->method,
        .url = c->url,
        .unix_path = c->unix_path,
        .headers = c->headers,
        .send = &send,
        .send_nr = c->body_len ? 1 : 0,
        .timeout_ms = (long)c->timeout_ms,
        .connect_timeout_ms =
            c->connect_timeout_ms ? (long)c->connect_timeout_ms : 5000,
        .agent = "bbtctl/" BBT_VERSION,
        .head = &head,
        .body = body,
        .sink = sink,
        .sink_arg = arg};
    enum bbt_rc rc;

    buf_init(&head, EXCHANGE_HEAD_MAX);
    rc = exchange_open(&x, err);
    if (rc == BBT_OK) {
        CURLcode e = curl_easy_perform(x.h);

        if (e == CURLE_COULDNT_CONNECT && c->unix_path)
            rc = no_server(&x, err);
        else
            rc = exchange_result(&x, e, err);
        if (rc == BBT_OK)
            *ret_status = exchange_status(&x);
    }
    exchange_close(&x);
    buf_fini(&head);
    return rc;
}

enum bbt_rc call_bytes(const struct call *c, call_bytes_fn *on_bytes, void *arg,
    unsigned *ret_status, struct bbt_buf *ret, struct bbt_err *err)
{
    struct bbt_buf body;
    enum bbt_rc rc;

    buf_init(&body, c->response_max ? c->response_max : RESPONSE_MAX);
    rc = perform(c, on_bytes, arg, ret_status, &body, err);
    if (rc == BBT_OK && ret) {
        buf_fini(ret);
        *ret = body;
        return rc;
    }
    buf_fini(&body);
    return rc;
}

enum bbt_rc call_run(const struct call *c, unsigned *ret_status, struct bbt_buf *ret,
    struct bbt_err *err)
{
    return call_bytes(c, NULL, NULL, ret_status, ret, err);
}

struct splitter {
    call_line_fn *on_line;
    void *arg;
    struct bbt_buf rest; /* of a line whose end did not come yet */
    enum bbt_rc rc;
};

static bool give_line(struct splitter *s)
{
    size_t n = s->rest.len;

    if (n && s->rest.data[n - 1] == '\r')
        s->rest.data[--n] = '\0';
    s->rest.len = 0;
    if (s->on_line(s->arg, n ? (const char *)s->rest.data : "", n))
        return true;
    s->rc = BBT_CANCELED;
    return false;
}

static bool on_piece(void *arg, const void *bytes, size_t len)
{
    struct splitter *s = arg;
    const char *at = bytes, *end = at + len;

    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));

        s->rc = buf_put(&s->rest, at, (size_t)((nl ? nl : end) - at));
        if (s->rc != BBT_OK || (nl && !give_line(s)))
            return false;
        at = nl ? nl + 1 : end;
    }
    return true;
}

enum bbt_rc call_lines(const struct call *c, call_line_fn *on_line, void *arg,
    unsigned *ret_status, struct bbt_buf *ret, struct bbt_err *err)
{
    struct splitter s = {.on_line = on_line, .arg = arg};
    enum bbt_rc rc;

    buf_init(&s.rest, LINE_MAX_BYTES);
    rc = call_bytes(c, on_piece, &s, ret_status, ret, err);
    if (rc == BBT_CANCELED && s.rc != BBT_OK && s.rc != BBT_CANCELED)
        rc = bbt_fail(
            err, s.rc, "a line of the stream is too long or there is no memory");
    if (rc == BBT_OK && s.rest.len && !give_line(&s))
        rc = bbt_fail(err, BBT_CANCELED, "stopped by the reader");
    buf_fini(&s.rest);
    return rc;
}
