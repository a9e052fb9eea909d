#include "engine/tune_gen.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "engine/score.h"
#include "engine/standin.h"
#include "engine/tune_load.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void tune_train(struct tune *t)
{
    bool fresh = t->fresh;

    t->gen = t->open.gen;
    t->dev_fresh = fresh;
    t->fresh = true; /* only a resumed job's first generation can be in the ledger */
    tune_ask(t, TUNE_TRAIN,
        &(struct tune_ask){REC_TRAIN, t->open.gen, &t->task->train, t->prompts, t->digests,
            t->search->popsize, fresh});
}

/* ---- TELL: losses, the optimiser's next step, the next prompts ---- */

static enum bbt_rc losses(struct tune *t, struct bbt_err *err)
{
    const struct task_set *set = &t->task->train;
    size_t n = t->search->popsize, stride = set->n * t->task->verb->n;
    double *loss = bbt_alloc_array(n, sizeof *loss), sum = 0.0;
    enum bbt_rc rc = BBT_OK;

    if (!loss)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu losses", n);
    t->closed = t->open; /* the candidates change hands */
    t->open = (struct rec_gen){0};
    t->closed.loss = loss;
    t->closed.loss_best = INFINITY;
    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        rc = score_loss(t->spec, t->task->verb, set, t->round.logit + i * stride, &loss[i],
            err);
        sum += loss[i];
        t->closed.loss_best = fmin(t->closed.loss_best, loss[i]);
    }
    t->closed.loss_mean = sum / (double)n;
    t->closed.evaluations = (t->closed.gen + 1) * n;
    return rc;
}

static bool dev_due(const struct tune *t)
{
    uint64_t every = t->spec->dev_every ? t->spec->dev_every : 1;

    return (t->closed.gen + 1) % every == 0 || tune_stop_reason(t) != NULL;
}

/* The generation's best candidate, and the mean of the search where the job wants it. */
static enum bbt_rc dev_points(struct tune *t, struct bbt_err *err)
{
    size_t dim = t->search->dim, best = 0;

    t->dev_n = t->spec->dev_mean ? 2 : 1;
    for (size_t i = 1; i < t->closed.popsize; i++)
        if (t->closed.loss[i] < t->closed.loss[best])
            best = i;
    t->dev_best = best;
    t->dev_z = bbt_alloc_array(t->dev_n * dim, sizeof *t->dev_z);
    if (!t->dev_z)
        return bbt_fail(err, BBT_NOMEM, "no memory for the dev check");
    memcpy(t->dev_z, t->closed.cand + best * dim, dim * sizeof *t->dev_z);
    if (t->dev_n == 2)
        memcpy(t->dev_z + dim, cma_mean(t->search->cma), dim * sizeof *t->dev_z);
    return search_prompts(
        t->search, t->dev_z, t->dev_n, &t->dev_prompt, t->dev_digest, err);
}

static enum bbt_rc next_generation(struct tune *t, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    if (cma_stop(t->search->cma, &t->converged))
        return BBT_OK; /* tune_stop_reason() sees it: nothing is opened */
    t->converged = NULL;
    if (tune_stop_reason(t))
        return BBT_OK;
    t->has_snapshot = cma_generation(t->search->cma) % TUNE_SNAPSHOT_EVERY == 0;
    if (t->has_snapshot) {
        buf_fini(&t->snapshot);
        rc = search_snapshot(t->search, &t->snapshot, err);
    }
    if (rc == BBT_OK)
        rc = search_open(t->search, t->id, &t->open, err);
    if (rc == BBT_OK)
        rc = search_prompts(t->search, t->open.cand, t->search->popsize, &t->prompts,
            t->digests, err);
    return rc;
}

static void run_tell(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, work);

    (void)db;
    t->has_snapshot = false;
    t->dev_n = 0;
    t->new_best = false;
    bbt_free(t->prompts);
    t->prompts = NULL;
    c->rc = losses(t, &c->err);
    BBT_KILLPOINT("tell");
    if (c->rc == BBT_OK)
        c->rc = cma_tell(t->search->cma, t->closed.loss, &c->err);
    if (c->rc == BBT_OK)
        c->rc = search_trace(t->search, &t->closed, &c->err);
    if (c->rc == BBT_OK)
        c->rc = next_generation(t, &c->err);
    if (c->rc == BBT_OK && dev_due(t))
        c->rc = dev_points(t, &c->err);
    BBT_KILLPOINT("told");
}

void tune_tell(struct tune *t)
{
    t->late = t->spec->stop_time_us &&
        t->job.usage.active_us + (port_now_us() - t->since_us) >= t->spec->stop_time_us;
    tune_work(t, TUNE_TELL, run_tell);
}

/* ---- DEV ---- */

static void commit(struct tune *t);

void tune_told(struct tune *t)
{
    if (t->dev_n == 0) {
        commit(t);
        return;
    }
    if (t->task->dev.n == 0) { /* no dev set: the training loss itself decides */
        t->dev_n = 1;
        t->dev_score = NAN;
        t->dev_loss = t->closed.loss_best;
        t->new_best = !t->best.z || t->dev_loss < t->best.dev_loss;
        commit(t);
        return;
    }
    tune_ask(t, TUNE_DEV,
        &(struct tune_ask){REC_DEV, t->closed.gen, &t->task->dev, t->dev_prompt,
            t->dev_digest, t->dev_n, t->dev_fresh});
}

/* Better by metric, and at equal metric by more than the tolerance of loss; or by loss alone
 * where the job wants it so (steadier on few examples). Ties keep the earlier, as the
 * reference code does. */
