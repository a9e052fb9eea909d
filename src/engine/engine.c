#include "engine/engine.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "engine/admit.h"
#include "engine/rests.h"
#include "engine/roster.h"
#include "engine/standin.h"
#include "prov/verdict.h"

#include <assert.h>
#include <string.h>

/* After a failed commit the store is asked again this much later. */
#define SICK_US 5000000u

/* A job that cannot go on where it is looks for another place so often. */
#define PLACES_US 15000000u

struct live {
    struct tune tune;
    struct live *next;
};

struct engine {
    const struct conf *conf;
    struct turnq *q;
    struct channel *ch; /* quotas of the configuration, then one of each provider's own */
    size_t ch_nr;
    struct endpoint *ep;
    size_t ep_nr;
    struct till till;
    struct live *live;
    size_t live_nr;

    struct op admit; /* takes over jobs while there is room, and buries the ended */
    struct op alarm; /* something's time has come, or the nearest time has changed */
    struct op *idle;
    bool stopping, look;
    bool hold_first; /* jobs that a crash left running are held, not resumed */
    uint64_t sick_until;

    struct port_call next;
    bool asking;
    struct admit_ask ask;
    struct roster roster; /* who waits for its hours */
    const char **shut; /* room for the names of paused providers */
    struct rec_job found;
    struct rec_day *days; /* spending, read with the first question */
    size_t days_nr;
    bool days_read;
    struct keep_ill ill;
    bool try_disk; /* the question of `next` is one for the disk, too */
    struct rests rests;
};

/* ---- taking over ---- */

/* The next job, already marked as running, or BBT_NOTFOUND. */
static void run_next(struct port_call *c, struct port_db *db)
{
    struct engine *e = bbt_container(c, struct engine, next);

    if (!e->till.open && !e->days_read) {
        c->rc = till_load(db, &e->days, &e->days_nr, &c->err);
        e->days_read = c->rc == BBT_OK;
    }
    if (c->rc == BBT_OK)
        c->rc = admit_next(&e->ask, db, &e->found, &c->err);
    /* an ill disk is tried: the jobs that are left may have nothing to write for hours */
    if (c->rc == BBT_NOTFOUND && e->try_disk && port_db_touch(db, &c->err) != BBT_OK)
        c->rc = c->err.rc;
}

/* What was spent is known from the first question on that the store took. */
static void open_till(struct engine *e)
{
    struct bbt_err err = {0};

    if (!e->days_read)
        return;
    e->days_read = false;
    if ((e->next.rc == BBT_OK || e->next.rc == BBT_NOTFOUND) &&
        till_open(&e->till, e->days, e->days_nr, &err) == BBT_OK) {
        e->days = NULL; /* taken */
        return;
    }
    bbt_free(e->days);
    e->days = NULL;
}

/* Whose jobs would run into a wall. */
static size_t shut_providers(struct engine *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->ep_nr; i++)
        if (e->ep[i].pause)
            e->shut[n++] = e->ep[i].conf->name;
    return n;
}

static void ask_next(struct engine *e)
{
    admit_fini(&e->ask);
    (void)roster_look(&e->roster, port_wall_us());
    e->ask = (struct admit_ask){
        .ids = bbt_alloc_array(e->live_nr + e->roster.nr, sizeof *e->ask.ids)};
    if (!e->ask.ids) {
        e->sick_until = port_now_us() + SICK_US;
        op_wake(&e->alarm);
        return;
    }
    for (struct live *l = e->live; l; l = l->next)
        e->ask.ids[e->ask.ids_nr++] = l->tune.id;
    for (size_t i = 0; i < e->roster.nr; i++)
        e->ask.ids[e->ask.ids_nr++] = e->roster.row[i].job;
    e->ask.zone = e->conf->timezone;
    e->ask.hold = e->hold_first; /* nobody is live yet */
    e->ask.shut = e->shut;
    e->ask.shut_nr = shut_providers(e);
    e->asking = true;
    e->look = false;
    e->try_disk = e->ill.ill;
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
    l->tune.till = &e->till;
    l->tune.ill = &e->ill;
    l->tune.zone = e->conf->timezone;
    l->tune.wake = &e->admit;
    l->next = e->live;
    e->live = l;
    e->live_nr++;
    tune_start(&l->tune, e->q);
    port_changed(l->tune.id);
    if (e->stopping)
        tune_halt(&l->tune, false);
}

/* Where nobody can remember it, it is found again. */
static void goes_home(struct engine *e, int64_t job, const struct shift_now *now)
{
    if (!roster_put(&e->roster, job, now))
        e->sick_until = port_now_us() + SICK_US;
    op_wake(&e->alarm);
}

