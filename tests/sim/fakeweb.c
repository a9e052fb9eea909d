#include "fakeweb.h"

#include "api.h"
#include "base/alloc.h"
#include "base/json.h"
#include "checks.h"
#include "web/inside.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define STREAM_ROOM_MAX 4096 /* less than the real one: slow readers are to be met with */

/* The server's side of a request; the real struct, so that the real router can fill it. */
struct conn {
    struct web_req r;
    struct ask *a; /* NULL: the client is gone */
    struct conn *next, **at;
    bool lose; /* the answer will not arrive */
    bool reading, ended;
};

static struct conn *conn_of(const struct web_req *r)
{
    return bbt_container(r, struct conn, r);
}

/* ---- the client's end ---- */

void ask_header(struct ask *a, const char *name, const char *value)
{
    assert(a->headers < ASK_HEADERS_MAX);
    a->header[a->headers].name = name;
    (void)snprintf(
        a->header[a->headers].value, sizeof a->header[0].value, "%s", value);
    a->headers++;
}

void ask_send(struct world *w, struct ask *a)
{
    assert(!a->on);
    a->on = true;
    buf_init(&a->answer, 1u << 24);
    if (world_chance(w, w->faults.lost)) {
        a->lost = true;
        world_event_put(w, 1000 + world_draw(w, 200000), WORLD_TOLD, a);
        return;
    }
    world_event_put(w, 50 + world_draw(w, 5000), WORLD_ASK, a);
}

void ask_fini(struct ask *a)
{
    assert(!a->on);
    bbt_free(a->body);
    buf_fini(&a->answer);
    *a = (struct ask){0};
}

static void tell(struct world *w, struct ask *a)
{
    world_event_put(w, 20 + world_draw(w, 3000), WORLD_TOLD, a);
}

void fakeweb_told(struct world *w, void *ptr)
{
    struct ask *a = ptr;

    (void)w;
    a->on = false;
    a->tell(a);
}

/* ---- connections ---- */

static struct conn *conn_new(struct world *w, struct ask *a)
{
    static struct web server; /* only its routes are looked at */
    size_t len = strlen(a->target), room = len + 2;
    struct conn *c;

    bbt_alloc_spare(1);
    c = bbt_calloc(1, sizeof *c);
    assert(c);
    server.routes = api_routes(&server.routes_n);
    c->a = a;
    c->r.w = &server;
    c->r.owned = true;
    c->r.phase = REQ_HELD;
    c->r.path = bbt_calloc(4, room); /* as req.c lays them out */
    assert(c->r.path);
    c->r.parts = c->r.path + room;
    c->r.query = c->r.parts + room;
    memcpy(c->r.path, a->target, len + 1);
    (void)snprintf(c->r.method, sizeof c->r.method, "%s", a->method);
    buf_init(&c->r.body, API_JSON_MAX);
    if (a->body && buf_puts(&c->r.body, a->body) != BBT_OK)
        abort();
    bbt_alloc_spare(0);
    buf_init(&c->r.out, 0);
    c->next = w->conns;
    c->at = &w->conns;
    if (c->next)
        c->next->at = &c->next;
    w->conns = c;
    return c;
}

static void conn_free(struct world *w, struct conn *c)
{
    world_event_drop(w, WORLD_GONE, c);
    world_event_drop(w, WORLD_READ, c);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    buf_fini(&c->r.body);
    buf_fini(&c->r.out);
    bbt_free(c->r.path);
    bbt_free(c);
}

/* The client hears no more of it. */
static void lose(struct world *w, struct conn *c)
{
    struct ask *a = c->a;

    if (!a)
        return;
    c->a = NULL;
    if (w->checks)
        checks_unasked(w->checks, a);
    a->lost = true;
    tell(w, a);
}

