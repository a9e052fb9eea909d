/* http.c -- curl's multi interface on the loop.
 *
 *   http_start --> running --(curl says so)--------------> done + wake
 *        |            |
 *        | fails      | http_abort
 *        v            v
 *       ended: waits for the client's next step ---------> done + wake
 *
 * curl is called from steps and from libuv's callbacks, never from its own (watch.h); finished
 * transfers are collected after every such call. */
#include "net/http.h"

#include "base/alloc.h"
#include "base/op.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "net/exchange.h"
#include "net/watch.h"

#include <assert.h>
#include <string.h>

#define TIMEOUT_US 60000000u
#define CONNECT_US 10000000u
#define CONNECTIONS 64u
#define DOG_US 1000000u /* after the timeout that curl was given */

struct http_xfer {
    struct exchange ex;
    struct http_client *c;
    struct http_req *r;
    struct op *wake;
    struct http_xfer *next, **at;
    uint64_t start_us;
    struct loop_timer dog; /* where curl lost its own timeout */
    bool again;            /* sent once more already */
    bool begun;            /* the body's reader knows of it */
    bool unwatched;        /* no memory to watch its socket: it would only end by its timeout */
};

struct http_client {
    struct loop *loop;
    struct watch watch; /* without a handle after trouble: made again when it is needed */
    bool unwatched;     /* one of the transfers is */
    struct op op;
    struct http_xfer *xfers;
    size_t running;
    struct http_xfer *ended; /* over, not yet told; linked by `next` */
    char *agent, *proxy, *ca_file;
};

/* --- a body for a reader --- */

static void begin_body(struct http_xfer *x)
{
    if (x->begun)
        return;
    x->begun = true;
    x->r->status = exchange_status(&x->ex);
    x->r->take(x->r->take_arg, NULL, 0);
}

static bool on_bytes(void *arg, const void *bytes, size_t len)
{
    struct http_xfer *x = arg;

    begin_body(x);
    x->r->take(x->r->take_arg, bytes, len);
    return true;
}

/* --- endings --- */

static void take_facts(struct http_xfer *x, CURLcode code)
{
    struct http_req *r = x->r;
    long n = 0;

    r->rc = exchange_result(&x->ex, code, &r->err);
    r->status = exchange_status(&x->ex);
    if (r->take && r->rc == BBT_OK && r->status >= 200 && r->status < 300)
        begin_body(x); /* an empty one */
    if (!curl_easy_getinfo(x->ex.h, CURLINFO_REQUEST_SIZE, &n))
        r->sent = n > 0;
    if (!curl_easy_getinfo(x->ex.h, CURLINFO_NUM_CONNECTS, &n))
        r->reused = n == 0 && r->sent;
}

/* Takes the transfer away from curl. */
static void pull(struct http_xfer *x)
{
    timer_stop(&x->dog);
    curl_multi_remove_handle(x->c->watch.multi, x->ex.h);
    exchange_close(&x->ex);
    *x->at = x->next;
    if (x->next)
        x->next->at = x->at;
}

/* Tells the owner and forgets the transfer. */
static void tell(struct http_xfer *x)
{
    struct http_req *r = x->r;

    r->total_us = loop_now_us(x->c->loop) - x->start_us;
    r->done = true;
    r->x = NULL;
    x->c->running--;
    if (x->wake)
        op_wake(x->wake);
    bbt_free(x);
}

/* A kept connection may have been closed by the peer while nobody looked. curl itself
 * sends once more where reading fails; where already sending fails, the peer cannot
 * have acted on the whole request, and we do. */
static bool again(struct http_xfer *x, CURLcode code)
{
    long connects = 1, head = 1;

    if (code != CURLE_SEND_ERROR || x->again ||
        curl_easy_getinfo(x->ex.h, CURLINFO_NUM_CONNECTS, &connects) || connects > 0 ||
        curl_easy_getinfo(x->ex.h, CURLINFO_HEADER_SIZE, &head) || head > 0)
        return false;
    x->again = true;
    x->begun = false;
    curl_multi_remove_handle(x->c->watch.multi, x->ex.h);
    exchange_rewind(&x->ex);
    curl_easy_setopt(x->ex.h, CURLOPT_FRESH_CONNECT, 1L);
    return curl_multi_add_handle(x->c->watch.multi, x->ex.h) == CURLM_OK;
}

