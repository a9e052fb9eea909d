#include "engine/query.h"

#include "base/killpoint.h"
#include "base/log.h"
#include "prov/verdict.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HELD_MAX ((size_t)32 << 20)

/* A disk that takes longer than QUERY_NOTE_US for every note does not stop the work. */
#define NOTES_MAX 4u

static void query_step(struct op *op);

const char *query_state_name(enum query_state s)
{
    static const char *const names[QUERY_STATE_NR] = {
        "idle", "queued", "gate", "sent", "book", "done"};

    return (unsigned)s < QUERY_STATE_NR ? names[s] : "unknown";
}

static void query_move(struct query *c, enum query_state to)
{
    static const unsigned legal[QUERY_STATE_NR] = {
        [QUERY_IDLE] = 1u << QUERY_QUEUED,
        [QUERY_QUEUED] =
            1u << QUERY_GATE | 1u << QUERY_SENT | 1u << QUERY_BOOK | 1u << QUERY_DONE,
        [QUERY_GATE] =
            1u << QUERY_QUEUED | 1u << QUERY_SENT | 1u << QUERY_BOOK | 1u << QUERY_DONE,
        [QUERY_SENT] = 1u << QUERY_QUEUED | 1u << QUERY_BOOK | 1u << QUERY_DONE,
        [QUERY_BOOK] = 1u << QUERY_DONE,
    };

    assert(legal[c->state] & 1u << to);
    c->state = to;
}

void query_init(struct query *c, struct turnq *q)
{
    op_init(&c->op, q, query_step);
    sched_item_init(&c->item, c, c->cost);
    c->bill = (struct till_bill){.account = c->account,
        .tokens_in = c->cost + c->cost_more,
        .tokens_out = c->cost_out,
        .wake = &c->op,
        .ledger = c->ledger};
    c->state = QUERY_IDLE;
}

void query_start(struct query *c)
{
    query_move(c, QUERY_QUEUED);
    backoff_earn(&c->ep->budget);
    sched_put(c->flow, &c->item, 0, port_now_us());
    channel_kick(c->ep->channel);
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
    assert(!c->bill.held.open && !c->bill.waits);
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

void query_wall(struct query *c)
{
    c->walled = true;
    op_wake(&c->op);
}

static void query_done(struct query *c)
{
    query_move(c, QUERY_DONE);
    c->done = true;
    op_wake(c->wake);
}

static void run_book(struct port_call *p, struct port_db *db)
{
    struct query *c = bbt_container(p, struct query, keep.call);

    BBT_KILLPOINT("book");
    p->rc = till_end(&c->bill, db, &p->err);
}

static void query_end(struct query *c, enum bbt_rc rc)
{
    prov_http_fini(&c->req);
    c->rc = rc;
    till_forget(&c->bill);
    till_free(&c->bill); /* what may have been charged is settled or lost by now */
    if (!till_owes(&c->bill) || (rc == BBT_OK && c->ledger)) {
        query_done(c);
        return;
    }
    query_move(c, QUERY_BOOK);
    keep_fini(&c->keep);
    c->keep = (struct keep){.run = run_book, .ill = c->ep->ill, .wake = &c->op};
    keep_start(&c->keep, c->op.q);
    if (c->hard)
        keep_drop(&c->keep); /* what the disk does not take now, the next start books */
}

/* The turn was taken and comes back unused or used. */
static void give_back(struct query *c, enum sched_outcome outcome)
{
    const struct breaker *b = &c->ep->gate.breaker;
    enum breaker_state was = b->state;

    sched_done(&c->item, outcome, port_now_us());
    channel_kick(c->ep->channel);
    if (b->state != was)
        op_wake(c->ep->channel->alarm);
    if (b->state == BREAKER_OPEN && was != BREAKER_OPEN)
        log_warn("provider-away", "%s does not answer; one request tries it in %.0f s",
            c->ep->conf->name, (double)b->open_len / 1e6);
    else if (b->state == BREAKER_CLOSED && was != BREAKER_CLOSED)
        log_info("provider-back", "%s answers again", c->ep->conf->name);
}

static const char *reply_header(const void *arg, const char *name)
{
    return port_http_header(arg, name);
}

/* What is not read as it comes is held in memory. */
static size_t response_max(const struct query *c)
{
    size_t max = (size_t)c->ep->conf->response_max;

    return c->feed || max < HELD_MAX ? max : HELD_MAX;
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
        .response_max = response_max(c),
        .take = c->feed ? on_bytes : NULL,
        .wake = &c->op,
    };
    for (size_t i = 0; i < c->req.headers; i++) {
        c->x.header[i].name = c->req.header[i].name;
        c->x.header[i].value = c->req.header[i].value;
    }
    c->aborted = false;
    c->noted = false;
    c->notes = 0;
    c->tries++;
    c->ep->sent++;
    sched_sent(&c->item, port_now_us());
    channel_kick(c->ep->channel); /* now the quota knows when there is room again */
    port_http_start(&c->x);
}

static bool is_rate(const struct verdict *v)
{
    return strcmp(v->outcome, "rate_limited") == 0;
}

