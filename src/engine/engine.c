#include "engine/engine.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "prov/verdict.h"

#include <assert.h>
#include <string.h>

/* After a failed commit the store is asked again this much later. */
#define SICK_US 5000000u

struct live {
    struct tune tune;
    struct live *next;
};

struct engine {
    const struct conf *conf;
    struct turnq *q;
    struct endpoint *ep;
    size_t ep_nr;
    struct live *live;
    size_t live_nr;

    struct op admit; /* takes over jobs while there is room, and buries the ended */
    struct op alarm; /* something's time has come, or the nearest time has changed */
    struct op *idle;
    bool started, stopping, look;
    bool hold_first; /* jobs that a crash left running are held, not resumed */
    uint64_t sick_until;

    struct port_call next;
    bool asking;
    int64_t *ids; /* of the live jobs, for the question */
    size_t ids_nr;
    struct rec_job found;
    struct keep_ill ill;
    bool hold;
};

/* ---- taking over ---- */

/* What a crash left running waits for a person. */
static enum bbt_rc hold_all(struct port_db *db, struct bbt_err *err)
{
    struct rec_job job;
    enum bbt_rc rc;

    while ((rc = port_db_next(db, 1u << REC_RUNNING, NULL, 0, &job, err)) == BBT_OK) {
        rc = port_db_state(db, job.id, 1u << REC_RUNNING, REC_PAUSED, "restart_hold",
            "the daemon was restarted", err);
        if (rc == BBT_OK)
            rc = port_db_event(db, job.id, "paused", "the daemon was restarted", err);
        if (rc != BBT_OK)
            return rc;
    }
    return rc == BBT_NOTFOUND ? BBT_OK : rc;
}