/* Jobs that the last question found outside of their hours. */
static void note_home(struct engine *e)
{
    for (size_t i = 0; i < e->ask.passed_nr; i++)
        if (e->ask.passed[i].now.why)
            goes_home(e, e->ask.passed[i].job, &e->ask.passed[i].now);
    if (e->ask.told)
        port_changed(0);
    e->look = e->look || e->ask.more;
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
        } else if (l->tune.rc == BBT_AGAIN && l->tune.home.why) {
            goes_home(e, l->tune.id, &l->tune.home);
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
        open_till(e);
        if (e->next.rc == BBT_OK || e->next.rc == BBT_NOTFOUND) {
            e->hold_first = false;
            if (e->ask.hold)
                port_changed(0); /* the jobs that it paused */
            note_home(e);
        }
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
            if (e->live_nr == 0 || e->try_disk)
                e->ill.ill = false; /* nobody else is left who would find out, or it took it */
        }
    }
    if (!e->asking && e->look && e->rests.loaded && !e->stopping &&
        e->live_nr < e->conf->queue.max_running && port_now_us() >= e->sick_until)
        ask_next(e);
    if (e->idle && engine_idle(e))
        op_wake(e->idle);
}

/* ---- time ---- */

/* Somebody's endpoint may be away, or back. */
static uint64_t look_for_places(struct engine *e, uint64_t now)
{
    uint64_t next = PORT_NEVER;

    for (struct live *l = e->live; l; l = l->next) {
        (void)standin_look(&l->tune);
        if (standin_watches(&l->tune))
            next = now + PLACES_US;
    }
    return next;
}

/* Hours begin and end; the turn time at which to look again. */
static uint64_t look_at_clock(struct engine *e, uint64_t now)
{
    uint64_t next = PORT_NEVER, soon = now + SHIFT_LOOK_US;
    int64_t wall = port_wall_us(), first;

    for (struct live *l = e->live; l; l = l->next) {
        uint64_t at = tune_look_at_clock(&l->tune);

        next = at < next ? at : next;
    }
    if (roster_look(&e->roster, wall)) {
        e->look = true;
        op_wake(&e->admit);
    }
    if (e->roster.nr == 0)
        return next;
    first = roster_next_us(&e->roster);
    if (first - wall < SHIFT_LOOK_US)
        soon = now + (uint64_t)(first - wall);
    return soon < next ? soon : next;
}

static void alarm_step(struct op *op)
{
    struct engine *e = bbt_container(op, struct engine, alarm);
    uint64_t now = port_now_us(), next = PORT_NEVER, places, clock;

    for (size_t i = 0; i < e->ch_nr; i++) {
        uint64_t at = channel_alarm(&e->ch[i], now);

        next = at < next ? at : next;
    }
    next = till_alarm(&e->till, now) < next ? till_alarm(&e->till, now) : next;
    places = look_for_places(e, now);
    next = places < next ? places : next;
    clock = look_at_clock(e, now);
    next = clock < next ? clock : next;
    if (e->sick_until && e->sick_until <= now) {
        e->sick_until = 0;
        e->look = true;
        op_wake(&e->admit);
    } else if (e->sick_until && e->sick_until < next) {
        next = e->sick_until;
    }
    port_alarm(&e->alarm, next);
    rests_look(&e->rests);
}

/* ---- life ---- */

/* What the providers that share a quota allow together, or one that has its own. */
static size_t together(const struct conf *conf, const struct conf_quota *quota)
{
    const struct conf_provider *p = conf->providers.item;
    size_t n = 0;

    for (size_t i = 0; i < conf->providers.nr; i++)
        if (p[i].quota && strcmp(p[i].quota, quota->name) == 0)
            n += (size_t)p[i].concurrency;
    return n;
}

static enum bbt_rc make_channels(struct engine *e, struct bbt_err *err)
{
    const struct conf *conf = e->conf;
    const struct conf_quota *quota = conf->quotas.item;

    e->ch = bbt_calloc(conf->quotas.nr + conf->providers.nr, sizeof *e->ch);
    e->ep = bbt_calloc(conf->providers.nr, sizeof *e->ep);
    e->shut = bbt_alloc_array(conf->providers.nr, sizeof *e->shut);
    if (!e->ch || !e->ep || !e->shut)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu providers", conf->providers.nr);
    for (; e->ch_nr < conf->quotas.nr; e->ch_nr++)
        channel_init(&e->ch[e->ch_nr], &quota[e->ch_nr], NULL,
            together(conf, &quota[e->ch_nr]), e->q, &e->alarm);
    return BBT_OK;
}

static struct channel *channel_of(struct engine *e, const struct conf_provider *p)
{
    const struct conf_quota *quota = e->conf->quotas.item;

    for (size_t i = 0; p->quota && i < e->conf->quotas.nr; i++)
        if (strcmp(quota[i].name, p->quota) == 0)
            return &e->ch[i];
    channel_init(&e->ch[e->ch_nr], NULL, p, 0, e->q, &e->alarm);
    return &e->ch[e->ch_nr++];
}

enum bbt_rc engine_new(const struct conf *conf, struct turnq *q, struct engine **ret,
    struct bbt_err *err)
{
    const struct conf_provider *p = conf->providers.item;
    struct engine *e = bbt_calloc(1, sizeof *e);
    enum bbt_rc rc;

