/* web.c -- the server: sockets into the loop, requests out to handlers. */
#include "web/web.h"

#include "base/alloc.h"
#include "loop/loop.h"
#include "web/inside.h"
#include "web/listen.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 256
#define HEAD_DEFAULT ((size_t)32 << 10)
#define REQUEST_DEFAULT_US 60000000u
#define IDLE_DEFAULT_US 60000000u
#define HANDLERS_PER_STEP 32

static void list_init(struct req_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

void web_list_put(struct req_list *list, struct web_req *r)
{
    assert(!r->linked);
    r->linked = true;
    r->next = NULL;
    *list->tail = r;
    list->tail = &r->next;
}

struct web_req *web_list_take(struct req_list *list)
{
    struct web_req *r = list->head;

    if (!r)
        return NULL;
    list->head = r->next;
    if (!list->head)
        list->tail = &list->head;
    r->linked = false;
    return r;
}

/* --- driving libmicrohttpd --- */

static void run_sock(struct web_sock *s)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    s->ready = false;
    MHD_run(s->d);
    timer_stop(&s->timer);
    if (MHD_get_timeout(s->d, &wait_ms) != MHD_YES)
        return;
    if (wait_ms == 0) {
        s->ready = true;
        op_wake(&s->w->op);
    } else {
        timer_start(&s->timer, wait_ms * 1000);
    }
}

static void run_ready(struct web *w)
{
    for (struct web_sock *s = w->socks; s; s = s->next)
        if (s->ready || s->timer.fired)
            run_sock(s);
}

static void hand_out(struct web *w)
{
    struct web_req *r;

    for (int n = 0; n < HANDLERS_PER_STEP && (r = web_list_take(&w->ready)); n++) {
        r->owned = true;
        r->route->handler(r, w->arg);
    }
    if (w->ready.head)
        op_wake(&w->op);
}

static void resume_answered(struct web *w)
{
    struct web_req *r;

    while ((r = web_list_take(&w->resume)))
        req_resume(r);
}

/* Ends connections that do not bring their request in time: slow heads, slow bodies,
 * long rests. libmicrohttpd's own limit knows only silence. */
static void sweep(struct web *w)
{
    uint64_t now = loop_now_us(w->loop), step = w->opts.request_us / 8;

    for (struct web_conn *c = w->conns; c; c = c->next) {
        bool waits = !c->r || c->r->phase <= REQ_BODY;

        if (waits && now - c->since_us >= w->opts.request_us)
            shutdown(c->fd, SHUT_RDWR);
    }
    if (w->conns)
        timer_start(&w->sweep, step < 1000 ? 1000 : step > 5000000 ? 5000000 : step);
}

static void web_step(struct op *op)
{
    struct web *w = bbt_container(op, struct web, op);

    run_ready(w);
    hand_out(w);
    resume_answered(w);
    run_ready(w); /* answers leave in the turn in which they were given */
    if (w->sweep.fired || (w->conns && !w->sweep.running)) {
        w->sweep.fired = false;
        sweep(w);
    }
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct web_sock *s = h->data;

    (void)status;
    (void)events;
    s->ready = true;
    op_wake(&s->w->op);
}

/* --- sockets --- */

static void on_sock_closed(uv_handle_t *h)
{
    struct web_sock *s = h->data;

    bbt_free(s->path);
    bbt_free(s);
}

/* It tells about every client that left; nobody needs that line. */
static void no_log(void *cls, const char *fmt, va_list ap)
{
    (void)cls;
    (void)fmt;
    (void)ap;
}

static struct MHD_Daemon *start_daemon(struct web_sock *s, int fd)
{
    const struct web_opts *o = &s->w->opts;

    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        req_on_access, s, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, o->connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->head_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((o->idle_us + 999999) / 1000000), MHD_OPTION_URI_LOG_CALLBACK,
        req_on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, req_on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, req_on_connection, s, MHD_OPTION_END);
}

/* Takes `fd`, also where it fails. */
static enum bbt_rc add_sock(
    struct web *w, int fd, struct web_sock **ret, struct bbt_err *err)
{
    struct web_sock *s = bbt_calloc(1, sizeof(*s));
    const union MHD_DaemonInfo *info;

    if (!s) {
        close(fd);
        return bbt_fail(err, BBT_NOMEM, "no memory for a listening socket");
    }
    s->w = w;
    s->d = start_daemon(s, fd);
    if (!s->d) {
        close(fd);
        bbt_free(s);
        return bbt_fail(err, BBT_IO, "cannot start the HTTP server");
    }
    info = MHD_get_daemon_info(s->d, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || uv_poll_init(loop_uv(w->loop), &s->poll, info->epoll_fd)) {
        MHD_stop_daemon(s->d);
        bbt_free(s);
        return bbt_fail(err, BBT_IO, "cannot watch the HTTP server");
    }
    s->poll.data = s;
    timer_init(&s->timer, w->loop, &w->op);
    uv_poll_start(&s->poll, UV_READABLE, on_poll);
    s->next = w->socks;
    w->socks = s;
    s->ready = true;
    op_wake(&w->op);
    *ret = s;
    return BBT_OK;
}

