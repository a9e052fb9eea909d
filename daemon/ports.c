/* ports.c -- the engine's ports, real ends: loop, workers, network. The store's are in
 * ports_db.c. */
#include "engine/ports.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "daemon.h"
#include "events.h"
#include "keys.h"
#include "loop/lane.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "loop/work.h"
#include "net/http.h"
#include "num/rng.h"
#include "store/cache.h"
#include "store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static struct {
    struct daemon *d;
    struct loop_timer alarm;
    uint64_t seed, drawn; /* jitter */
    struct bbt_err commit_err; /* of the lane's last failed commit; under `lock` */
    pthread_mutex_t lock;
    bool cache_ill; /* the store's thread only */
} bound = {.lock = PTHREAD_MUTEX_INITIALIZER};

void ports_bind(struct daemon *d)
{
    bound.d = d;
    timer_init(&bound.alarm, d->loop, NULL);
    if (getrandom(&bound.seed, sizeof bound.seed, 0) != (ssize_t)sizeof bound.seed)
        bound.seed = (uint64_t)clock_wall_us(); /* jitter only spreads retries */
}

void ports_unbind(void)
{
    timer_stop(&bound.alarm);
    bound.d = NULL;
}

/* ---- time ---- */

uint64_t port_now_us(void)
{
    return loop_now_us(bound.d->loop);
}

int64_t port_wall_us(void)
{
    return clock_wall_us();
}

uint64_t port_jitter(void)
{
    return rng_u64(bound.seed, 0, bound.drawn++);
}

void port_alarm(struct op *op, uint64_t at_us)
{
    timer_stop(&bound.alarm);
    bound.alarm.wake = op;
    if (at_us != PORT_NEVER)
        timer_start_at(&bound.alarm, at_us);
}

_Static_assert(sizeof(struct loop_timer) <= sizeof(((struct port_timer *)0)->impl),
    "port_timer.impl is too small");

void port_timer_start(struct port_timer *t, uint64_t after_us)
{
    struct loop_timer *lt = (struct loop_timer *)(void *)t->impl;

    timer_init(lt, bound.d->loop, t->wake);
    timer_start(lt, after_us);
}

void port_timer_stop(struct port_timer *t)
{
    timer_stop((struct loop_timer *)(void *)t->impl);
}

bool port_timer_fired(const struct port_timer *t)
{
    return ((const struct loop_timer *)(const void *)t->impl)->fired;
}

/* ---- blocking work ---- */

/* Lives in port_call.impl: the pool's item, and the operation that turns its end into the
 * caller's facts. */
struct errand {
    struct work work;
    struct op op;
};

_Static_assert(sizeof(struct errand) <= sizeof(((struct port_call *)0)->impl),
    "port_call.impl is too small");

static struct port_call *call_of(struct errand *e)
{
    return bbt_container(e, struct port_call, impl);
}

static void run_on_pool(struct work *w)
{
    struct port_call *c = call_of(bbt_container(w, struct errand, work));

    c->run(c, NULL);
}

static void run_on_lane(struct work *w)
{
    struct port_call *c = call_of(bbt_container(w, struct errand, work));
    struct store *s = bound.d->store;

    c->rc = store_enter(s, &c->err);
    if (c->rc != BBT_OK)
        return;
    c->run(c, (struct port_db *)s);
    c->rc = store_leave(s, c->rc, &c->err); /* a call that is run again finds no trace */
}

static void errand_step(struct op *op)
{
    struct errand *e = bbt_container(op, struct errand, op);
    struct port_call *c = call_of(e);

    if (e->work.batch_rc != BBT_OK) {
        (void)pthread_mutex_lock(&bound.lock);
        c->err = bound.commit_err;
        (void)pthread_mutex_unlock(&bound.lock);
        c->rc = c->err.rc = e->work.batch_rc;
    }
    c->done = true;
    op_wake(c->wake);
}

static struct work *errand_of(struct port_call *c, void (*run)(struct work *w))
{
    struct errand *e = (struct errand *)(void *)c->impl;

