/* req.c -- a request's life between libmicrohttpd and a handler (picture: inside.h). */
#include "base/alloc.h"
#include "loop/loop.h"
#include "web/inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* --- connections --- */

static void wake_gone(struct web_req *r)
{
    if (r->gone)
        return;
    r->gone = true;
    if (r->owned && r->gone_op)
        op_wake(r->gone_op);
}

/* The client closed while its connection was suspended, where libmicrohttpd is blind.
 */
static void on_watch(uv_poll_t *h, int status, int events)
{
    struct web_conn *c = h->data;

    (void)status;
    (void)events;
    uv_poll_stop(h); /* the condition stays: once is enough */
    if (!c->r)
        return;
    wake_gone(c->r);
    if (c->r->phase == REQ_SENDING && c->r->suspended)
        req_resume_soon(c->r); /* its reader ends it */
}

static void on_watch_closed(uv_handle_t *h)
{
    bbt_free(h->data);
}

static int64_t peer_uid(int fd)
{
    struct ucred cred;
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) || addr.ss_family != AF_UNIX)
        return -1;
    len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return -1;
    return cred.uid;
}

static struct web_conn *conn_new(struct web *w, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct web_conn *c = bbt_calloc(1, sizeof(*c));

    if (!c || !info || uv_poll_init(loop_uv(w->loop), &c->watch, info->connect_fd)) {
        bbt_free(c);
        return NULL;
    }
    c->w = w;
    c->fd = info->connect_fd;
    c->watch.data = c;
    c->uid = peer_uid(c->fd);
    c->since_us = loop_now_us(w->loop);
    c->next = w->conns;
    c->at = &w->conns;
    if (c->next)
        c->next->at = &c->next;
    w->conns = c;
    return c;
}

void req_on_connection(void *cls, struct MHD_Connection *mhd, void **ctx,
    enum MHD_ConnectionNotificationCode what)
{
    struct web *w = ((struct web_sock *)cls)->w;
    struct web_conn *c = *ctx;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *ctx = conn_new(w, mhd);
        if (w->conns && !w->sweep.running)
            op_wake(&w->op); /* starts the sweep */
        return;
    }
    if (!c)
        return;
    *ctx = NULL;
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    uv_close(
        (uv_handle_t *)&c->watch, on_watch_closed); /* before the descriptor goes */
    /* At its connection limit libmicrohttpd stops listening, and starts again only in a
     * run after the one that closed a connection. */
    ((struct web_sock *)cls)->ready = true;
    op_wake(&w->op);
}

/* --- suspend, resume --- */

void req_suspend(struct web_req *r)
{
    assert(!r->suspended);
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
    uv_poll_start(&r->conn->watch, UV_DISCONNECT, on_watch);
}

void req_resume(struct web_req *r)
{
    assert(r->suspended);
    r->suspended = false;
    uv_poll_stop(&r->conn->watch);
    MHD_resume_connection(r->mhd);
    r->sock->ready = true; /* a resumed connection moves only in the next run */
}

void req_resume_soon(struct web_req *r)
{
    if (r->linked || !r->suspended)
        return;
    web_list_put(&r->w->resume, r);
    op_wake(&r->w->op);
}

/* --- requests --- */

struct web_req *req_new(struct web *w, const char *uri)
{
    size_t len = strlen(uri), room = len + 2;
    struct web_req *r = bbt_calloc(1, sizeof(*r) + 4 * room);

    if (!r)
        return NULL;
    r->w = w;
    r->path = (char *)(r + 1);
    r->parts = r->path + room;
    r->query = r->parts + room; /* twice the room: see route.c */
    memcpy(r->path, uri, len + 1);
    buf_init(&r->body, 0);
    buf_init(&r->headers, WEB_HEADERS_MAX);
    buf_init(&r->out, 0);
    return r;
}

void *req_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct web_sock *s = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct web_req *r;

    if (!info || !info->socket_context)
        return NULL;
    r = req_new(s->w, uri);
    if (!r)
        return NULL;
    r->sock = s;
    r->conn = info->socket_context;
    r->mhd = mhd;
    r->conn->r = r;
    r->w->busy++;
    return r;
}

void req_free(struct web_req *r)
{
    assert(!r->linked);
    if (r->resp)
        MHD_destroy_response(r->resp);
    buf_fini(&r->body);
    buf_fini(&r->headers);
    buf_fini(&r->out);
    bbt_free(r);
}

void req_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
    enum MHD_RequestTerminationCode why)
{
    struct web_req *r = *con_cls;
    struct web *w = ((struct web_sock *)cls)->w;