enum bbt_rc web_listen_unix(
    struct web *w, const char *path, unsigned mode, struct bbt_err *err)
{
    struct web_sock *s;
    struct stat st;
    enum bbt_rc rc;
    int fd = -1;

    rc = listen_unix(path, mode, &fd, err);
    if (rc == BBT_OK)
        rc = add_sock(w, fd, &s, err);
    if (rc != BBT_OK)
        return rc;
    if (lstat(path, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
        s->path = bbt_strdup(path); /* without memory the file just stays behind */
    }
    return BBT_OK;
}

enum bbt_rc web_listen_tcp(struct web *w, const char *host, uint16_t port,
    uint16_t *ret_port, struct bbt_err *err)
{
    struct web_sock *s;
    enum bbt_rc rc;
    int fd = -1;

    rc = listen_tcp(host, port, &fd, ret_port, err);
    return rc == BBT_OK ? add_sock(w, fd, &s, err) : rc;
}

enum bbt_rc web_listen_fd(struct web *w, int fd, struct bbt_err *err)
{
    struct web_sock *s;
    int on = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof(on);

    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) || !on)
        return bbt_fail(
            err, BBT_INVALID, "descriptor %d is not a listening socket", fd);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return add_sock(w, fd, &s, err);
}

/* --- life --- */

enum bbt_rc web_new(struct loop *l, const struct web_opts *opts,
    const struct web_route *routes, size_t n, void *arg, struct web **ret,
    struct bbt_err *err)
{
    struct web *w;

    for (size_t i = 0; i < n; i++) {
        enum bbt_rc rc = route_check(&routes[i], err);

        if (rc != BBT_OK)
            return rc;
    }
    w = bbt_calloc(1, sizeof(*w));
    if (!w)
        return bbt_fail(err, BBT_NOMEM, "no memory for the HTTP server");
    w->loop = l;
    if (opts)
        w->opts = *opts;
    if (!w->opts.connections_max)
        w->opts.connections_max = CONNECTIONS_DEFAULT;
    if (!w->opts.head_max)
        w->opts.head_max = HEAD_DEFAULT;
    if (!w->opts.request_us)
        w->opts.request_us = REQUEST_DEFAULT_US;
    if (!w->opts.idle_us)
        w->opts.idle_us = IDLE_DEFAULT_US;
    w->routes = routes;
    w->routes_n = n;
    w->arg = arg;
    list_init(&w->ready);
    list_init(&w->resume);
    op_init(&w->op, loop_turnq(l), web_step);
    timer_init(&w->sweep, l, &w->op);
    *ret = w;
    return BBT_OK;
}

size_t web_busy(const struct web *w)
{
    return w->busy;
}

void web_quiesce(struct web *w, struct op *idle)
{
    w->quiet = true;
    w->idle = idle;
    for (struct web_sock *s = w->socks; s; s = s->next) {
        int fd;

        if (s->quiet)
            continue;
        s->quiet = true;
        fd = MHD_quiesce_daemon(s->d);
        if (fd >= 0)
            close(fd);
    }
    if (idle && !w->busy)
        op_wake(idle);
}

static void stop_sock(struct web_sock *s)
{
    struct stat st;

    if (s->path && lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlink(s->path); /* still ours: nobody put another socket there */
    timer_stop(&s->timer);
    uv_poll_stop(&s->poll);
    /* Ends all connections: req_on_completed, req_on_connection. */
    MHD_stop_daemon(s->d);
    uv_close((uv_handle_t *)&s->poll, on_sock_closed);
}

void web_free(struct web *w)
{
    struct web_req *r;

    if (!w)
        return;
    w->idle = NULL;
    resume_answered(w);
    /* Answers already given still leave, as far as the socket takes them. */
    run_ready(w);
    w->closing = true;
    while ((r = web_list_take(&w->ready)))
        ;
    while ((r = web_list_take(&w->resume)))
        ;
    /* libmicrohttpd must not be stopped with suspended connections. */
    for (struct web_conn *c = w->conns; c; c = c->next)
        if (c->r && c->r->suspended)
            req_resume(c->r);
    while (w->socks) {
        struct web_sock *s = w->socks;

        w->socks = s->next;
        stop_sock(s);
    }
    assert(!w->conns && w->busy == 0);
    op_fini(&w->op);
    timer_stop(&w->sweep);
    bbt_free(w);
}
