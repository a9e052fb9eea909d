#include "engine/tune_end.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/killpoint.h"
#include "engine/demo.h"
#include "engine/score.h"
#include "engine/tune_gen.h"
#include "engine/tune_load.h"
#include "num/blas.h"

#include <assert.h>
#include <string.h>

static void run_prompt(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);

    (void)db;
    if (!t->best.z || t->best.dim != t->search->dim) {
        c->rc = bbt_fail(&c->err, BBT_INVALID,
            "the search ended before one generation was measured");
        return;
    }
    BBT_KILLPOINT("final-prompt");
    c->rc = search_prompts(
        t->search, t->best.z, 1, &t->final_prompt, &t->final_digest, &c->err);
}

static void next_order(struct tune *t);

void tune_finish(struct tune *t, const char *reason)
{
    static const struct purse_sum nothing = {0};

    t->ended = reason ? reason : "budget";
    till_keep_back(&t->account, &nothing); /* it is for this */
    tune_work(t, TUNE_PROMPT, run_prompt);
}

void tune_test(struct tune *t)
{
    if (t->task->test.n == 0) {
        tune_result(t);
        return;
    }
    tune_ask(t, TUNE_TEST,
        &(struct tune_ask){
            REC_TEST, 0, &t->task->test, t->final_prompt, &t->final_digest, 1, false});
}

void tune_baselines(struct tune *t)
{
    if (!t->ended)
        t->ended = "measured"; /* there was no search to end */
    if (!job_spec_manual(t->spec)) {
        next_order(t);
        return;
    }
    tune_ask(t, TUNE_MANUAL,
        &(struct tune_ask){REC_MANUAL, 0, &t->task->test_plain, NULL, NULL, 1, false});
}

/* ---- in context: one order after another ---- */

static void run_demo(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);
    size_t orders = t->task->demo->orders;

    (void)db;
    if (!t->context)
        t->context = bbt_calloc(orders, sizeof *t->context);
    if (!t->context) {
        c->rc = bbt_fail(&c->err, BBT_NOMEM, "no memory for %zu orders", orders);
        return;
    }
    task_set_fini(&t->shown);
    c->rc = demo_set(t->task, t->order, &t->shown, &c->err);
}

static void next_order(struct tune *t)
{
    const struct demo *d = t->task->demo;

    if (d && d->used && t->order < d->orders) {
        round_fini(&t->round); /* it borrows the set */
        tune_work(t, TUNE_DEMO, run_demo);
    } else {
        tune_result(t);
    }
}

void tune_context(struct tune *t)
{
    tune_ask(t, TUNE_CONTEXT,
        &(struct tune_ask){REC_CONTEXT, t->order, &t->shown, NULL, NULL, 1, false});
}

/* Each baseline is the same question without the soft prompt, asked once. */
void tune_measured(struct tune *t)
{
    float *logit = t->round.logit;

    BBT_KILLPOINT("measured");
    t->round.logit = NULL;
    switch (t->state) {
    case TUNE_TEST:
        t->tuned = logit;
        tune_baselines(t);
        return;
    case TUNE_MANUAL:
        t->manual = logit;
        tune_ask(t, TUNE_CALIBRATE,
            &(struct tune_ask){
                REC_CALIBRATE, 0, &t->task->train_plain, NULL, NULL, 1, false});
        return;
    case TUNE_CALIBRATE:
        t->few = logit;
        next_order(t);
        return;
    case TUNE_CONTEXT:
        t->context[t->order++] = logit;
        next_order(t);
        return;
    default:
        bbt_free(logit);
        assert(0 && "no such round");
    }
}

static enum bbt_rc make_sheet(struct tune *t, json_t **ret, struct bbt_err *err)
{
    struct score_input in = {
        .spec = t->spec,
        .task = t->task,
        .job = &t->job,
        .best = &t->best,
        .reason = t->ended,
        .blas = blas_name(),
        .server = t->server,
        .embed_std = t->setup.embed_std,
        .tuned = t->tuned,
        .manual = t->manual,
        .few = t->few,
        .context = (const float *const *)t->context,
        .orders = t->order,
    };

    return score_sheet(&in, ret, err);
}

static void run_result(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, keep.call);
    struct rec_usage add = {.active_us = t->spent_us, .failures = t->failures};
    struct rec_result r = {.job = t->id, .prompt = t->final_prompt, .rows = t->setup.rows,
        .hidden = t->setup.hidden};
    json_t *sheet = NULL;

    if (!r.prompt)
        r.rows = r.hidden = 0; /* no search */
    BBT_KILLPOINT("result");
    c->rc = port_db_usage(db, t->id, &add, &c->err);
    if (c->rc == BBT_OK)
        c->rc = port_db_job(db, t->id, &t->job, NULL, &c->err); /* final counters */
    if (c->rc == BBT_OK)
        c->rc = make_sheet(t, &sheet, &c->err);
    if (c->rc == BBT_OK) {
        r.json = json_print(sheet);
        c->rc = r.json ? port_db_result(db, &r, t->ended,
                             json_get_str(sheet, "verdict", ""), &c->err)
                       : bbt_fail(&c->err, BBT_NOMEM, "no memory for the result");
    }
    if (c->rc == BBT_OK)
        c->rc = port_db_event(
            db, t->id, "completed", json_get_str(sheet, "verdict", ""), &c->err);
    if (c->rc == BBT_OK)
        c->rc = tune_drift_event(t, db, &c->err);
    BBT_KILLPOINT("result-done");
    if (c->rc == BBT_CONFLICT)
        c->rc = BBT_CANCELED; /* paused or cancelled meanwhile: that stands */
    json_decref(sheet);
    bbt_free(r.json);
}

void tune_result(struct tune *t)
{
    tune_keep(t, TUNE_RESULT, run_result);
}