    (void)mhd;
    (void)why;
    *con_cls = NULL;
    if (!r)
        return;
    r->conn->r = NULL;
    r->conn->since_us = loop_now_us(w->loop);
    r->conn = NULL;
    r->mhd = NULL;
    if (--w->busy == 0 && w->idle)
        op_wake(w->idle);
    wake_gone(r);
    if (w->closing)
        r->w = NULL;
    if (!r->owned)
        req_free(r);
}

static enum MHD_Result send_answer(struct web_req *r)
{
    enum MHD_Result ok = MHD_NO;

    r->phase = REQ_SENDING;
    if (r->resp) {
        ok = MHD_queue_response(r->mhd, r->status, r->resp);
        MHD_destroy_response(r->resp); /* libmicrohttpd holds its own reference */
        r->resp = NULL;
    }
    return ok;
}

static void refuse(struct web_req *r, unsigned status, struct bbt_buf *allow)
{
    const char *urn = "bad-request", *title = "Bad request";
    const char *detail = "the request target is not well-formed";

    if (status == 404) {
        urn = "no-such-path", title = "Not found", detail = "no such path";
    } else if (status == 405) {
        urn = "method-not-allowed", title = "Method not allowed";
        detail = "this path does not have this method";
        if (allow->data)
            web_reply_header(r, "Allow", (const char *)allow->data);
    } else if (status == 413) {
        urn = "body-too-large", title = "Content too large";
        detail = "the request body is larger than this path takes";
    } else if (status == 503) {
        urn = "unavailable", title = "Unavailable";
        detail = "the server is stopping or short of memory";
        web_reply_header(r, "Retry-After", "1");
    }
    r->refused = true;
    reply_problem(r, status, urn, title, detail, NULL);
}

static uint64_t announced(struct web_req *r)
{
    const char *v = MHD_lookup_connection_value(
        r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return v ? strtoull(v, NULL, 10) : 0;
}

/* The head is in. A refusal is sent after the body was read and dropped, so that the
 * client gets to see it and the connection stays; a huge body is not waited for. */
static enum MHD_Result begin(struct web_req *r, const char *method)
{
    struct bbt_buf allow;
    unsigned status = r->w->quiet ? 503 : 0;
    uint64_t len = announced(r);
    enum MHD_Result ok = MHD_YES;

    buf_init(&allow, 1024);
    r->phase = REQ_BODY;
    if (!status && strlen(method) >= sizeof(r->method))
        status = 405;
    memcpy(r->method, method, strnlen(method, sizeof(r->method) - 1));
    if (!status)
        status = route_find(r, &allow);
    if (!status && len > r->route->body_max)
        status = 413;
    if (status) {
        refuse(r, status, &allow);
        if (len > WEB_DISCARD_MAX)
            ok = send_answer(r);
    } else {
        r->body.max = r->route->body_max;
    }
    buf_fini(&allow);
    return ok;
}

static enum MHD_Result take_body(struct web_req *r, const char *data, size_t *size)
{
    size_t n = *size;

    *size = 0;
    if (!r->refused) {
        enum bbt_rc rc = buf_put(&r->body, data, n);

        if (rc == BBT_OK)
            return MHD_YES;
        buf_fini(&r->body);
        refuse(r, rc == BBT_NOMEM ? 503 : 413, NULL);
    }
    r->discarded += n;
    return r->discarded <= WEB_DISCARD_MAX ? MHD_YES : MHD_NO;
}

enum MHD_Result req_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **con_cls)
{
    struct web *w = ((struct web_sock *)cls)->w;
    struct web_req *r = *con_cls;

    (void)mhd;
    (void)url;
    (void)version;
    if (!r || w->closing)
        return MHD_NO;
    switch (r->phase) {
    case REQ_HEAD:
        return begin(r, method);
    case REQ_BODY:
        if (*size)
            return take_body(r, data, size);
        if (r->refused)
            return send_answer(r);
        r->phase = REQ_HELD;
        req_suspend(r);
        web_list_put(&w->ready, r);
        op_wake(&w->op);
        return MHD_YES;
    case REQ_ANSWERED:
        return send_answer(r);
    case REQ_HELD:
    case REQ_SENDING:
        break;
    }
    return MHD_YES;
}

/* --- what handlers ask --- */

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
    const char *at = r->query;

    while (*at) {
        const char *value = at + strlen(at) + 1;

        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

const char *web_header(const struct web_req *r, const char *name)
{
    return r->mhd ? MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name) : NULL;
}

const void *web_body(const struct web_req *r, size_t *ret_len)
{
    *ret_len = r->body.len;
    return r->body.data;
}

int64_t web_peer_uid(const struct web_req *r)
{
    return r->conn ? r->conn->uid : -1;
}

bool web_gone(const struct web_req *r)
{
    return r->gone;
}
