#include "net/watch.h"

#include "base/alloc.h"
#include "base/op.h"
#include "loop/loop.h"

#include <uv.h>

/* A socket of curl's; freed by the close callback. */
struct sock {
    uv_poll_t poll;
    struct watch *w;
    curl_socket_t fd;
};

static int on_timer_wish(CURLM *multi, long wait_ms, void *arg)
{
    struct watch *w = arg;

    (void)multi;
    timer_stop(&w->timer);
    w->kick = wait_ms == 0; /* as a timer it would cost a millisecond per step */
    if (w->kick)
        op_wake(w->wake);
    else if (wait_ms > 0)
        timer_start(&w->timer, (uint64_t)wait_ms * 1000);
    return 0;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct sock *s = h->data;
    int what = status < 0 ? CURL_CSELECT_ERR : 0;

    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    s->w->act(s->w, s->fd, what); /* may close s */
}

static void on_sock_closed(uv_handle_t *h)
{
    bbt_free(h->data);
}

static struct sock *sock_new(struct watch *w, curl_socket_t fd)
{
    struct sock *s = bbt_calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (uv_poll_init_socket(loop_uv(w->loop), &s->poll, fd)) {
        bbt_free(s);
        return NULL;
    }
    s->poll.data = s;
    s->w = w;
    s->fd = fd;
    curl_multi_assign(w->multi, fd, s);
    return s;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
    struct watch *w = arg;
    struct sock *s = sock;
    int events = 0;

    if (what == CURL_POLL_REMOVE) {
        if (s) {
            curl_multi_assign(w->multi, fd, NULL);
            uv_close((uv_handle_t *)&s->poll, on_sock_closed);
        }
        return 0;
    }
    if (!s)
        s = sock_new(w, fd);
    if (!s) {
        w->unwatched(easy);
        return 0;
    }
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    uv_poll_start(&s->poll, events, on_poll);
    return 0;
}

void watch_init(struct watch *w, struct loop *l, struct op *wake)
{
    *w = (struct watch){.loop = l, .wake = wake};
    timer_init(&w->timer, l, wake);
}

bool watch_start(struct watch *w)
{
    if (w->multi)
        return true;
    w->multi = curl_multi_init();
    if (!w->multi)
        return false;
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_MAX_HOST_CONNECTIONS, w->connections_max);
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, w->connections_max);
    return true;
}

void watch_stop(struct watch *w)
{
    if (w->multi)
        curl_multi_cleanup(w->multi); /* still tells about sockets */
    w->multi = NULL;
    timer_stop(&w->timer);
    w->kick = false;
}

bool watch_due(struct watch *w)
{
    bool due = w->multi && (w->kick || w->timer.fired);

    w->kick = w->timer.fired = false;
    return due;
}