static void collect(struct http_client *c)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(c->watch.multi, &left))) {
        struct http_xfer *x = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result; /* m is void once its handle is removed */

        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
        if (again(x, code))
            continue;
        take_facts(x, code);
        pull(x);
        tell(x);
    }
}

static void end_now(struct http_xfer *x, CURLcode code)
{
    take_facts(x, code);
    pull(x);
    tell(x);
}

/* Ends all that run, or those that nobody watches. */
static void end_short(struct http_client *c, bool all)
{
    for (struct http_xfer *x = c->xfers, *next; x; x = next) {
        next = x->next;
        if (!all && !x->unwatched)
            continue;
        x->ex.no_mem = true;
        end_now(x, CURLE_OUT_OF_MEMORY);
    }
}

/* Refused memory in singlesocket(), curl before 8.13.0 leaves a descriptor in its table whose
 * list of transfers has no slots, forgets that it is there, and divides by their number (SIGFPE
 * in trhash()) once a connection gets that descriptor again. It says that memory was short, not
 * whose it was. So the whole table goes, with all that runs; the next request makes another. */
static void start_over(struct http_client *c)
{
    end_short(c, true);
    watch_stop(&c->watch);
}

static void act(struct watch *w, curl_socket_t fd, int what)
{
    struct http_client *c = bbt_container(w, struct http_client, watch);
    int running;
    CURLMcode e = curl_multi_socket_action(w->multi, fd, what, &running);

    collect(c);
    if (e == CURLM_OUT_OF_MEMORY)
        start_over(c);
    else if (c->unwatched)
        end_short(c, false);
    c->unwatched = false;
}

static void on_unwatched(CURL *easy)
{
    struct http_xfer *x = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x);
    if (x)
        x->c->unwatched = x->unwatched = true;
}

static void end_overdue(struct http_client *c)
{
    for (struct http_xfer *x = c->xfers, *next; x; x = next) {
        next = x->next;
        if (x->dog.fired)
            end_now(x, CURLE_OPERATION_TIMEDOUT);
    }
}

static void client_step(struct op *op)
{
    struct http_client *c = bbt_container(op, struct http_client, op);

    while (c->ended) {
        struct http_xfer *x = c->ended;

        c->ended = x->next;
        tell(x);
    }
    if (watch_due(&c->watch))
        act(&c->watch, CURL_SOCKET_TIMEOUT, 0);
    end_overdue(c);
}

static void end_later(struct http_xfer *x)
{
    x->next = x->c->ended;
    x->c->ended = x;
    op_wake(&x->c->op);
}

/* --- client --- */

static bool keep_opts(struct http_client *c, const struct http_opts *o)
{
    c->agent = bbt_strdup(o->agent);
    c->proxy = bbt_strdup(o->proxy);
    c->ca_file = bbt_strdup(o->ca_file);
    return (!o->agent || c->agent) && (!o->proxy || c->proxy) &&
           (!o->ca_file || c->ca_file);
}

enum bbt_rc http_client_new(struct loop *l, const struct http_opts *opts,
    struct http_client **ret, struct bbt_err *err)
{
    struct http_opts none = {0};
    struct http_client *c = bbt_calloc(1, sizeof(*c));

    if (!opts)
        opts = &none;
    if (!c)
        return bbt_fail(err, BBT_NOMEM, "no memory for the HTTP client");
    c->loop = l;
    op_init(&c->op, loop_turnq(l), client_step);
    watch_init(&c->watch, l, &c->op);
    c->watch.act = act;
    c->watch.unwatched = on_unwatched;
    c->watch.connections_max =
        (long)(opts->connections_max ? opts->connections_max : CONNECTIONS);
    if (!watch_start(&c->watch) || !keep_opts(c, opts)) {
        http_client_free(c);
        return bbt_fail(err, BBT_NOMEM, "no memory for the HTTP client");
    }
    *ret = c;
    return BBT_OK;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (c->xfers)
        http_abort(c, c->xfers->r);
    while (c->ended) {
        struct http_xfer *x = c->ended;

        c->ended = x->next;
        tell(x);
    }
    watch_stop(&c->watch);
    op_fini(&c->op);
    bbt_free(c->agent);
    bbt_free(c->proxy);
    bbt_free(c->ca_file);
    bbt_free(c);
}

