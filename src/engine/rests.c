#include "engine/rests.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "engine/query.h"

#include <stdio.h>
#include <string.h>

#define LOAD_SINCE_US (QUOTA_MINUTE_US + 5000000)
#define MOMENT_US 1000000u

/* ---- loading ---- */

static void run_load(struct port_call *p, struct port_db *db)
{
    struct rests *r = bbt_container(p, struct rests, keep.call);

    bbt_free(r->sent);
    bbt_free(r->rests);
    r->sent = NULL;
    r->rests = NULL;
    p->rc = port_db_sent_list(db, r->since_us, &r->sent, &r->sent_nr, &p->err);
    if (p->rc == BBT_OK)
        p->rc = port_db_rest_list(db, &r->rests, &r->rests_nr, &p->err);
}

static struct channel *channel_named(struct rests *r, const char *name)
{
    for (size_t i = 0; i < r->ch_nr; i++)
        if (strcmp(r->ch[i].name, name) == 0)
            return &r->ch[i];
    return NULL;
}

/* A request left up to QUERY_NOTE_US after its note; not after now, whatever the clock did. */
static void take_sent(struct rests *r, uint64_t now, int64_t wall)
{
    for (size_t i = 0; i < r->sent_nr; i++) {
        const struct rec_sent *s = &r->sent[i];
        struct channel *c = channel_named(r, s->quota);
        int64_t age = wall - s->wall_us - (int64_t)QUERY_NOTE_US;
        uint64_t at = age <= 0 ? now : now > (uint64_t)age ? now - (uint64_t)age : 0;

        if (c)
            quota_restore(&c->lane.quota, at, s->requests, s->tokens);
    }
}

static void take_rest(
    struct rests *r, const struct rec_rest *rest, uint64_t now, int64_t wall)
{
    struct endpoint *e = rest->limit ? NULL : endpoint_find(r->ep, r->ep_nr, rest->name);
    struct channel *c = rest->limit ? channel_named(r, rest->name) : NULL;
    uint64_t left = rest->until_us > wall ? (uint64_t)(rest->until_us - wall) : 0;

    if (c)
        sched_hold(&c->lane, now + left);
    if (!e)
        return;
    if (rest->until_us) {
        gate_hold(&e->gate, now + left);
    } else if (strcmp(rest->reason, "auth") == 0) {
        e->was_paused = true; /* credentials were read anew: one request may try them */
        e->changed++;
        return;
    } else {
        endpoint_pause(e,
            strcmp(rest->reason, "quota") == 0 ? ENDPOINT_QUOTA : ENDPOINT_USER, rest->text);
        e->was_paused = true;
    }
    e->kept = e->changed;
}

static void take_all(struct rests *r)
{
    uint64_t now = port_now_us();
    int64_t wall = port_wall_us();

    for (size_t i = 0; i < r->ch_nr; i++) {
        sched_release(&r->ch[i].lane);
        channel_kick(&r->ch[i]);
    }
    take_sent(r, now, wall);
    for (size_t i = 0; i < r->rests_nr; i++)
        take_rest(r, &r->rests[i], now, wall);
    bbt_free(r->sent);
    bbt_free(r->rests);
    r->sent = NULL;
    r->rests = NULL;
    r->sent_nr = r->rests_nr = 0;
    r->loaded = true;
    op_wake(r->wake);
}

/* ---- keeping ---- */

static void run_keep(struct port_call *p, struct port_db *db)
{
    struct rests *r = bbt_container(p, struct rests, keep.call);

    BBT_KILLPOINT("rest-put");
    p->rc = port_db_rest_put(db, &r->row, &p->err);
    if (p->rc == BBT_OK && r->event)
        p->rc = port_db_event(db, 0, r->event, r->row.text[0] ? r->row.text : r->row.name,
            &p->err);
    BBT_KILLPOINT("rest-done");
}