/* The next job, already marked as running, or BBT_NOTFOUND. */
static void run_next(struct port_call *c, struct port_db *db)
{
    struct engine *e = bbt_container(c, struct engine, next);
    unsigned states = 1u << REC_QUEUED | 1u << REC_RUNNING;
    enum rec_state was;

    /* what is running already, in the eyes of its owner, goes on before anything starts */
    c->rc = e->hold ? hold_all(db, &c->err) : BBT_OK;
    if (c->rc == BBT_OK)
        c->rc = port_db_next(
            db, 1u << REC_RUNNING, e->ids, e->ids_nr, &e->found, &c->err);
    if (c->rc == BBT_NOTFOUND)
        c->rc = port_db_next(
            db, 1u << REC_QUEUED, e->ids, e->ids_nr, &e->found, &c->err);
    if (c->rc != BBT_OK)
        return;
    was = e->found.state;
    BBT_KILLPOINT("admit");
    c->rc = port_db_state(db, e->found.id, states, REC_RUNNING, "working", "", &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_event(db, e->found.id, "running",
            was == REC_RUNNING ? "resumed after a restart" : "started", &c->err);
    BBT_KILLPOINT("admit-done");
}

static void ask_next(struct engine *e)
{
    size_t n = 0;

    bbt_free(e->ids);
    e->ids = bbt_alloc_array(e->live_nr, sizeof *e->ids);
    if (!e->ids) {
        e->sick_until = port_now_us() + SICK_US;
        op_wake(&e->alarm);
        return;
    }
    for (struct live *l = e->live; l; l = l->next)
        e->ids[n++] = l->tune.id;
    e->ids_nr = n;
    e->hold = e->hold_first; /* nobody is live yet */
    e->asking = true;
    e->look = false;
    e->next = (struct port_call){.run = run_next, .wake = &e->admit};
    port_db_run(&e->next);
}

static void take_over(struct engine *e)
{
    struct live *l = bbt_calloc(1, sizeof *l);

    if (!l) {
        log_error("no-memory", "job=%lld cannot be started now", (long long)e->found.id);
        e->sick_until = port_now_us() + SICK_US;
        op_wake(&e->alarm);
        return;
    }
    BBT_KILLPOINT("admit-kept");
    log_info("job-start", "job=%lld name=%s", (long long)e->found.id, e->found.name);
    l->tune.id = e->found.id;
    l->tune.endpoints = e->ep;
    l->tune.endpoints_nr = e->ep_nr;
    l->tune.ill = &e->ill;
    l->tune.wake = &e->admit;
    l->next = e->live;
    e->live = l;
    e->live_nr++;
    tune_start(&l->tune, e->q);
    port_changed(l->tune.id);
    if (e->stopping)
        tune_halt(&l->tune, false);
}

static void bury(struct engine *e)
{
    for (struct live **at = &e->live; *at;) {
        struct live *l = *at;

        if (!l->tune.over) {
            at = &l->next;
            continue;
        }
        if (l->tune.rc == BBT_IO || l->tune.rc == BBT_NOMEM) {
            log_error("store-trouble", "job=%lld let go: %s", (long long)l->tune.id,
                l->tune.err.msg);
            if (keep_is_ill(l->tune.err.rc)) /* what it needs could not be read */
                keep_note(&e->ill, &l->tune.err);
            e->sick_until = port_now_us() + SICK_US;
            op_wake(&e->alarm);
        } else if (l->tune.rc == BBT_OK) {
            log_info("job-completed", "job=%lld", (long long)l->tune.id);
        }
        *at = l->next;
        e->live_nr--;
        e->look = true;
        tune_fini(&l->tune);
        bbt_free(l);
    }
}

static void admit_step(struct op *op)
{
    struct engine *e = bbt_container(op, struct engine, admit);

    bury(e);
    if (e->asking && e->next.done) {
        e->asking = false;
        if (e->next.rc == BBT_OK || e->next.rc == BBT_NOTFOUND)
            e->hold_first = false;
        if (e->next.rc == BBT_OK) {
            e->ill.ill = false;
            take_over(e);
            e->look = true;
        } else if (e->next.rc != BBT_NOTFOUND) {
            if (!e->ill.ill)
                log_error("store-trouble", "cannot look for jobs: %s", e->next.err.msg);
            keep_note(&e->ill, &e->next.err);
            e->sick_until = port_now_us() + SICK_US;
            e->look = true;
            op_wake(&e->alarm);
        } else {
            if (e->live_nr == 0)
                e->ill.ill = false; /* nobody else is left who would find out */
        }
    }
    if (!e->asking && e->look && e->started && !e->stopping &&
        e->live_nr < e->conf->queue.max_running && port_now_us() >= e->sick_until)
        ask_next(e);
    if (e->idle && engine_idle(e))
        op_wake(e->idle);
}

/* ---- time ---- */

static void alarm_step(struct op *op)
{
    struct engine *e = bbt_container(op, struct engine, alarm);
    uint64_t now = port_now_us(), next = PORT_NEVER;

    for (size_t i = 0; i < e->ep_nr; i++) {
        if (e->ep[i].wake_us <= now) {
            e->ep[i].wake_us = SCHED_NEVER;
            op_wake(&e->ep[i].kick);
        } else if (e->ep[i].wake_us < next) {
            next = e->ep[i].wake_us;
        }
    }
    if (e->sick_until && e->sick_until <= now) {
        e->sick_until = 0;
        e->look = true;
        op_wake(&e->admit);
    } else if (e->sick_until && e->sick_until < next) {
        next = e->sick_until;
    }
    port_alarm(&e->alarm, next);
}

/* ---- life ---- */

enum bbt_rc engine_new(const struct conf *conf, struct turnq *q, struct engine **ret,
    struct bbt_err *err)
{
    const struct conf_provider *p = conf->providers.item;
    struct engine *e = bbt_calloc(1, sizeof *e);
    enum bbt_rc rc = BBT_OK;

    if (!e)
        return bbt_fail(err, BBT_NOMEM, "no memory for the engine");
    e->conf = conf;
    e->q = q;
    e->hold_first = conf->queue.on_restart == CONF_HOLD;
    op_init(&e->admit, q, admit_step);
    op_init(&e->alarm, q, alarm_step);
    e->ep = bbt_calloc(conf->providers.nr, sizeof *e->ep);
    if (!e->ep)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for %zu providers", conf->providers.nr);
    for (; rc == BBT_OK && e->ep_nr < conf->providers.nr; e->ep_nr++) {
        rc = endpoint_init(&e->ep[e->ep_nr], &p[e->ep_nr], q, &e->alarm, err);
        e->ep[e->ep_nr].ill = &e->ill;
    }
    if (rc == BBT_OK)
        *ret = e;
    else
        engine_free(e);
    return rc;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    assert(!e->live && !e->asking);
    for (size_t i = 0; i < e->ep_nr; i++)
        endpoint_fini(&e->ep[i]);
    op_fini(&e->admit);
    op_fini(&e->alarm);
    bbt_free(e->ep);
    bbt_free(e->ids);
    bbt_free(e);
}

void engine_start(struct engine *e)
{
    e->started = true;
    engine_poke(e);
}

void engine_poke(struct engine *e)
{
    e->look = true;
    op_wake(&e->admit);
}

void engine_release(struct engine *e)
{
    uint64_t now = port_now_us();

    for (size_t i = 0; i < e->ep_nr; i++)
        if (e->ep[i].lane.hold_until > now + VERDICT_HINT_MAX_US) {
            sched_release(&e->ep[i].lane);
            op_wake(&e->ep[i].kick);
        }
}

void engine_halt(struct engine *e, int64_t job)
{
    for (struct live *l = e->live; l; l = l->next)
        if (l->tune.id == job && !l->tune.over)
            tune_halt(&l->tune, false);
}

void engine_priority(struct engine *e, int64_t job, int64_t priority)
{
    for (struct live *l = e->live; l; l = l->next)
        if (l->tune.id == job && !l->tune.over)
            tune_priority(&l->tune, priority);
}

void engine_stop(struct engine *e, struct op *idle, bool hard)
{
    e->stopping = true;
    e->idle = idle;
    for (struct live *l = e->live; l; l = l->next)
        if (!l->tune.over)
            tune_halt(&l->tune, hard);
    op_wake(&e->admit);
}

bool engine_idle(const struct engine *e)
{
    return !e->live && !e->asking;
}

size_t engine_running(const struct engine *e)
{
    return e->live_nr;
}

size_t engine_in_flight(const struct engine *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->ep_nr; i++)
        n += e->ep[i].lane.inflight;
    return n;
}

bool engine_live(const struct engine *e, int64_t job, struct engine_live *ret)
{
    uint64_t now = port_now_us();

    for (struct live *l = e->live; l; l = l->next) {
        const struct endpoint *ep = l->tune.ep;

        if (l->tune.id != job)
            continue;
        *ret = (struct engine_live){.why = "working", .trouble = ""};
        tune_progress(&l->tune, &ret->progress);
        if (!ep)
            return true;
        ret->why = endpoint_why(ep, now);
        ret->trouble = ep->trouble ? ep->trouble_text : "";
        ret->wait_us = ep->lane.hold_until > now ? ep->lane.hold_until - now : 0;
        return true;
    }
    return false;
}

const struct keep_ill *engine_ill(const struct engine *e)
{
    return e->ill.ill ? &e->ill : NULL;
}

struct endpoint *engine_endpoints(struct engine *e, size_t *ret_n)
{
    *ret_n = e->ep_nr;
    return e->ep;
}

struct endpoint *engine_endpoint(struct engine *e, const char *name)
{
    return endpoint_find(e->ep, e->ep_nr, name);
}

struct turnq *engine_turnq(struct engine *e)
{
    return e->q;
}
