#include "engine/query.h"

#include "base/log.h"
#include "prov/verdict.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void query_step(struct op *op);

const char *query_state_name(enum query_state s)
{
    static const char *const names[QUERY_STATE_NR] = {
        "idle", "queued", "gate", "sent", "done"};

    return (unsigned)s < QUERY_STATE_NR ? names[s] : "unknown";
}

static void query_move(struct query *c, enum query_state to)
{
    static const unsigned legal[QUERY_STATE_NR] = {
        [QUERY_IDLE] = 1u << QUERY_QUEUED,
        [QUERY_QUEUED] = 1u << QUERY_GATE | 1u << QUERY_SENT | 1u << QUERY_DONE,
        [QUERY_GATE] = 1u << QUERY_QUEUED | 1u << QUERY_SENT | 1u << QUERY_DONE,
        [QUERY_SENT] = 1u << QUERY_QUEUED | 1u << QUERY_DONE,
    };

    assert(legal[c->state] & 1u << to);
    c->state = to;
}

void query_init(struct query *c, struct turnq *q)
{
    op_init(&c->op, q, query_step);
    sched_item_init(&c->item, c);
    c->state = QUERY_IDLE;
}

void query_start(struct query *c)
{
    query_move(c, QUERY_QUEUED);
    sched_put(c->flow, &c->item, 0, port_now_us());
    op_wake(&c->ep->kick);
}

void query_drop(struct query *c)
{
    c->cancel = true;
    if (c->state != QUERY_IDLE && c->state != QUERY_DONE)
        op_wake(&c->op);
}

void query_abort(struct query *c)
{
    c->hard = true;
    query_drop(c);
}

void query_fini(struct query *c)
{
    assert(c->state == QUERY_IDLE || c->state == QUERY_DONE);
    keep_fini(&c->keep);
    if (c->op.q)
        op_fini(&c->op);
    prov_http_fini(&c->req);
}

void query_grant(struct query *c)
{
    c->granted = true;
    op_wake(&c->op);
}

static void query_end(struct query *c, enum bbt_rc rc)
{
    query_move(c, QUERY_DONE);
    prov_http_fini(&c->req);
    c->rc = rc;
    c->done = true;
    op_wake(c->wake);
}

/* The turn was taken and comes back unused or used. */
static void give_back(struct query *c, enum sched_outcome outcome)
{
    sched_done(&c->item, outcome, port_now_us());
    op_wake(&c->ep->kick);
}

static const char *reply_header(const void *arg, const char *name)
{
    return port_http_header(arg, name);
}

static void on_bytes(struct port_http *x, const void *bytes, size_t len)
{
    struct query *c = bbt_container(x, struct query, x);
    struct prov_reply r = {x->status, reply_header, x, bytes, len};

    c->feed(c, &r);
}

static void send_now(struct query *c)
{
    const struct conf_provider *conf = c->ep->conf;
    enum bbt_rc rc = c->encode(c, &c->req, &c->err);

    if (rc != BBT_OK) {
        give_back(c, SCHED_NEUTRAL);
        c->reason = "provider";
        query_end(c, rc);
        return;
    }
    query_move(c, QUERY_SENT);
    c->x = (struct port_http){
        .method = c->req.method,
        .base_url = conf->url,
        .path = c->req.path,
        .provider = conf->name,
        .headers = c->req.headers,
        .body = c->req.slice,
        .slices = c->req.slices,
        .timeout_us = conf->timeout_us,
        .connect_timeout_us = conf->connect_timeout_us,
        .response_max = (size_t)conf->response_max,
        .take = c->feed ? on_bytes : NULL,
        .wake = &c->op,
    };
    for (size_t i = 0; i < c->req.headers; i++) {
        c->x.header[i].name = c->req.header[i].name;
        c->x.header[i].value = c->req.header[i].value;
    }
    c->aborted = false;
    c->tries++;
    c->ep->sent++;
    port_http_start(&c->x);
}

/* A failure that may pass: back into the queue, unless this has gone on for too long. */
static void retry(struct query *c, const struct verdict *v)
{
    const struct conf_provider *conf = c->ep->conf;
    uint64_t now = port_now_us(), wait;

    c->failures++;
    c->ep->failed++;
    c->ep->trouble = v->outcome;
    (void)snprintf(c->ep->trouble_text, sizeof c->ep->trouble_text, "%.*s",
        (int)sizeof c->ep->trouble_text - 1, v->text);
    if (!c->trouble_us)
        c->trouble_us = now;
    c->alike = c->outcome && strcmp(c->outcome, v->outcome) == 0 ? c->alike + 1 : 1;
    c->outcome = v->outcome;
    give_back(c, v->throttled ? SCHED_THROTTLED : SCHED_FAILED);
    if ((v->tries_max && c->alike >= v->tries_max) ||
        (conf->retry.give_up_us && now - c->trouble_us > conf->retry.give_up_us)) {
        c->reason = "provider";
        query_end(c, bbt_fail(&c->err, BBT_AGAIN, "%s: gave up after %u attempts: %s",
                        conf->name, c->tries, v->text));
        return;
    }
    wait = sched_backoff_within_us(conf->retry.base_us, conf->retry.cap_us, c->tries,
        v->hint_us, port_jitter());
    if (c->failures == 1)
        log_warn("request-retry", "%s: %s; next attempt in %.1f s", conf->name, v->text,
            (double)wait / 1e6);
    query_move(c, QUERY_QUEUED);
    sched_put(c->flow, &c->item, now + wait, now);
    op_wake(&c->ep->kick);
}