/* What a failure says about the endpoint. */
static enum sched_outcome outcome_of(const struct verdict *v)
{
    return !v->throttled ? SCHED_FAILED : is_rate(v) ? SCHED_THROTTLED : SCHED_OVERLOADED;
}

static void note_trouble(struct query *c, const struct verdict *v)
{
    c->failures++;
    endpoint_trouble(c->ep, v->outcome, v->text);
    if (!c->trouble_us)
        c->trouble_us = port_now_us();
    c->alike = c->outcome && strcmp(c->outcome, v->outcome) == 0 ? c->alike + 1 : 1;
    c->outcome = v->outcome;
}

/* A failure that may pass: back into the queue, unless this has gone on for too long. */
static void retry(struct query *c, const struct verdict *v)
{
    const struct conf_provider *conf = c->ep->conf;
    uint64_t now = port_now_us(), wait;
    unsigned tries;

    note_trouble(c, v);
    give_back(c, outcome_of(v));
    if ((v->tries_max && c->alike >= v->tries_max) ||
        (conf->retry.give_up_us && now - c->trouble_us > conf->retry.give_up_us)) {
        c->reason = "provider";
        query_end(c, bbt_fail(&c->err, BBT_AGAIN, "%s: gave up after %u attempts: %s",
                        conf->name, c->tries, v->text));
        return;
    }
    tries = c->tries + (backoff_spend(&c->ep->budget) ? 0 : BACKOFF_BEYOND);
    wait = backoff_us(
        conf->retry.base_us, conf->retry.cap_us, tries, v->hint_us, port_jitter());
    if (c->failures == 1)
        log_warn("request-retry", "%s: %s; next attempt in %.1f s", conf->name, v->text,
            (double)wait / 1e6);
    query_move(c, QUERY_QUEUED);
    c->item.hinted = v->hint_us > 0;
    sched_put(c->flow, &c->item, now + wait, now);
    channel_kick(c->ep->channel);
}

/* What else there is to do about a request that is too large. */
static const char *too_large(struct query *c)
{
    c->shrink = c->rows > 1;
    return c->shrink ? "" : " (it cannot be made smaller: shorten the texts, or have that limit "
                            "raised)";
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
    if (v->class == VERDICT_PAUSE_AUTH)
        endpoint_pause(c->ep, ENDPOINT_AUTH, v->text);
    else if (v->class == VERDICT_PAUSE_QUOTA)
        endpoint_pause(c->ep, ENDPOINT_QUOTA, v->text);
    c->reason = v->class == VERDICT_PAUSE_AUTH ? "auth"
        : v->class == VERDICT_PAUSE_QUOTA      ? "quota"
                                               : "provider";
    query_end(c, bbt_fail(&c->err,
                    v->class == VERDICT_PAUSE_AUTH ? BBT_DENIED : BBT_INVALID, "%s: %s%s",
                    c->ep->conf->name, v->text,
                    v->class == VERDICT_SHRINK ? too_large(c) : ""));
}

/* Was an attempt without an answer charged? A server that says an error does not charge, and
 * what never left costs nothing: the reservation, which the store knows too, is kept for the
 * next attempt. Nobody knows about the rest. */
static void settle_failed(struct query *c)
{
    if (c->x.rc == BBT_OK ? c->x.status < 300 : c->x.sent)
        till_lost(&c->bill);
}

