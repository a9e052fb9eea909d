/* crew.c -- from submit to done:
 *
 *   loop thread        queue        worker                 ready list      loop thread
 *   crew_submit --> head..tail --> begin, run..., end --> done_head.. --> on_async:
 * done, (async)       op_wake
 *
 * Both lists are guarded by `lock`; an item is in at most one of them. The handle keeps
 * the loop alive exactly while something is pending. */
#include "loop/crew.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/op.h"
#include "loop/loop.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

struct crew {
    uv_async_t async;
    size_t pending; /* loop thread only */
    struct hist waits; /* loop thread only */
    struct lane_opts opts;
    char name[16];

    pthread_mutex_t lock;
    pthread_cond_t more;
    struct work *head, **tail;
    struct work *done_head, **done_tail;
    bool stop;

    unsigned threads;
    pthread_t thread[];
};

/* Up to batch_max items, as a list; NULL: the crew ends. */
static struct work *take_batch(struct crew *c)
{
    struct work *batch, **at;

    pthread_mutex_lock(&c->lock);
    while (!c->head && !c->stop)
        pthread_cond_wait(&c->more, &c->lock);
    batch = c->head;
    at = &c->head;
    for (unsigned n = 0; *at && n < c->opts.batch_max; n++)
        at = &(*at)->next;
    c->head = *at;
    if (!c->head)
        c->tail = &c->head;
    if (batch)
        *at = NULL;
    pthread_mutex_unlock(&c->lock);
    return batch;
}

/* What a batch had no time for goes first into the next one. */
static void put_back(struct crew *c, struct work *rest)
{
    struct work **last = &rest->next;

    while (*last)
        last = &(*last)->next;
    pthread_mutex_lock(&c->lock);
    *last = c->head;
    c->head = rest;
    if (!*last)
        c->tail = last;
    pthread_mutex_unlock(&c->lock);
}

static void run_items(struct crew *c, struct work *batch)
{
    uint64_t limit = c->opts.batch_us, began = limit ? clock_mono_us() : 0;

    for (struct work *w = batch; w; w = w->next) {
        w->run(w);
        if (limit && w->next && clock_mono_us() - began >= limit) {
            put_back(c, w->next);
            w->next = NULL;
        }
    }
}

static void run_batch(struct crew *c, struct work *batch)
{
    enum bbt_rc rc = c->opts.begin ? c->opts.begin(c->opts.arg) : BBT_OK;
    struct work **last = &batch;

    if (rc == BBT_OK) {
        run_items(c, batch);
        if (c->opts.end)
            rc = c->opts.end(c->opts.arg);
    }
    for (; *last; last = &(*last)->next)
        (*last)->batch_rc = rc;
    pthread_mutex_lock(&c->lock);
    *c->done_tail = batch;
    c->done_tail = last;
    pthread_mutex_unlock(&c->lock);
    uv_async_send(&c->async);
}

static void *thread_main(void *arg)
{
    struct crew *c = arg;
    struct work *batch;

    while ((batch = take_batch(c)))
        run_batch(c, batch);
    return NULL;
}

/* Brings finished items home. They are facts only: nobody is stepped here. */
static void deliver(struct crew *c)
{
    uint64_t now = clock_mono_us();
    struct work *w;

    pthread_mutex_lock(&c->lock);
    w = c->done_head;
    c->done_head = NULL;
    c->done_tail = &c->done_head;
    pthread_mutex_unlock(&c->lock);
    while (w) {
        struct work *next = w->next;

        assert(c->pending > 0);
        c->pending--;
        w->next = NULL;
        hist_add(&c->waits, now > w->asked_us ? now - w->asked_us : 0);
        w->done = true;
        if (w->wake)
            op_wake(w->wake);
        w = next;
    }
    if (!c->pending)
        uv_unref((uv_handle_t *)&c->async);
}

static void on_async(uv_async_t *h)
{
    deliver(h->data);
}

static void on_closed(uv_handle_t *h)
{
    struct crew *c = h->data;

    pthread_cond_destroy(&c->more);
    pthread_mutex_destroy(&c->lock);
    bbt_free(c);
}

/* Signals are the loop thread's; a worker must never be interrupted by one. */
static int start_thread(struct crew *c, unsigned i, bool several)
{
    sigset_t all, old;
    char name[16];
    int e;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    e = pthread_create(&c->thread[i], NULL, thread_main, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e)
        return e;
    if (several)
        snprintf(name, sizeof(name), "%.11s-%u", c->name, i % 1000);
    else
        snprintf(name, sizeof(name), "%s", c->name);
    pthread_setname_np(c->thread[i], name);
    return 0;
}

enum bbt_rc crew_new(struct loop *l, const struct lane_opts *opts, unsigned threads,
    struct crew **ret, struct bbt_err *err)
{
    struct crew *c;
    int e;

    if (threads < 1 || threads > 256 || opts->batch_max < 1)
        return bbt_fail(err, BBT_INVALID, "cannot run work on %u threads", threads);
    c = bbt_calloc(1, sizeof(*c) + threads * sizeof(c->thread[0]));
    if (!c)
        return bbt_fail(err, BBT_NOMEM, "no memory for worker threads");
    e = uv_async_init(loop_uv(l), &c->async, on_async);
    if (e) {
        bbt_free(c);
        return bbt_fail(err, BBT_IO, "worker threads: %s", uv_strerror(e));
    }
    c->async.data = c;
    uv_unref((uv_handle_t *)&c->async);
    c->opts = *opts;
    snprintf(c->name, sizeof(c->name), "%s", opts->name ? opts->name : "work");
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->more, NULL);
    c->tail = &c->head;
    c->done_tail = &c->done_head;
    for (; c->threads < threads; c->threads++) {
        e = start_thread(c, c->threads, threads > 1);
        if (e) {
            crew_free(c);
            return bbt_fail(
                err, BBT_IO, "cannot start a worker thread: %s", strerror(e));
        }
    }
    *ret = c;
    return BBT_OK;
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->more);
    pthread_mutex_unlock(&c->lock);
    for (unsigned i = 0; i < c->threads; i++)
        pthread_join(c->thread[i], NULL);
    deliver(c);
    assert(c->pending == 0);
    uv_close((uv_handle_t *)&c->async, on_closed);
}

void crew_submit(struct crew *c, struct work *w)
{
    w->done = false;
    w->batch_rc = BBT_OK;
    w->next = NULL;
    w->asked_us = clock_mono_us();
    if (c->pending++ == 0)
        uv_ref((uv_handle_t *)&c->async);
    pthread_mutex_lock(&c->lock);
    assert(!c->stop);
    *c->tail = w;
    c->tail = &w->next;
    pthread_cond_signal(&c->more);
    pthread_mutex_unlock(&c->lock);
}

size_t crew_pending(const struct crew *c)
{
    return c->pending;
}

const struct hist *crew_waits(const struct crew *c)
{
    return &c->waits;
}