void fakeweb_gone(struct world *w, void *ptr)
{
    struct conn *c = ptr;

    c->r.gone = true;
    world_event_drop(w, WORLD_READ, c);
    lose(w, c);
    if (!c->r.owned)
        conn_free(w, c);
    else if (c->r.gone_op)
        op_wake(c->r.gone_op);
}

void ask_cut(struct world *w, struct ask *a)
{
    for (struct conn *c = w->conns; c; c = c->next)
        if (c->a == a) {
            fakeweb_gone(w, c);
            return;
        }
}

void fakeweb_arrive(struct world *w, void *ptr)
{
    struct ask *a = ptr;
    struct bbt_buf allow;
    struct conn *c;
    unsigned status;

    if (!w->daemon) { /* nobody listens */
        a->lost = true;
        tell(w, a);
        return;
    }
    c = conn_new(w, a);
    if (w->checks)
        checks_asked(w->checks, a);
    c->lose = world_chance(w, w->faults.lost);
    if (world_chance(w, w->faults.lost))
        world_event_put(w, world_draw(w, 20000), WORLD_GONE, c);
    if (w->web_quiet) {
        web_problem(&c->r, 503, "unavailable", "Unavailable", "the server is stopping", NULL);
        return;
    }
    buf_init(&allow, 1024);
    status = route_find(&c->r, &allow);
    buf_fini(&allow);
    if (status || c->r.body.len > c->r.route->body_max)
        web_problem(&c->r, status ? status : 413, status == 503 ? "unavailable" : "bad-request",
            "Bad request", "", NULL);
    else
        c->r.route->handler(&c->r, w->daemon);
}

size_t fakeweb_busy(const struct world *w)
{
    size_t n = 0;

    for (const struct conn *c = w->conns; c; c = c->next)
        n++;
    return n;
}

void fakeweb_cut(struct world *w)
{
    while (w->conns) {
        struct conn *c = w->conns;

        if (c->a && c->r.stream && world_draw(w, 2))
            fakeweb_read(w, c); /* it was in the kernel's buffers already */
        c = w->conns;
        if (!c)
            return;
        lose(w, c);
        conn_free(w, c);
    }
}

/* ---- what handlers ask ---- */

const char *web_method(const struct web_req *r)
{
    return r->method;
}

const char *web_path(const struct web_req *r)
{
    return r->path;
}

const char *web_part(const struct web_req *r, size_t i)
{
    return i < r->parts_n ? r->part[i] : "";
}

