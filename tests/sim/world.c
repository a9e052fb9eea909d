#include "world.h"

#include "base/alloc.h"
#include "base/log.h"
#include "checks.h"
#include "control.h"
#include "daemon.h"
#include "events.h"
#include "fakeweb.h"
#include "loop/timer.h"
#include "num/blas.h"
#include "num/rng.h"
#include "scene.h"
#include "simdisk.h"
#include "simvfs.h"
#include "store/store.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_WORLD 301
#define STREAM_JITTER 302
#define WALL_US 1790000000000000 /* some day of 2026 */
#define TURNS_MAX 200000         /* steps of operations between two events */

static struct world *the;

struct world *world_now(void)
{
    return the;
}

/* ---- chance ---- */

uint64_t world_draw(struct world *w, uint64_t n)
{
    return rng_u64(w->seed, STREAM_WORLD, w->draws++) % n;
}

bool world_chance(struct world *w, double p)
{
    return p > 0 && rng_uniform(w->seed, STREAM_WORLD, w->draws++) < p;
}

void world_fail(struct world *w, const char *fmt, ...)
{
    va_list ap;

    if (w->failure[0])
        return;
    va_start(ap, fmt);
    (void)vsnprintf(w->failure, sizeof w->failure, fmt, ap);
    va_end(ap);
}

/* ---- events ---- */

void world_event_put(struct world *w, uint64_t after_us, enum world_kind kind, void *ptr)
{
    if (w->evs == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        bbt_alloc_spare(1);
        w->ev = bbt_realloc(w->ev, w->room * sizeof *w->ev);
        bbt_alloc_spare(0);
        assert(w->ev);
    }
    w->ev[w->evs++] = (struct world_event){w->now_us + after_us, w->seq++, kind, ptr};
}

void world_event_drop(struct world *w, enum world_kind kind, const void *ptr)
{
    for (size_t i = 0; i < w->evs; i++)
        if (w->ev[i].kind == kind && w->ev[i].ptr == ptr)
            w->ev[i--] = w->ev[--w->evs];
}

void world_plan(struct world *w, uint64_t after_us, void *what)
{
    world_event_put(w, after_us, WORLD_USER, what);
}

static bool of_time(enum world_kind k)
{
    return k == WORLD_TIMER || k == WORLD_ALARM || k == WORLD_LOOP_TIMER || k == WORLD_USER;
}

/* Index of the nearest event; while the clock stands still nothing that waits for it happens. */
static size_t nearest(const struct world *w, bool still)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < w->evs; i++)
        if ((!still || !of_time(w->ev[i].kind)) &&
            (best == SIZE_MAX || w->ev[i].at_us < w->ev[best].at_us ||
                (w->ev[i].at_us == w->ev[best].at_us && w->ev[i].seq < w->ev[best].seq)))
            best = i;
    return best;
}

/* ---- ports: time ---- */

uint64_t port_now_us(void)
{
    return the->now_us;
}

int64_t port_wall_us(void)
{
    return WALL_US + (int64_t)the->now_us + the->wall_ahead_us;
}

uint64_t port_jitter(void)
{
    return rng_u64(the->seed, STREAM_JITTER, the->jitters++);
}

void port_alarm(struct op *op, uint64_t at_us)
{
    world_event_drop(the, WORLD_ALARM, NULL);
    the->alarm = op;
    if (at_us != PORT_NEVER)
        world_event_put(
            the, at_us > the->now_us ? at_us - the->now_us : 0, WORLD_ALARM, NULL);
}

void port_timer_start(struct port_timer *t, uint64_t after_us)
{
    t->impl[0] = NULL; /* has not fired */
    world_event_put(the, after_us, WORLD_TIMER, t);
}

void port_timer_stop(struct port_timer *t)
{
    world_event_drop(the, WORLD_TIMER, t);
}

bool port_timer_fired(const struct port_timer *t)
{
    return t->impl[0] != NULL;
}

void port_changed(int64_t job)
{
    the->changes++;
    if (the->daemon && the->mutant != MUTANT_FORGET_CHANGE)
        events_changed(the->daemon->events, job);
}

/* ---- ports: blocking work ---- */

void port_work_run(struct port_call *c)
{
    c->done = false;
    c->rc = BBT_OK;
    world_event_put(the, 10 + world_draw(the, 4000), WORLD_WORK, c);
}