static void begin(struct rests *r, void (*run)(struct port_call *p, struct port_db *db))
{
    keep_fini(&r->keep);
    r->busy = true;
    r->keep = (struct keep){.run = run, .ill = r->ill, .wake = &r->op};
    keep_start(&r->keep, r->q);
    if (r->stopping)
        keep_drop(&r->keep);
}

/* The hold as a row; false where it is over in a moment and was never kept. */
static void row_of_hold(struct rec_rest *row, uint64_t hold_until)
{
    uint64_t now = port_now_us();

    if (hold_until <= now + MOMENT_US)
        return; /* no reason: over */
    row->until_us = hold_until - now > (uint64_t)INT64_MAX / 4
        ? INT64_MAX / 4
        : port_wall_us() + (int64_t)(hold_until - now);
    (void)snprintf(row->reason, sizeof row->reason, "hold");
}

static bool keep_endpoint(struct rests *r, struct endpoint *e)
{
    struct rec_rest row = {.limit = 0};

    if (e->kept == e->changed || e->acting)
        return false;
    (void)snprintf(row.name, sizeof row.name, "%s", e->conf->name);
    r->event = NULL;
    if (e->pause) {
        (void)snprintf(row.reason, sizeof row.reason, "%s", endpoint_wall_name(e->pause));
        (void)snprintf(row.text, sizeof row.text, "%s", e->pause_text);
        r->event = "provider-paused";
    } else {
        row_of_hold(&row, e->gate.hold_until);
        if (e->was_paused)
            r->event = "provider-resumed";
    }
    e->was_paused = e->pause != ENDPOINT_FREE;
    r->row = row;
    r->kept = &e->kept;
    r->kept_value = e->changed;
    return true;
}

static bool keep_channel(struct rests *r, struct channel *c)
{
    if (c->kept == c->changed)
        return false;
    r->row = (struct rec_rest){.limit = 1};
    (void)snprintf(r->row.name, sizeof r->row.name, "%s", c->name);
    row_of_hold(&r->row, c->lane.hold_until);
    r->event = NULL;
    r->kept = &c->kept;
    r->kept_value = c->changed;
    return true;
}

static bool next_change(struct rests *r)
{
    for (size_t i = 0; i < r->ep_nr; i++)
        if (keep_endpoint(r, &r->ep[i]))
            return true;
    for (size_t i = 0; i < r->ch_nr; i++)
        if (keep_channel(r, &r->ch[i]))
            return true;
    return false;
}

static void rests_step(struct op *op)
{
    struct rests *r = bbt_container(op, struct rests, op);

    if (r->busy && r->keep.done) {
        r->busy = false;
        if (r->keep.call.rc != BBT_OK) {
            log_error("store-trouble", "rests of providers: %s", r->keep.call.err.msg);
            r->given_up = r->stopping;
        } else if (r->event) {
            port_changed(0);
        }
        if (r->loaded)
            *r->kept = r->kept_value;
        else if (!r->stopping)
            take_all(r);
    }
    if (!r->busy && r->loaded && !r->given_up && next_change(r))
        begin(r, run_keep);
    if (!r->busy && r->stopping)
        op_wake(r->wake);
}

void rests_start(struct rests *r, struct turnq *q)
{
    r->q = q;
    op_init(&r->op, q, rests_step);
    for (size_t i = 0; i < r->ch_nr; i++)
        sched_hold(&r->ch[i].lane, SCHED_NEVER);
    r->since_us = port_wall_us() - (int64_t)LOAD_SINCE_US;
    begin(r, run_load);
}

void rests_look(struct rests *r)
{
    if (r->loaded && !r->busy)
        op_wake(&r->op);
}

void rests_stop(struct rests *r)
{
    r->stopping = true;
    if (!r->op.q)
        return;
    if (r->busy)
        keep_drop(&r->keep);
    op_wake(&r->op);
}

bool rests_idle(const struct rests *r)
{
    return !r->busy;
}

void rests_fini(struct rests *r)
{
    keep_fini(&r->keep);
    if (r->op.q)
        op_fini(&r->op);
    bbt_free(r->sent);
    bbt_free(r->rests);
}
