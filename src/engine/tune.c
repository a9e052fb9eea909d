#include "engine/tune.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "engine/demo.h"
#include "engine/standin.h"
#include "engine/tune_end.h"
#include "engine/tune_load.h"
#include "engine/tune_gen.h"
#include "prov/verdict.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *tune_state_name(enum tune_state s)
{
    static const char *const names[TUNE_STATE_NR] = {"load", "probe", "build", "tokens",
        "pack", "embed", "search", "first", "train", "tell", "dev", "commit", "prompt", "test",
        "manual", "calibrate", "demo", "context", "result", "verdict", "over"};

    return (unsigned)s < TUNE_STATE_NR ? names[s] : "unknown";
}

void tune_move(struct tune *t, enum tune_state to)
{
    /* forward along the picture, back only where it says so, out from anywhere */
    assert(to > t->state || (t->state == TUNE_COMMIT && to == TUNE_TRAIN) ||
        (t->state == TUNE_CONTEXT && to == TUNE_DEMO) || t->state == TUNE_LOAD);
    log_debug("job-step", "job=%lld %s -> %s", (long long)t->id, tune_state_name(t->state),
        tune_state_name(to));
    t->state = to;
}

void tune_work(struct tune *t, enum tune_state to,
    void (*run)(struct port_call *c, struct port_db *db))
{
    tune_move(t, to);
    t->work = (struct port_call){.run = run, .wake = &t->op};
    port_work_run(&t->work);
}

void tune_keep(struct tune *t, enum tune_state to,
    void (*run)(struct port_call *c, struct port_db *db))
{
    tune_move(t, to);
    t->wall_us = port_wall_us();
    t->spent_us = port_now_us() - t->since_us;
    t->since_us += t->spent_us;
    t->keep = (struct keep){.run = run, .ill = t->ill, .wake = &t->op};
    keep_start(&t->keep, t->q);
    if (t->halt)
        keep_drop(&t->keep);
}