    *e = (struct errand){.work = {.run = run, .wake = &e->op}};
    op_init(&e->op, loop_turnq(bound.d->loop), errand_step);
    c->done = false;
    c->rc = BBT_OK;
    return &e->work;
}

void port_db_run(struct port_call *c)
{
    lane_submit(bound.d->lane, errand_of(c, run_on_lane));
}

void port_work_run(struct port_call *c)
{
    work_submit(bound.d->pool, errand_of(c, run_on_pool));
}

/* Keeps the sentence for those whose calls went down with the batch. */
static enum bbt_rc tell_batch(enum bbt_rc rc, const struct bbt_err *err)
{
    if (rc != BBT_OK) {
        (void)pthread_mutex_lock(&bound.lock);
        bound.commit_err = *err;
        (void)pthread_mutex_unlock(&bound.lock);
    }
    return rc;
}

enum bbt_rc ports_begin(void *daemon)
{
    struct bbt_err err = {0};

    return tell_batch(store_begin(((struct daemon *)daemon)->store, &err), &err);
}

enum bbt_rc ports_commit(void *daemon)
{
    struct bbt_err err = {0};

    BBT_KILLPOINT("group-commit");
    return tell_batch(store_commit(((struct daemon *)daemon)->store, &err), &err);
}

/* ---- the response cache ---- */

bool port_cache(void)
{
    return bound.d->cache != NULL;
}

/* Trouble is told once until it is over: a disk that is full would fill the log as well. */
static void cache_said(enum bbt_rc rc, const struct bbt_err *err)
{
    if (rc != BBT_OK && rc != BBT_NOTFOUND && !bound.cache_ill)
        log_warn("cache", "goes on without it: %s", err->msg);
    bound.cache_ill = rc != BBT_OK && rc != BBT_NOTFOUND;
}

bool port_cache_get(struct port_db *db, const uint8_t *key, struct rec_answer *row)
{
    const struct cache_limits l = {.ttl_us = (int64_t)bound.d->conf->cache.ttl_us};
    struct cache_answer a = {0};
    struct bbt_err err = {0};
    enum bbt_rc rc = cache_get(bound.d->cache, key, &l, clock_wall_us(), &a, &err);

    (void)db;
    cache_said(rc, &err);
    if (rc != BBT_OK)
        return false;
    if (a.rows != row->rows || a.labels != row->labels) {
        bbt_free(a.logit);
        return false;
    }
    row->logit = a.logit;
    row->tokens_in = a.tokens_in;
    row->tokens_out = a.tokens_out;
    return true;
}

void port_cache_put(struct port_db *db, const uint8_t *key, const struct rec_answer *row)
{
    const struct cache_answer a = {row->rows, row->labels, row->logit, row->tokens_in,
        row->tokens_out, row->wall_us};
    struct bbt_err err = {0};

    (void)db;
    cache_said(cache_put(bound.d->cache, key, &a, &err), &err);
}

/* ---- network ---- */

#define URL_MAX 2048
#define HEADER_MAX 160

struct exchange {
    struct http_req req;
    struct op op;
    struct port_http *x;
    char url[URL_MAX], unix_path[URL_MAX];
    char header[PORT_HEADERS_MAX][HEADER_MAX];
    char *key; /* the provider's credential as a header; or NULL */
    const char *headers[PORT_HEADERS_MAX + 2];
    struct bbt_err refused; /* the request could not even be written down */
};

static void exchange_step(struct op *op)
{
    struct exchange *e = bbt_container(op, struct exchange, op);
    struct port_http *x = e->x;

    if (x->done || (!e->req.done && !e->refused.rc))
        return;
    x->rc = e->refused.rc ? e->refused.rc : e->req.rc;
    x->err = e->refused.rc ? e->refused : e->req.err;
    x->sent = !e->refused.rc && e->req.sent;
    x->status = (int)e->req.status;
    x->answer = e->req.body.data;
    x->answer_len = e->req.body.len;
    x->total_us = e->req.total_us;
    x->done = true;
    op_wake(x->wake);
}