void port_db_run(struct port_call *c)
{
    c->done = false;
    c->rc = BBT_OK;
    c->impl[0] = NULL; /* next in the queue */
    the->db_pending++;
    *the->db_tail = c;
    the->db_tail = (struct port_call **)(void *)&c->impl[0];
    if (the->db_busy)
        return;
    the->db_busy = true;
    world_event_put(the, 20 + world_draw(the, 2000), WORLD_DB, NULL);
}

/* ---- life ---- */

void world_open(struct world *w, const struct world_opts *opts)
{
    struct bbt_err err = {0};

    *w = (struct world){
        .seed = opts->seed, .mutant = opts->mutant, .now_us = 1000000, .disk = opts->disk,
        .control = opts->control};
    the = w;
    blas_threads(1);
    turnq_init(&w->q);
    w->db_tail = &w->db_head;
    fakelm_init(&w->lm, opts->lm_seed ? opts->lm_seed : opts->seed);
    fakelm_init(&w->other, opts->lm_seed + 1000);
    w->spare = opts->spare;
    w->stranger = opts->stranger;
    w->lm.flaw.noisy = opts->mutant == MUTANT_NOISY_MODEL;
    w->lm.binary = !opts->json;
    w->lm.labels = !opts->vocab;
    w->lm.prompt_rank = opts->prompt_rank ? (int)opts->prompt_rank : 2;
    w->lm.talks = opts->kind != NULL;
    w->lm.rows_max = opts->rows_max;
    scene_open(w, opts);
    if (w->disk) {
        simvfs_install();
        simdisk_wipe();
        simvfs_seed(opts->seed);
    }
    if (store_open(w->dir, STORE_NETWORK_OK, &w->store, &err) != BBT_OK) {
        (void)fprintf(stderr, "store: %s\n", err.msg);
        abort();
    }
}

void world_close(struct world *w)
{
    assert(!w->engine);
    store_close(w->store);
    if (w->disk)
        simvfs_remove();
    scene_close(w);
    fakelm_fini(&w->lm);
    fakelm_fini(&w->other);
    bbt_free(w->ev);
    bbt_free(w->wire);
    the = NULL;
}

static void idle_step(struct op *op)
{
    bbt_container(op, struct world, idle)->idle_seen = true;
}

void world_start(struct world *w)
{
    struct bbt_err err = {0};

    assert(!w->engine);
    op_init(&w->idle, &w->q, idle_step);
    if (engine_new(w->conf, &w->q, &w->engine, &err) != BBT_OK) {
        (void)fprintf(stderr, "engine: %s\n", err.msg);
        abort();
    }
    if (w->control)
        control_start(w);
    engine_start(w->engine);
    world_turn(w);
}

static bool all_is_idle(struct world *w, void *hard)
{
    if (w->engine && world_chance(w, w->faults.die))
        world_crash(w);
    return !w->engine ||
        (engine_idle(w->engine) && w->idle_seen && control_idle(w, *(const bool *)hard));
}

void world_stop(struct world *w, bool hard)
{
    w->idle_seen = false;
    control_quiesce(w, hard);
    engine_stop(w->engine, &w->idle, hard);
    world_turn(w);
    if (!world_until(w, all_is_idle, &hard, 100000)) {
        world_fail(w, "ends: the daemon does not stop");
        world_crash(w);
        return;
    }
    if (!w->engine)
        return; /* it died on the way */
    op_fini(&w->idle);
    control_free(w);
    engine_free(w->engine);
    w->engine = NULL;
    w->alarm = NULL;
    if (w->checks)
        checks_stop(w->checks, hard);
    world_event_drop(w, WORLD_ALARM, NULL);
}

/* What is planned, or under way between clients and the daemon, stays. */
static void forget_daemon_events(struct world *w)
{
    for (size_t i = 0; i < w->evs; i++)
        if (w->ev[i].kind < WORLD_ASK)
            w->ev[i--] = w->ev[--w->evs];
}

/* What a killed process leaves behind is no leak: it is kept in sight until the end. */
static void bury(struct engine *e)
{
    static struct engine **grave;
    static size_t graves, room;

    if (graves == room) {
        room = room ? 2 * room : 64;
        grave = bbt_realloc(grave, room * sizeof(struct engine *));
        assert(grave);
    }
    grave[graves++] = e;
}