static void run_verdict(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, keep.call);
    struct rec_usage add = {.active_us = t->spent_us, .failures = t->failures};
    enum rec_state to = t->failed ? REC_FAILED : REC_PAUSED;

    BBT_KILLPOINT("verdict");
    c->rc = port_db_state(
        db, t->id, 1u << REC_RUNNING, to, t->reason, t->err.msg, &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_usage(db, t->id, &add, &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_event(db, t->id, rec_state_name(to), t->err.msg, &c->err);
    BBT_KILLPOINT("verdict-done");
}

static void run_again(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, keep.call);
    struct rec_usage add = {.active_us = t->spent_us, .failures = t->failures};

    BBT_KILLPOINT("again");
    c->rc = port_db_state(db, t->id, 1u << REC_RUNNING, t->again.to, t->again.reason,
        t->again.to == REC_RUNNING ? "" : t->again.text, &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_usage(db, t->id, &add, &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_event(db, t->id, t->again.event, t->again.text, &c->err);
    BBT_KILLPOINT("again-done");
}

void tune_over(struct tune *t, enum bbt_rc rc)
{
    tune_move(t, TUNE_OVER);
    t->rc = rc;
    t->over = true;
    op_wake(t->wake);
}

void tune_stop(struct tune *t, enum bbt_rc rc, const struct bbt_err *err, const char *reason)
{
    if (t->again.text[0] && !t->halt && (rc == BBT_OK || rc == BBT_CANCELED)) {
        t->rc = BBT_AGAIN;
        log_info("job-again", "job=%lld %s", (long long)t->id, t->again.text);
        tune_keep(t, TUNE_VERDICT, run_again);
        return;
    }
    if (t->halt || rc == BBT_CANCELED) {
        tune_over(t, BBT_CANCELED);
        return;
    }
    if (err)
        t->err = *err;
    if (rc == BBT_IO) {
        tune_over(t, rc); /* the store is ill: nothing can be written about it now */
        return;
    }
    if (t->model && reason && strcmp(reason, "provider") == 0)
        t->model->stale = true; /* it may have become another server */
    t->rc = rc;
    t->failed = !reason && (rc == BBT_INVALID || rc == BBT_CORRUPT);
    t->reason = reason ? reason : rc == BBT_INVALID ? "data" : "internal";
    log_warn(t->failed ? "job-failed" : "job-paused", "job=%lld reason=%s: %s",
        (long long)t->id, t->reason, t->err.msg);
    tune_keep(t, TUNE_VERDICT, run_verdict);
}

/* True where the story ends here; it has then been told so. */
static bool ended(struct tune *t, enum bbt_rc rc, const struct bbt_err *err,
    const char *reason)
{
    if (rc == BBT_OK && !t->halt && !t->again.text[0])
        return false;
    if (standin_takes(t, rc, err, reason))
        rc = BBT_CANCELED;
    tune_stop(t, rc, err, reason);
    return true;
}

static void after_work(struct tune *t)
{
    switch (t->state) {
    case TUNE_LOAD:
        tune_loaded(t);
        return;
    case TUNE_BUILD:
        tune_built(t);
        return;
    case TUNE_PACK:
        tune_packed(t);
        return;
    case TUNE_SEARCH:
        tune_searched(t);
        return;
    case TUNE_DEMO:
        tune_context(t);
        return;
    case TUNE_TELL:
        tune_told(t);
        return;
    case TUNE_PROMPT:
        tune_test(t);
        return;
    default:
        assert(0 && "no such step");
    }
}

static void after_keep(struct tune *t)
{
    port_changed(t->id);
    switch (t->state) {
    case TUNE_FIRST:
        BBT_KILLPOINT("first-turn-kept");
        if (t->spec->prompt == JOB_NONE)
            tune_baselines(t);
        else
            tune_train(t);
        return;
    case TUNE_COMMIT:
        tune_committed(t);
        return;
    case TUNE_RESULT:
        BBT_KILLPOINT("result-kept");
        tune_over(t, BBT_OK);
        return;
    default:
        assert(0 && "no such step");
    }
}

static void after_round(struct tune *t)
{
    switch (t->state) {
    case TUNE_TRAIN:
        tune_tell(t);
        return;
    case TUNE_DEV:
        tune_judged(t);
        return;
    default:
        tune_measured(t);
        return;
    }
}

/* The round met a request that is too large: the job begins again, with smaller ones. */
static bool is_shrunk(struct tune *t)
{
    const struct round *r = &t->round;
    char said[sizeof t->again.text];
    int n;

    if (!r->shrink)
        return false;
    endpoint_model_shrink(t->model, r->shrink);
    n = snprintf(said, sizeof said, "from now on %zu examples a request instead of %zu: ",
        t->model->rows_max, r->shrink);
    verdict_clean(r->err.msg, strlen(r->err.msg), said + n, sizeof said - (size_t)n);
    tune_again(t, REC_RUNNING, "working", "batch", said);
    return true;
}

static void tune_step(struct op *op)
{
    struct tune *t = bbt_container(op, struct tune, op);

    switch (t->state) {
    case TUNE_PROBE:
        if (t->probe.done && !ended(t, t->probe.rc, &t->probe.err, t->probe.reason))
            tune_build(t);
        return;
    case TUNE_TOKENS:
        if (t->lexer.done && !ended(t, t->lexer.rc, &t->lexer.err, t->lexer.reason))
            tune_lexed(t);
        return;
    case TUNE_EMBED:
        if (t->embed.done && !ended(t, t->embed.rc, &t->embed.err, t->embed.reason))
            tune_search(t);
        return;
    case TUNE_TRAIN:
    case TUNE_DEV:
    case TUNE_TEST:
    case TUNE_MANUAL:
    case TUNE_CALIBRATE:
    case TUNE_CONTEXT:
        if (!t->round.done)
            return;
        t->failures += t->round.failures;
        if (tune_limited(t)) {
            tune_finish(t, t->round.reason);
            return;
        }
        if (!ended(t, is_shrunk(t) ? BBT_CANCELED : t->round.rc, &t->round.err,
                t->round.reason))
            after_round(t);
        return;
    case TUNE_FIRST:
    case TUNE_COMMIT:
    case TUNE_RESULT:
        if (t->keep.done && !ended(t, t->keep.call.rc, &t->keep.call.err, NULL))
            after_keep(t);
        return;
    case TUNE_VERDICT:
        if (!t->keep.done)
            return;
        BBT_KILLPOINT("verdict-kept");
        port_changed(t->id);
        /* a verdict that the store did not take would be reached again at once, for ever */
        tune_over(t, t->keep.call.rc == BBT_OK || t->keep.call.rc == BBT_CONFLICT
                ? t->rc
                : BBT_IO);
        return;
    case TUNE_OVER:
        return;
    default:
        if (t->work.done && !ended(t, t->work.rc, &t->work.err, NULL))
            after_work(t);
        return;
    }
}

void tune_start(struct tune *t, struct turnq *q)
{
    t->q = q;
    op_init(&t->op, q, tune_step);
    buf_init(&t->snapshot, SIZE_MAX);
    t->since_us = port_now_us();
    t->state = TUNE_LOAD;
    tune_load(t);
}

/* What is under way ends soon. */
static void let_go(struct tune *t, bool hard)
{
    switch (t->state) {
    case TUNE_PROBE:
        probe_drop(&t->probe);
        break;
    case TUNE_TOKENS:
        lexer_drop(&t->lexer);
        break;
    case TUNE_EMBED:
        query_abort(&t->embed);
        break;
    case TUNE_TRAIN:
    case TUNE_DEV:
    case TUNE_TEST:
    case TUNE_MANUAL:
    case TUNE_CALIBRATE:
    case TUNE_CONTEXT:
        round_drop(&t->round, hard);
        break;
    default:
        break; /* a call is under way; its end is the end */
    }
}

void tune_halt(struct tune *t, bool hard)
{
    t->halt = true;
    let_go(t, hard);
    keep_drop(&t->keep);
}

void tune_again(struct tune *t, enum rec_state to, const char *reason, const char *event,
    const char *text)
{
    if (t->halt || t->again.text[0] || t->state >= TUNE_RESULT)
        return;
    t->again.to = to;
    t->again.reason = reason;
    t->again.event = event;
    (void)snprintf(t->again.text, sizeof t->again.text, "%.*s",
        (int)sizeof t->again.text - 1, text);
    let_go(t, false);
}

/* What is sent at all is sent before the clock of the wall says so; that clock may jump. */
static void flows_end(struct tune *t, uint64_t until_us)
{
    t->flow.until = t->probe.flow.until = until_us;
}

uint64_t tune_look_at_clock(struct tune *t)
{
    uint64_t now = port_now_us(), soon = now + SHIFT_LOOK_US, wait;
    int64_t wall = port_wall_us();
    struct shift_now s;
    char text[120];

    if ((t->state == TUNE_LOAD && !t->work.done) || t->state >= TUNE_RESULT ||
        !shift_any(&t->shift))
        return PORT_NEVER;
    shift_look(&t->shift, wall, &s);
    if (s.why) {
        if (!t->again.text[0])
            t->home = s;
        shift_text(&s, text, sizeof text);
        flows_end(t, now);
        tune_again(t, REC_QUEUED, s.why, s.why, text);
        return PORT_NEVER;
    }
    if (s.until_us == SHIFT_NEVER) {
        flows_end(t, 0);
        return soon;
    }
    wait = (uint64_t)(s.until_us - wall);
    flows_end(t, now + wait);
    return now + wait < soon ? now + wait : soon;
}

/* -100..100 becomes a share of 1..9. */
static unsigned share_of(int64_t priority)
{
    return (unsigned)(5 + priority / 25);
}

void tune_open_flow(struct tune *t)
{
    uint64_t until = t->flow.until;

    endpoint_flow(t->ep, &t->flow, share_of(t->urged ? t->priority : t->job.priority));
    t->flow.until = until;
}

void tune_priority(struct tune *t, int64_t priority)
{
    t->urged = true; /* `job` may just be read by the store's thread */
    t->priority = priority;
    t->flow.weight = share_of(priority);
}

void tune_fini(struct tune *t)
{
    assert(t->over);
    round_fini(&t->round);
    parts_fini(&t->train_parts);
    parts_fini(&t->dev_parts);
    probe_fini(&t->probe);
    lexer_fini(&t->lexer);
    query_fini(&t->embed);
    till_account_close(&t->account);
    keep_fini(&t->keep);
    op_fini(&t->op);
    for (size_t i = 0; i < 3; i++)
        bbt_free(t->blobs.bytes[i]);
    rec_resume_fini(&t->resume);
    rec_best_fini(&t->best);
    search_free(t->search);
    search_setup_fini(&t->setup);
    for (size_t i = 0; t->context && i < t->task->demo->orders; i++)
        bbt_free(t->context[i]);
    bbt_free(t->context);
    task_set_fini(&t->shown);
    lex_wants_fini(&t->wants);
    lex_fini(&t->lex);
    task_free(t->task);
    job_spec_free(t->spec);
    shift_fini(&t->shift);
    rec_gen_fini(&t->open);
    rec_gen_fini(&t->closed);
    buf_fini(&t->snapshot);
    bbt_free(t->prompts);
    bbt_free(t->digests);
    bbt_free(t->dev_z);
    bbt_free(t->dev_prompt);
    bbt_free(t->final_prompt);
    bbt_free(t->tuned);
    bbt_free(t->manual);
    bbt_free(t->few);
}

void tune_progress(const struct tune *t, struct tune_progress *ret)
{
    *ret = (struct tune_progress){
        .step = tune_state_name(t->state),
        .gen = t->gen,
        .in_flight = t->flow.inflight,
    };
    if (t->round.set) {
        ret->needed = t->round.n * t->round.set->batches;
        ret->answered = ret->needed - t->round.left;
    }
}

/* The examples that generation after generation asks about are encoded once; others once per
 * round. */
static struct parts *parts_of(struct tune *t, const struct task_set *set)
{
    struct parts *p = set == &t->task->train ? &t->train_parts
        : set == &t->task->dev               ? &t->dev_parts
                                             : NULL;

    if (p && !p->slot && parts_init(p, set->batches, NULL) != BBT_OK)
        return NULL; /* the round tries again, for itself */
    return p;
}

void tune_ask(struct tune *t, enum tune_state to, const struct tune_ask *ask)
{
    struct bbt_err err = {0};
    enum bbt_rc rc;

    tune_move(t, to);
    round_fini(&t->round);
    t->round = (struct round){
        .job = t->id,
        .phase = ask->phase,
        .gen = ask->gen,
        .ep = t->ep,
        .model = &t->model->m,
        .flow = &t->flow,
        .set = ask->set,
        .batches = parts_of(t, ask->set),
        .label_ids = t->task->verb->token,
        .label_text = (const char *const *)t->task->label_text,
        .labels = t->task->verb->n,
        .prompt = ask->prompt,
        .digest = ask->digest,
        .n = ask->n,
        .rows = t->setup.rows,
        .hidden = t->setup.hidden,
        .compose = task_compose(t->spec),
        .at = task_at(t->spec),
        .cache_read = t->spec->cache == JOB_CACHE_READ || t->spec->cache == JOB_CACHE_BOTH,
        .cache_write = t->spec->cache == JOB_CACHE_WRITE || t->spec->cache == JOB_CACHE_BOTH,
        .fingerprint = t->model->fingerprint,
        .account = &t->account,
        .fresh = ask->fresh,
        .wake = &t->op,
    };
    rc = round_start(&t->round, t->q, &err);
    if (rc != BBT_OK) /* small requests are many: that is the server's doing */
        tune_stop(t, rc, &err, rc == BBT_INVALID && t->model->rows_max ? "provider" : NULL);
}