static bool better(const struct tune *t, double score, double loss, double than_score,
    double than_loss)
{
    bool lower = loss < than_loss - t->spec->stall_tolerance;

    if (t->spec->dev_select == JOB_BY_LOSS)
        return lower;
    return score > than_score || (score == than_score && lower);
}

void tune_judged(struct tune *t)
{
    const struct task_set *set = &t->task->dev;
    size_t stride = set->n * t->task->verb->n, pick = 0;
    double score[2] = {0}, loss[2] = {0};
    struct bbt_err err = {0};
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < t->dev_n && rc == BBT_OK; i++) {
        const float *logit = t->round.logit + i * stride;

        rc = score_metric(t->spec, t->task->verb, set, logit, &score[i], &err);
        if (rc == BBT_OK)
            rc = score_loss(t->spec, t->task->verb, set, logit, &loss[i], &err);
    }
    if (rc != BBT_OK) {
        tune_stop(t, rc, &err, NULL);
        return;
    }
    if (t->dev_n == 2 && better(t, score[1], loss[1], score[0], loss[0]))
        pick = 1;
    t->dev_score = score[pick];
    t->dev_loss = loss[pick];
    t->closed.dev = score[pick];
    t->closed.dev_loss = loss[pick];
    t->new_best = !t->best.z ||
        better(t, score[pick], loss[pick], t->best.dev, t->best.dev_loss);
    if (pick == 1) {
        memcpy(t->dev_z, t->dev_z + t->search->dim, t->search->dim * sizeof *t->dev_z);
        t->dev_best = REC_CAND_MEAN;
    }
    commit(t);
}

/* ---- COMMIT ---- */

enum bbt_rc tune_drift_event(const struct tune *t, struct port_db *db, struct bbt_err *err)
{
    return t->drifted ? port_db_event(db, t->id, "drift", TUNE_DRIFT_TEXT, err) : BBT_OK;
}

static void run_commit(struct port_call *c, struct port_db *db)
{
    struct tune *t = bbt_container(c, struct tune, keep.call);
    struct rec_best best = {t->id, t->closed.gen, (uint32_t)t->dev_best, t->dev_score,
        t->dev_loss, t->search->dim, t->dev_z};
    struct rec_turn turn = {
        .job = t->id,
        .closed = &t->closed,
        .open = t->open.cand ? &t->open : NULL,
        .snapshot = t->has_snapshot ? t->snapshot.data : NULL,
        .snapshot_len = t->has_snapshot ? t->snapshot.len : 0,
        .snapshot_gen = t->open.gen,
        .best = t->new_best ? &best : NULL,
        .add = {.generations = 1, .evaluations = t->closed.popsize,
            .failures = t->failures,
            .active_us = t->spent_us},
        .wall_us = t->wall_us,
    };
    char said[96];

    BBT_KILLPOINT("turn");
    c->rc = port_db_turn(db, &turn, &c->err);
    BBT_KILLPOINT("turn-done");
    if (c->rc == BBT_OK && t->new_best) {
        if (isnan(t->dev_score)) /* no dev set */
            (void)snprintf(said, sizeof said, "generation %llu: training loss %.4f",
                (unsigned long long)t->closed.gen, t->dev_loss);
        else
            (void)snprintf(said, sizeof said, "generation %llu: dev %.4f, dev loss %.4f",
                (unsigned long long)t->closed.gen, t->dev_score, t->dev_loss);
        c->rc = port_db_event(db, t->id, "best", said, &c->err);
        BBT_KILLPOINT("turn-best-event");
    }
    if (c->rc == BBT_OK)
        c->rc = tune_drift_event(t, db, &c->err);
}

static void commit(struct tune *t)
{
    t->closed.wall_us = port_wall_us();
    tune_keep(t, TUNE_COMMIT, run_commit);
}

const char *tune_stop_reason(const struct tune *t)
{
    const struct job_spec *s = t->spec;
    uint64_t pop = t->search->popsize, gens = cma_generation(t->search->cma);

    if (t->converged)
        return "converged";
    if ((s->stop_evaluations && (gens + 1) * pop > s->stop_evaluations) ||
        (s->stop_generations && gens >= s->stop_generations))
        return "budget";
    if (!isnan(s->stop_dev) && t->best.z && t->best.dev >= s->stop_dev)
        return "target";
    if (s->stall_generations && t->best.z && gens > t->best.gen + s->stall_generations)
        return "stall";
    /* without one measured generation there would be no prompt to end with */
    if (t->late ||
        (s->stop_time_us && t->best.z && t->job.usage.active_us >= s->stop_time_us))
        return "time";
    return NULL;
}

void tune_committed(struct tune *t)
{
    const char *reason;

    BBT_KILLPOINT("turn-kept");
    t->drifted = false;
    if (t->new_best) {
        rec_best_fini(&t->best);
        t->best = (struct rec_best){t->id, t->closed.gen, (uint32_t)t->dev_best,
            t->dev_score, t->dev_loss, t->search->dim, t->dev_z};
        t->dev_z = NULL;
    }
    bbt_free(t->dev_z);
    bbt_free(t->dev_prompt);
    t->dev_z = NULL;
    t->dev_prompt = NULL;
    rec_gen_fini(&t->closed);
    t->job.usage.active_us += t->spent_us;
    t->failures = 0;
    port_changed(t->id);
    reason = tune_stop_reason(t);
    if (reason || !t->open.cand)
        tune_finish(t, reason);
    else if (standin_home(t))
        tune_stop(t, BBT_CANCELED, NULL, NULL);
    else
        tune_train(t);
}