static void give_up(struct query *c, const struct verdict *v)
{
    c->failures++;
    c->ep->failed++;
    give_back(c, SCHED_NEUTRAL);
    if (v->class == VERDICT_CANCELED) {
        query_end(c, BBT_CANCELED);
        return;
    }
    c->reason = v->class == VERDICT_PAUSE_AUTH ? "auth"
        : v->class == VERDICT_PAUSE_QUOTA      ? "quota"
                                               : "provider";
    query_end(c, bbt_fail(&c->err,
                    v->class == VERDICT_PAUSE_AUTH ? BBT_DENIED : BBT_INVALID, "%s: %s",
                    c->ep->conf->name, v->text));
}

static void judge(struct query *c, const struct verdict *v)
{
    if (v->hold && v->hint_us) /* for all, whatever becomes of this one */
        sched_hold(&c->ep->lane, port_now_us() + v->hint_us);
    if (v->class == VERDICT_RETRY && c->cancel) {
        c->failures++;
        give_back(c, SCHED_FAILED);
        query_end(c, BBT_CANCELED);
    } else if (v->class == VERDICT_RETRY) {
        retry(c, v);
    } else {
        give_up(c, v);
    }
}

/* What belongs to the attempt goes; the next one is encoded anew. */
static void request_over(struct query *c)
{
    port_http_fini(&c->x);
    prov_http_fini(&c->req);
    if (c->over)
        c->over(c);
}

static void take_answer(struct query *c)
{
    struct prov_reply r = {c->x.status, reply_header, &c->x, c->x.answer, c->x.answer_len};
    struct verdict v;

    verdict_of(c->x.rc, &c->x.err, &r, port_wall_us(), &v);
    if (v.class == VERDICT_ANSWERED || (c->raw && v.class == VERDICT_REFUSED)) {
        enum bbt_rc rc = c->decode(c, &r, &c->err);

        if (rc == BBT_OK) {
            c->latency_us = c->x.total_us;
            c->ep->answered++;
            c->ep->answered_us = port_now_us();
            c->ep->trouble = NULL;
            request_over(c);
            give_back(c, SCHED_GOOD);
            query_end(c, BBT_OK);
            return;
        }
        c->err.rc = rc;
        verdict_of_decode(&c->err, &v);
    }
    request_over(c);
    judge(c, &v);
}

/* A server may have asked for a rest since the turn was granted: then it is given back. */
static void send_or_wait(struct query *c)
{
    uint64_t now = port_now_us();

    if (c->ep->lane.hold_until <= now) {
        send_now(c);
        return;
    }
    give_back(c, SCHED_NEUTRAL);
    if (c->state != QUERY_QUEUED)
        query_move(c, QUERY_QUEUED);
    sched_put(c->flow, &c->item, 0, now);
}

/* Else a polite stop would leave marks of what never left. */
static void take_back(struct query *c)
{
    keep_fini(&c->keep);
    c->ungating = true;
    c->keep = (struct keep){.run = c->ungate, .ill = c->ep->ill, .wake = &c->op};
    keep_start(&c->keep, c->op.q);
    if (c->hard)
        keep_drop(&c->keep);
}

static void end_unsent(struct query *c, enum bbt_rc rc)
{
    if (c->item.state == SCHED_SENT)
        give_back(c, SCHED_NEUTRAL);
    query_end(c, rc);
}

static void step_queued(struct query *c)
{
    if (c->granted && !c->cancel) {
        c->granted = false;
        if (!c->gate || c->gated) {
            send_or_wait(c);
            return;
        }
        query_move(c, QUERY_GATE);
        c->keep = (struct keep){.run = c->gate, .ill = c->ep->ill, .wake = &c->op};
        keep_start(&c->keep, c->op.q);
        return;
    }
    if (!c->cancel)
        return;
    if (!c->granted)
        sched_cancel(&c->item);
    c->granted = false;
    if (c->gated && c->tries == 0 && c->ungate) {
        query_move(c, QUERY_GATE);
        take_back(c);
        return;
    }
    end_unsent(c, BBT_CANCELED);
}

static void step_gate(struct query *c)
{
    if (c->cancel && (!c->ungating || c->hard))
        keep_drop(&c->keep);
    if (!c->keep.done)
        return;
    c->gated = c->keep.call.rc == BBT_OK && !c->ungating;
    if (c->gated && !c->cancel) {
        send_or_wait(c);
        return;
    }
    if (c->gated && c->ungate) {
        take_back(c);
        return;
    }
    if (!c->cancel)
        c->err = c->keep.call.err;
    end_unsent(c, c->cancel ? BBT_CANCELED : c->keep.call.rc);
}

static void query_step(struct op *op)
{
    struct query *c = bbt_container(op, struct query, op);

    switch (c->state) {
    case QUERY_QUEUED:
        step_queued(c);
        return;
    case QUERY_GATE:
        step_gate(c);
        return;
    case QUERY_SENT:
        if (c->x.done) {
            take_answer(c);
        } else if (c->hard && !c->aborted) {
            c->aborted = true;
            port_http_abort(&c->x);
        }
        return;
    default:
        return;
    }
}
