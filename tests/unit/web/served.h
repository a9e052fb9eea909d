/* served.h -- a server with a few handlers and a raw client, for its tests. */
#ifndef UNIT_SERVED_H
#define UNIT_SERVED_H

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
#include <setjmp.h>
#include <cmocka.h>

#define HELD_MAX 64

static struct {
    struct web_req *held[HELD_MAX];
    unsigned n, calls;
    char seen[512]; /* what the last handler saw */
    int64_t uid;
} got;

static inline void on_echo(struct web_req *r, void *arg)
{
    size_t n;
    const void *p = web_body(r, &n);

    (void)arg;
    got.calls++;
    web_reply(r, 200, "application/octet-stream", p, n);
}

static inline void on_parts(struct web_req *r, void *arg)
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

static inline void on_pause(struct web_req *r, void *arg)
{
    got.calls++;
    snprintf(got.seen, sizeof(got.seen), "pause %s", web_part(r, 0));
    (void)arg;
    web_reply(r, 204, NULL, NULL, 0);
}

static inline void on_hold(struct web_req *r, void *arg)
{
    (void)arg;
    got.calls++;
    assert_true(got.n < HELD_MAX);
    got.held[got.n++] = r;
}

static inline void on_problem(struct web_req *r, void *arg)
{
    (void)arg;
    web_problem(
        r, 409, "wrong-state", "Wrong state", "say \"no\"", "{\"retry_after\": 3}");
}

static inline void on_big(struct web_req *r, void *arg)
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

static inline struct fix open_opts(const struct web_opts *o)
{
    struct fix f;

    memset(&got, 0, sizeof(got));
    assert_int_equal(loop_new(&f.l, NULL), BBT_OK);
    assert_int_equal(web_new(f.l, o, routes, sizeof(routes) / sizeof(routes[0]),
                         (void *)(uintptr_t) "arg", &f.w, NULL),
        BBT_OK);
    assert_int_equal(web_listen_tcp(f.w, "127.0.0.1", 0, &f.port, NULL), BBT_OK);
    assert_int_not_equal(f.port, 0);
    assert_true(wire_tcp(&f.c, f.port));
    return f;
}

static inline struct fix open_web(void)
{
    return open_opts(NULL);
}

static inline void close_web(struct fix *f)
{
    wire_close(&f->c);
    web_free(f->w);
    loop_free(f->l);
}

/* Sends and waits for `want`. */
static inline void ask(struct fix *f, const char *say, const char *want)
{
    assert_true(wire_say(&f->c, say));
    UNTIL(f->l, wire_has(&f->c, want) || wire_ended(&f->c));
    assert_true(wire_has(&f->c, want));
}

static inline void forget(struct fix *f)
{
    buf_fini(&f->c.in);
}

#define H " HTTP/1.1\r\nHost: x\r\n"

#endif
