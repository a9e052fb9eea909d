#include "loop/loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hist.h"
#include "base/op.h"
#include "loop/heap.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

/* A turn steps operations until the queue is empty or this time is over; sockets and
 * timers then get their share before it goes on. */
#define SLICE_US 3000u
#define SLICE_OPS 16u

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* unreferenced: drains the queue right before the poll */
    uv_idle_t idle; /* active only while something is queued: makes the poll not wait */
    struct loop_heap timers;
    struct turnq q;
    uint64_t now_us;
    uint64_t seen_ms; /* uv's time when now_us was read */

    uint64_t turn_end_us;  /* last time the loop went to poll */
    uint64_t turn_idle_ns; /* time spent waiting in polls until then */
    struct hist busy_us;   /* per turn */
};

static void refresh_now(struct loop *l)
{
    uint64_t t = clock_mono_us();

    if (t > l->now_us)
        l->now_us = t;
    l->seen_ms = uv_now(&l->uv);
}

/* Wall time since the last poll began, minus what was slept inside it: the part of the
 * round in which this thread could not react. */
static void count_turn(struct loop *l)
{
    uint64_t t = clock_mono_us();
    uint64_t idle_ns = uv_metrics_idle_time(&l->uv);
    uint64_t round = t > l->turn_end_us ? t - l->turn_end_us : 0;
    uint64_t slept = (idle_ns - l->turn_idle_ns) / 1000;
    uint64_t busy = round > slept ? round - slept : 0;

    l->turn_end_us = t;
    l->turn_idle_ns = idle_ns;
    hist_add(&l->busy_us, busy);
}

static void on_idle(uv_idle_t *h)
{
    (void)h;
}

static void on_prepare(uv_prepare_t *h)
{
    struct loop *l = h->data;
    uint64_t start;
    bool left;

    refresh_now(l);
    start = l->now_us;
    do
        left = turnq_run(&l->q, SLICE_OPS);
    while (left && clock_mono_us() - start < SLICE_US);
    if (!left)
        uv_idle_stop(&l->idle);
    count_turn(l);
}

static void on_first(void *arg)
{
    struct loop *l = arg;

    uv_idle_start(&l->idle, on_idle);
}

enum bbt_rc loop_new(struct loop **ret, struct bbt_err *err)
{
    struct loop *l = bbt_calloc(1, sizeof(*l));
    int e;

    if (!l)
        return bbt_fail(err, BBT_NOMEM, "no memory for the event loop");
    e = uv_loop_init(&l->uv);
    if (e) {
        bbt_free(l);
        return bbt_fail(err, BBT_IO, "event loop: %s", uv_strerror(e));
    }
    signal(SIGPIPE, SIG_IGN);
    uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_idle_init(&l->uv, &l->idle);
    l->prepare.data = l;
    l->idle.data = l;
    timer_heap_init(&l->timers, l);
    turnq_init(&l->q);
    l->q.on_first = on_first;
    l->q.arg = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_unref((uv_handle_t *)&l->prepare);
    refresh_now(l);
    *ret = l;
    return BBT_OK;
}

void loop_free(struct loop *l)
{
    int e = UV_EBUSY;

    if (!l)
        return;
    l->q.on_first = NULL; /* close callbacks may still wake, nobody is stepped */
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    timer_heap_close(&l->timers);
    /* Closing takes a round of the loop; a handle that is still open after a few was
     * forgotten by its owner. */
    for (int round = 0; round < 16 && e == UV_EBUSY; round++) {
        uv_run(&l->uv, UV_RUN_NOWAIT);
        e = uv_loop_close(&l->uv);
    }
    if (e)
        uv_print_all_handles(&l->uv, stderr);
    assert(e == 0);
    bbt_free(l);
}

struct turnq *loop_turnq(struct loop *l)
{
    return &l->q;
}

struct uv_loop_s *loop_uv(struct loop *l)
{
    return &l->uv;
}

struct loop_heap *loop_timers(struct loop *l)
{
    return &l->timers;
}

uint64_t loop_now_us(struct loop *l)
{
    /* Callbacks run inside uv's poll, before the prepare handle of the next turn: there
     * uv's own time tells that a new turn began. */
    if (uv_now(&l->uv) != l->seen_ms)
        refresh_now(l);
    return l->now_us;
}

/* The time between two runs is the caller's, not a turn's. */
static void enter(struct loop *l)
{
    uv_update_time(&l->uv);
    refresh_now(l);
    l->turn_end_us = clock_mono_us();
    l->turn_idle_ns = uv_metrics_idle_time(&l->uv);
}

void loop_run(struct loop *l)
{
    enter(l);
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

bool loop_turn(struct loop *l)
{
    enter(l);
    return uv_run(&l->uv, UV_RUN_ONCE) != 0;
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

uint64_t loop_turn_quantile_us(const struct loop *l, double q)
{
    return hist_quantile(&l->busy_us, q);
}

uint64_t loop_turn_max_us(const struct loop *l)
{
    return l->busy_us.max;
}

uint64_t loop_turn_count(const struct loop *l)
{
    return l->busy_us.n;
}

void loop_turn_reset(struct loop *l)
{
    l->busy_us = (struct hist){0};
}