static void on_take(void *arg, const void *bytes, size_t len)
{
    struct exchange *e = arg;

    e->x->status = (int)e->req.status;
    e->x->take(e->x, bytes, len);
}

/* "unix:/run/lm.sock" is a socket and any host; everything else is a URL in front of the
 * path. */
static bool write_url(struct exchange *e, const struct port_http *x)
{
    bool local = strncmp(x->base_url, "unix:", 5) == 0;
    const char *base = local ? "http://localhost" : x->base_url;
    size_t len = strlen(base);
    int n;

    while (len > 0 && base[len - 1] == '/')
        len--;
    n = snprintf(e->url, sizeof e->url, "%.*s%s", (int)len, base, x->path);
    if (n < 0 || (size_t)n >= sizeof e->url)
        return false;
    if (!local)
        return true;
    n = snprintf(e->unix_path, sizeof e->unix_path, "%s", x->base_url + 5);
    return n > 0 && (size_t)n < sizeof e->unix_path;
}

/* The only place where a key meets a request. */
static bool write_key(struct exchange *e, const struct port_http *x)
{
    enum bbt_rc rc = x->provider ? keys_header(bound.d->keys, x->provider, &e->key)
                                 : BBT_NOTFOUND;

    if (rc == BBT_OK)
        e->headers[x->headers] = e->key;
    return rc == BBT_OK || rc == BBT_NOTFOUND;
}

static bool write_headers(struct exchange *e, const struct port_http *x)
{
    for (size_t i = 0; i < x->headers; i++) {
        int n = snprintf(e->header[i], HEADER_MAX, "%s: %s", x->header[i].name,
            x->header[i].value);

        if (n < 0 || n >= HEADER_MAX)
            return false;
        e->headers[i] = e->header[i];
    }
    return true;
}

void port_http_start(struct port_http *x)
{
    struct exchange *e = bbt_calloc(1, sizeof *e);

    x->impl = e;
    if (!e) { /* rare and survivable: the query tries again */
        x->rc = bbt_fail(&x->err, BBT_AGAIN, "no memory for a request");
        x->done = true;
        op_wake(x->wake);
        return;
    }
    e->x = x;
    op_init(&e->op, loop_turnq(bound.d->loop), exchange_step);
    if (!write_url(e, x) || !write_headers(e, x)) {
        (void)bbt_fail(&e->refused, BBT_INVALID, "the provider's URL is too long");
        op_wake(&e->op);
        return;
    }
    if (!write_key(e, x)) { /* as rare */
        (void)bbt_fail(&e->refused, BBT_AGAIN, "no memory for a request");
        op_wake(&e->op);
        return;
    }
    e->req.method = x->method;
    e->req.url = e->url;
    e->req.unix_path = e->unix_path[0] ? e->unix_path : NULL;
    e->req.headers = e->headers;
    e->req.send = x->body;
    e->req.send_nr = x->slices;
    e->req.timeout_us = x->timeout_us;
    e->req.connect_timeout_us = x->connect_timeout_us;
    e->req.response_max = x->response_max;
    e->req.take = x->take ? on_take : NULL;
    e->req.take_arg = e;
    http_req_init(&e->req);
    http_start(bound.d->http, &e->req, &e->op);
    BBT_KILLPOINT("sent");
}

void port_http_abort(struct port_http *x)
{
    struct exchange *e = x->impl;

    if (e && !x->done)
        http_abort(bound.d->http, &e->req);
}

const char *port_http_header(const struct port_http *x, const char *name)
{
    const struct exchange *e = x->impl;

    return e && (e->req.done || e->req.status) ? http_header(&e->req, name) : NULL;
}

void port_http_fini(struct port_http *x)
{
    struct exchange *e = x->impl;

    if (!e)
        return;
    assert(x->done);
    op_fini(&e->op);
    http_req_fini(&e->req);
    keys_header_free(e->key);
    bbt_free(e);
    x->impl = NULL;
    x->answer = NULL;
    x->answer_len = 0;
}

/* ---- telling ---- */

void port_changed(int64_t job)
{
    if (bound.d->events)
        events_changed(bound.d->events, job);
}