    if (!e)
        return bbt_fail(err, BBT_NOMEM, "no memory for the engine");
    e->conf = conf;
    e->q = q;
    e->hold_first = conf->queue.on_restart == CONF_HOLD;
    op_init(&e->admit, q, admit_step);
    op_init(&e->alarm, q, alarm_step);
    rc = till_init(&e->till, conf, &e->alarm, err);
    if (rc == BBT_OK)
        rc = make_channels(e, err);
    for (; rc == BBT_OK && e->ep_nr < conf->providers.nr; e->ep_nr++) {
        rc = endpoint_init(&e->ep[e->ep_nr], &p[e->ep_nr], channel_of(e, &p[e->ep_nr]),
            conf->timezone, err);
        e->ep[e->ep_nr].ill = &e->ill;
        if (rc == BBT_OK)
            rc = endpoint_price(&e->ep[e->ep_nr], e->till.zone, err);
    }
    e->rests = (struct rests){.ch = e->ch, .ch_nr = e->ch_nr, .ep = e->ep,
        .ep_nr = e->ep_nr, .ill = &e->ill, .wake = &e->admit};
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
    rests_fini(&e->rests);
    for (size_t i = 0; i < e->ep_nr; i++)
        endpoint_fini(&e->ep[i]);
    for (size_t i = 0; i < e->ch_nr; i++)
        channel_fini(&e->ch[i]);
    op_fini(&e->admit);
    op_fini(&e->alarm);
    bbt_free(e->ep);
    bbt_free(e->ch);
    bbt_free(e->shut);
    admit_fini(&e->ask);
    roster_fini(&e->roster);
    bbt_free(e->days);
    till_fini(&e->till);
    bbt_free(e);
}

void engine_start(struct engine *e)
{
    rests_start(&e->rests, e->q);
    engine_poke(e);
}

void engine_reload(struct engine *e)
{
    const struct conf_quota *quota = e->conf->quotas.item;
    const struct conf_provider *p = e->conf->providers.item;

    for (size_t i = 0; i < e->conf->quotas.nr; i++)
        channel_limit(&e->ch[i], &quota[i], NULL, together(e->conf, &quota[i]));
    for (size_t i = 0; i < e->ep_nr; i++) {
        if (!p[i].quota)
            channel_limit(e->ep[i].channel, NULL, &p[i], 0);
        endpoint_limit(&e->ep[i]);
    }
    till_look(&e->till);
    engine_release(e);
}

void engine_poke(struct engine *e)
{
    e->look = true;
    op_wake(&e->admit);
}

void engine_release(struct engine *e)
{
    uint64_t far = port_now_us() + VERDICT_HINT_MAX_US;

    for (size_t i = 0; i < e->ep_nr; i++) {
        struct endpoint *ep = &e->ep[i];

        if (ep->pause == ENDPOINT_AUTH || ep->pause == ENDPOINT_QUOTA ||
            (!ep->pause && (ep->channel->lane.hold_until > far || ep->gate.hold_until > far ||
                               ep->gate.breaker.state != BREAKER_CLOSED)))
            endpoint_resume(ep);
    }
    engine_poke(e);
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
    rests_stop(&e->rests);
    op_wake(&e->admit);
}

bool engine_idle(const struct engine *e)
{
    return !e->live && !e->asking && rests_idle(&e->rests);
}

size_t engine_running(const struct engine *e)
{
    return e->live_nr;
}

size_t engine_in_flight(const struct engine *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->ep_nr; i++)
        n += e->ep[i].gate.inflight;
    return n;
}

size_t engine_sharing(const struct engine *e, const struct channel *c)
{
    size_t n = 0;

    for (struct live *l = e->live; l; l = l->next)
        n += l->tune.ep && l->tune.ep->channel == c;
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
        ret->provider = ep->conf->name;
        ret->why = endpoint_why(ep, now);
        ret->trouble = ep->trouble ? ep->trouble_text : "";
        if (till_why(&l->tune.account)) {
            ret->why = "usd";
            ret->trouble = till_why(&l->tune.account);
        }
        ret->wait_us = endpoint_wait_us(ep, now);
        return true;
    }
    return false;
}

struct endpoint *engine_waits_for(struct engine *e, int64_t job)
{
    if (e->asking)
        return NULL; /* another thread writes the list */
    for (size_t i = 0; i < e->ask.passed_nr; i++)
        if (e->ask.passed[i].job == job && !e->ask.passed[i].now.why)
            return engine_endpoint(e, e->ask.shut[e->ask.passed[i].shut]);
    return NULL;
}

bool engine_hours(const struct engine *e, int64_t job, struct shift_now *ret)
{
    return roster_has(&e->roster, job, ret);
}

const struct till *engine_till(const struct engine *e)
{
    return &e->till;
}

struct till *engine_purse(struct engine *e)
{
    return &e->till;
}

const struct keep_ill *engine_ill(const struct engine *e)
{
    return e->ill.ill ? &e->ill : NULL;
}

bool engine_loaded(const struct engine *e)
{
    return e->rests.loaded;
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