static void judge(struct query *c, const struct verdict *v)
{
    /* for all, whatever becomes of this one: the limit, or the server alone */
    if (v->hold && v->hint_us)
        endpoint_hold(c->ep, v->hint_us, is_rate(v));
    if (v->class == VERDICT_RETRY && c->cancel) {
        c->failures++;
        give_back(c, outcome_of(v));
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

    if (c->x.rc == BBT_OK)
        channel_learn(c->ep->channel, &r);
    verdict_of(c->x.rc, &c->x.err, &r, port_wall_us(), &v);
    if (v.class == VERDICT_ANSWERED || (c->raw && v.class == VERDICT_REFUSED)) {
        enum bbt_rc rc = c->decode(c, &r, &c->err);

        if (rc == BBT_OK) {
            c->latency_us = c->x.total_us;
            c->ep->answered++;
            c->ep->answered_us = port_now_us();
            c->ep->trouble = NULL;
            sched_settle(&c->item, c->spent, port_now_us());
            till_settle(&c->bill, c->spent - c->spent_out, c->spent_out);
            request_over(c);
            give_back(c, SCHED_GOOD);
            query_end(c, BBT_OK);
            return;
        }
        c->err.rc = rc;
        verdict_of_decode(&c->err, &v);
    }
    settle_failed(c);
    request_over(c);
    judge(c, &v);
}

static bool limited(const struct query *c)
{
    return quota_limited(&c->ep->channel->lane.quota);
}

static void run_gate(struct port_call *p, struct port_db *db)
{
    struct query *c = bbt_container(p, struct query, keep.call);

    if (c->marking)
        c->gate(p, db);
    if (p->rc == BBT_OK && c->paying)
        p->rc = till_put(&c->bill, db, &p->err);
    if (p->rc != BBT_OK || !c->noting)
        return;
    BBT_KILLPOINT("sent-put");
    p->rc = port_db_sent_put(db, &c->note, &p->err);
    BBT_KILLPOINT("sent-done");
}

/* True where something must become durable before this attempt leaves. A note that the disk
 * took too long for would tell a restarted daemon a time that is too early. */
static bool needs_gate(struct query *c)
{
    c->marking = c->gate && !c->gated;
    c->noting = limited(c) && c->notes < NOTES_MAX &&
        (!c->noted || port_now_us() - c->noted_us > QUERY_NOTE_US);
    c->paying = c->bill.unsaid;
    return c->marking || c->noting || c->paying;
}

static void pass_gate(struct query *c)
{
    if (c->state != QUERY_GATE)
        query_move(c, QUERY_GATE);
    if (c->noting) {
        c->notes++;
        c->noted_us = port_now_us();
        c->note = (struct rec_sent){
            .wall_us = port_wall_us(), .requests = 1, .tokens = c->item.cost};
        memcpy(c->note.quota, c->ep->channel->name, sizeof c->note.quota);
    }
    keep_fini(&c->keep);
    c->keep = (struct keep){.run = run_gate, .ill = c->ep->ill, .wake = &c->op};
    keep_start(&c->keep, c->op.q);
}

static void queue_again(struct query *c)
{
    give_back(c, SCHED_NEUTRAL);
    if (c->state != QUERY_QUEUED)
        query_move(c, QUERY_QUEUED);
    sched_put(c->flow, &c->item, 0, port_now_us());
}

/* A server may have asked for a rest since the turn was granted, the job's hours may be over,
 * or the day for which money was reserved: then it is given back. */
static void send_or_wait(struct query *c)
{
    uint64_t now = port_now_us();

    if (endpoint_shut(c->ep, &c->item, now) || sched_over(c->flow, now))
        queue_again(c);
    else if (needs_gate(c))
        pass_gate(c);
    else if (!till_leave(&c->bill))
        queue_again(c);
    else
        send_now(c);
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

/* No minute's allowance is enough for it. */
static void end_oversize(struct query *c)
{
    const struct quota *q = &c->ep->channel->lane.quota;

    c->reason = "provider";
    end_unsent(c,
        bbt_fail(&c->err, BBT_INVALID,
            "%s: one request takes about %llu tokens, and its limit allows %llu a minute%s",
            c->ep->conf->name, (unsigned long long)c->item.cost,
            (unsigned long long)q->cap[SLIDE_TOKENS], too_large(c)));
}

static void end_walled(struct query *c)
{
    c->reason = endpoint_wall_name(c->ep->pause);
    end_unsent(c,
        bbt_fail(&c->err, c->ep->pause == ENDPOINT_AUTH ? BBT_DENIED : BBT_INVALID, "%s: %s",
            c->ep->conf->name, c->ep->pause_text));
}

/* True where the worst case is reserved. Else it waits for what others hold or for another
 * day, out of the queue; or the job's own limit is reached, and it ends. */
static bool pay(struct query *c)
{
    switch (till_ask(&c->bill, &c->reason, &c->err)) {
    case TILL_GO:
        return true;
    case TILL_WAIT:
        give_back(c, SCHED_NEUTRAL);
        return false;
    default:
        end_unsent(c, c->err.rc);
        return false;
    }
}

static void step_queued(struct query *c)
{
    if (c->bill.called && !c->cancel) {
        c->bill.called = false;
        if (c->trouble_us) /* a night without money is no outage */
            c->trouble_us = port_now_us();
        sched_put(c->flow, &c->item, 0, port_now_us());
        channel_kick(c->ep->channel);
        return;
    }
    if (c->walled && !c->cancel) {
        c->walled = false;
        if (c->ep->wall) {
            end_walled(c);
        } else { /* somebody has ended the pause meanwhile */
            sched_put(c->flow, &c->item, 0, port_now_us());
            channel_kick(c->ep->channel);
        }
        return;
    }
    if (c->granted && !c->cancel) {
        c->granted = false;
        if (c->item.oversize)
            end_oversize(c);
        else if (pay(c))
            send_or_wait(c);
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
    bool good;

    if (c->cancel && (!c->ungating || c->hard))
        keep_drop(&c->keep);
    if (!c->keep.done)
        return;
    good = c->keep.call.rc == BBT_OK;
    if (c->ungating) {
        c->gated = false;
        end_unsent(c, BBT_CANCELED);
        return;
    }
    c->gated = c->gated || (good && c->marking);
    c->noted = c->noted || (good && c->noting);
    if (good && c->paying)
        till_put_done(&c->bill);
    if (good && !c->cancel) {
        send_or_wait(c);
        return;
    }
    if (c->gated && c->tries == 0 && c->ungate) {
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
    case QUERY_BOOK:
        if (c->keep.done) {
            till_booked(&c->bill, c->keep.call.rc == BBT_OK);
            query_done(c);
        } else if (c->hard) {
            keep_drop(&c->keep);
        }
        return;
    default:
        return;
    }
}