const char *web_query(const struct web_req *r, const char *name)
{
    for (const char *at = r->query; *at;) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

const char *web_header(const struct web_req *r, const char *name)
{
    const struct ask *a = conn_of(r)->a;

    for (size_t i = 0; a && i < a->headers; i++)
        if (strcasecmp(a->header[i].name, name) == 0)
            return a->header[i].value;
    return NULL;
}

const void *web_body(const struct web_req *r, size_t *ret_len)
{
    *ret_len = r->body.len;
    return r->body.data;
}

int64_t web_peer_uid(const struct web_req *r)
{
    (void)r;
    return 1000;
}

bool web_gone(const struct web_req *r)
{
    return r->gone;
}

/* ---- whole answers ---- */

void web_reply_header(struct web_req *r, const char *name, const char *value)
{
    (void)name;
    (void)value;
    assert(r->owned && r->phase == REQ_HELD);
}

static void answer(struct web_req *r, unsigned status, const void *body, size_t len)
{
    struct world *w = world_now();
    struct conn *c = conn_of(r);

    assert(r->owned && r->phase == REQ_HELD); /* each request is answered once */
    if (w->mutant == MUTANT_FORGET_REPLY && world_draw(w, 10) == 0) {
        c->a = NULL;
        conn_free(w, c);
        return;
    }
    if (c->a && w->checks)
        checks_told(w->checks, c->a, status, body, len);
    if (c->a && c->lose) {
        lose(w, c);
    } else if (c->a) {
        c->a->status = status;
        bbt_alloc_spare(1);
        if (buf_put(&c->a->answer, body, len) != BBT_OK)
            abort();
        bbt_alloc_spare(0);
        if (c->a->answered)
            c->a->answered(c->a);
        tell(w, c->a);
    }
    conn_free(w, c);
}

void web_reply(
    struct web_req *r, unsigned status, const char *type, const void *body, size_t len)
{
    (void)type;
    answer(r, status, body ? body : "", len);
}

void web_reply_take(
    struct web_req *r, unsigned status, const char *type, struct bbt_buf *b)
{
    web_reply(r, status, type, b->data, b->len);
    buf_fini(b);
}

void web_problem(struct web_req *r, unsigned status, const char *urn, const char *title,
    const char *detail, const char *extra)
{
    json_t *v, *more = NULL;
    char *text;

    bbt_alloc_spare(1);
    v = json_pack("{s:s, s:s, s:i, s:o}", "type", urn, "title", title, "status", (int)status,
        "detail", json_clean(detail));
    if (extra && json_parse(extra, strlen(extra), "extra", &more, NULL) == BBT_OK)
        (void)json_object_update_missing(v, more);
    json_decref(more);
    text = v ? json_print(v) : NULL;
    bbt_alloc_spare(0);
    assert(text);
    answer(r, status, text, strlen(text));
    bbt_free(text);
    json_decref(v);
}

/* ---- streams ---- */

static void read_on(struct world *w, struct conn *c)
{
    if (c->reading || !c->a)
        return;
    c->reading = true;
    world_event_put(w,
        world_chance(w, w->faults.slow) ? world_draw(w, 20000000) : 50 + world_draw(w, 20000),
        WORLD_READ, c);
}

void web_stream_start(
    struct web_req *r, unsigned status, const char *type, size_t room, struct op *gone)
{
    struct conn *c = conn_of(r);

    (void)type;
    assert(r->owned && !r->stream && r->phase == REQ_HELD);
    r->stream = true;
    r->gone_op = gone;
    r->phase = REQ_SENDING;
    buf_init(&r->out, room < STREAM_ROOM_MAX ? room : STREAM_ROOM_MAX);
    if (c->a)
        c->a->status = status;
    if (r->gone && gone)
        op_wake(gone);
}

enum bbt_rc web_stream_put(struct web_req *r, const void *bytes, size_t len)
{
    struct world *w = world_now();
    struct conn *c = conn_of(r);

    assert(r->owned && r->stream);
    if (r->gone)
        return BBT_CANCELED;
    if (len > r->out.max)
        return BBT_INVALID;
    if (buf_put(&r->out, bytes, len) != BBT_OK) {
        r->stream_full = true;
        return BBT_AGAIN;
    }
    if (w->checks)
        checks_frame(w->checks, bytes, len);
    read_on(w, c);
    return BBT_OK;
}

void web_stream_end(struct web_req *r)
{
    struct world *w = world_now();
    struct conn *c = conn_of(r);

    assert(r->owned && r->stream);
    r->owned = false;
    r->gone_op = NULL;
    c->ended = true;
    if (c->a)
        read_on(w, c);
    else
        conn_free(w, c);
}

void fakeweb_read(struct world *w, void *ptr)
{
    struct conn *c = ptr;
    struct ask *a = c->a;

    c->reading = false;
    bbt_alloc_spare(1);
    if (buf_put(&a->answer, c->r.out.data, c->r.out.len) != BBT_OK)
        abort();
    bbt_alloc_spare(0);
    c->r.out.len = 0;
    if (c->r.stream_full && c->r.gone_op) {
        c->r.stream_full = false;
        op_wake(c->r.gone_op);
    }
    if (a->stream)
        a->stream(a);
    if (!c->ended)
        return;
    if (w->checks)
        checks_unasked(w->checks, a);
    tell(w, a);
    conn_free(w, c);
}