void world_crash(struct world *w)
{
    struct bbt_err err = {0};

    if (w->engine && !w->daemon)
        bury(w->engine);
    control_crash(w);
    w->engine = NULL;
    w->alarm = NULL;
    w->crashes++;
    wire_crash(w);
    forget_daemon_events(w);
    w->db_pending = 0;
    w->db_head = NULL;
    w->db_tail = &w->db_head;
    w->db_busy = false;
    turnq_init(&w->q);
    if (w->disk && world_draw(w, 2))
        simdisk_kill();
    else if (w->disk)
        simdisk_power_cut(w->seed + w->draws);
    store_close(w->store);
    if (store_open(w->dir, STORE_NETWORK_OK, &w->store, &err) != BBT_OK) {
        world_fail(w, "reopen: %s", err.msg);
        abort();
    }
    if (w->checks)
        checks_crash(w->checks);
}

void world_turn(struct world *w)
{
    if (turnq_run(&w->q, TURNS_MAX))
        world_fail(w, "time: operations wake each other without end");
}

/* Wakes everything that waits for something: a step must look at facts, not at events. */
static void wake_all(struct world *w)
{
    for (size_t i = 0; i < w->evs; i++) {
        void *p = w->ev[i].ptr;

        if (w->ev[i].kind == WORLD_WORK)
            op_wake(((struct port_call *)p)->wake);
        else if (w->ev[i].kind == WORLD_TIMER)
            op_wake(((struct port_timer *)p)->wake);
    }
    for (struct port_call *c = w->db_head; c; c = c->impl[0])
        op_wake(c->wake);
    if (w->alarm)
        op_wake(w->alarm);
    if (w->engine)
        engine_poke(w->engine);
}

static void happen(struct world *w, const struct world_event *e)
{
    struct port_call *c = e->ptr;
    struct port_timer *t = e->ptr;
    struct loop_timer *lt = e->ptr;

    switch (e->kind) {
    case WORLD_DB:
        world_db_batch(w);
        return;
    case WORLD_DB_DONE:
        world_db_home(w, e->ptr);
        return;
    case WORLD_WORK:
        c->run(c, NULL);
        c->done = true;
        if (w->mutant != MUTANT_DROP_WAKE || world_draw(w, 6))
            op_wake(c->wake);
        return;
    case WORLD_ARRIVE:
        bbt_alloc_spare(1); /* the server's memory is its own */
        wire_arrive(w, e->ptr);
        bbt_alloc_spare(0);
        return;
    case WORLD_REPLY:
        wire_reply(w, e->ptr);
        return;
    case WORLD_TIMER:
        t->impl[0] = t;
        op_wake(t->wake);
        return;
    case WORLD_ALARM:
        op_wake(w->alarm);
        return;
    case WORLD_LOOP_TIMER:
        lt->running = false;
        lt->fired = true;
        op_wake(lt->wake);
        return;
    case WORLD_GONE:
        fakeweb_gone(w, e->ptr);
        return;
    case WORLD_READ:
        fakeweb_read(w, e->ptr);
        return;
    case WORLD_ASK:
        fakeweb_arrive(w, e->ptr);
        return;
    case WORLD_TOLD:
        fakeweb_told(w, e->ptr);
        return;
    case WORLD_USER:
        w->user(w, e->ptr);
        return;
    }
}

bool world_step(struct world *w)
{
    struct world_event e;
    size_t at;

    world_turn(w);
    if (!w->still && world_chance(w, w->faults.still))
        w->still = 1 + world_draw(w, 200);
    at = nearest(w, w->still > 0);
    if (at == SIZE_MAX) {
        w->still = 0;
        at = nearest(w, false);
    }
    if (at == SIZE_MAX)
        return false;
    e = w->ev[at];
    w->ev[at] = w->ev[--w->evs];
    if (w->still)
        w->still--;
    else if (e.at_us > w->now_us)
        w->now_us = e.at_us;
    if (w->mutant == MUTANT_BACK_CLOCK && w->steps == 300)
        w->now_us -= 500000;
    w->steps++;
    happen(w, &e);
    if (w->disk && simdisk_is_dead()) {
        world_crash(w);
        return true;
    }
    if (world_chance(w, w->faults.burst))
        for (int i = 0; i < 10000; i++)
            wake_all(w);
    world_turn(w);
    if (w->checks)
        checks_step(w->checks);
    return true;
}

bool world_until(
    struct world *w, bool (*done)(struct world *w, void *arg), void *arg, uint64_t limit)
{
    while (!done(w, arg)) {
        if (limit-- == 0 || !world_step(w))
            return false;
    }
    return true;
}