size_t http_client_running(const struct http_client *c)
{
    return c->running;
}

/* --- requests --- */

void http_req_init(struct http_req *r)
{
    r->done = false;
    r->rc = BBT_OK;
    r->err = (struct bbt_err){0};
    r->status = 0;
    r->total_us = 0;
    r->reused = r->sent = false;
    r->x = NULL;
    buf_init(&r->body, r->response_max);
    buf_init(&r->head, EXCHANGE_HEAD_MAX);
}

void http_req_fini(struct http_req *r)
{
    assert(!r->x);
    buf_fini(&r->body);
    buf_fini(&r->head);
}

static long ms(uint64_t us, uint64_t fallback)
{
    uint64_t t = us ? us : fallback;

    t = t / 1000 + (t % 1000 != 0);
    return t > INT32_MAX ? INT32_MAX : (long)t;
}

static enum bbt_rc begin(struct http_xfer *x, struct bbt_err *err)
{
    struct http_client *c = x->c;
    struct http_req *r = x->r;
    enum bbt_rc rc;

    x->ex = (struct exchange){.method = r->method,
        .url = r->url,
        .unix_path = r->unix_path,
        .headers = r->headers,
        .send = r->send,
        .send_nr = r->send_nr,
        .timeout_ms = ms(r->timeout_us, TIMEOUT_US),
        .connect_timeout_ms = ms(r->connect_timeout_us, CONNECT_US),
        .agent = c->agent,
        .proxy = c->proxy,
        .ca_file = c->ca_file,
        .head = &r->head,
        .body = &r->body,
        .sink = r->take ? on_bytes : NULL,
        .sink_arg = x,
        .sink_max = r->take ? r->response_max : 0};
    rc = exchange_open(&x->ex, err);
    if (rc != BBT_OK)
        return rc;
    if (!watch_start(&c->watch) || curl_easy_setopt(x->ex.h, CURLOPT_PRIVATE, x) ||
        curl_multi_add_handle(c->watch.multi, x->ex.h)) {
        exchange_close(&x->ex);
        return bbt_fail(err, BBT_NOMEM, "no memory for an HTTP request");
    }
    return BBT_OK;
}

void http_start(struct http_client *c, struct http_req *r, struct op *wake)
{
    struct http_xfer *x = bbt_calloc(1, sizeof(*x));

    http_req_init(r);
    if (!x) { /* nothing to defer it with: the facts are there at once, the wake later
               */
        r->rc = bbt_fail(&r->err, BBT_NOMEM, "no memory for an HTTP request");
        r->done = true;
        if (wake)
            op_wake(wake);
        return;
    }
    x->c = c;
    x->r = r;
    x->wake = wake;
    x->start_us = loop_now_us(c->loop);
    r->x = x;
    c->running++;
    r->rc = begin(x, &r->err);
    if (r->rc != BBT_OK) {
        end_later(x);
        return;
    }
    timer_init(&x->dog, c->loop, &c->op);
    timer_start(&x->dog, (uint64_t)x->ex.timeout_ms * 1000 + DOG_US);
    x->next = c->xfers;
    x->at = &c->xfers;
    if (x->next)
        x->next->at = &x->next;
    c->xfers = x;
}

void http_abort(struct http_client *c, struct http_req *r)
{
    struct http_xfer *x = r->x;

    if (!x || !x->ex.h)
        return; /* over already: its news is on the way */
    assert(x->c == c);
    take_facts(x, CURLE_ABORTED_BY_CALLBACK);
    r->rc = bbt_fail(&r->err, BBT_CANCELED, "canceled");
    pull(x);
    end_later(x);
}

const char *http_header(const struct http_req *r, const char *name)
{
    return exchange_header(&r->head, name);
}
