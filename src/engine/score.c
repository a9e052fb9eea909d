#include "engine/score.h"

#include "base/alloc.h"
#include "base/money.h"
#include "engine/demo.h"
#include "num/loss.h"
#include "text/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static enum bbt_rc all_finite(const float *v, size_t n, struct bbt_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return bbt_fail(err, BBT_INVALID, "a score is not a finite number");
    return BBT_OK;
}

/* Accuracy, F1 of the positive label, or the mean of all labels' F1. */
static double measure(const struct job_spec *spec, const struct verb *verb,
    const struct task_set *set, const uint32_t *pred)
{
    double sum = 0.0;
    int positive;

    if (spec->metric == JOB_ACCURACY)
        return metric_accuracy(set->truth, pred, set->n);
    positive = spec->positive ? verb_index(verb, spec->positive) : -1;
    if (positive >= 0)
        return metric_f1(set->truth, pred, set->n, (uint32_t)positive);
    for (size_t c = 0; c < verb->n; c++)
        sum += metric_f1(set->truth, pred, set->n, (uint32_t)c);
    return sum / (double)verb->n;
}

static enum bbt_rc predict(const float *logit, size_t n, size_t labels, uint32_t **ret,
    struct bbt_err *err)
{
    uint32_t *pred = bbt_alloc_array(n, sizeof *pred);

    if (!pred)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu predictions", n);
    for (size_t i = 0; i < n; i++)
        pred[i] = (uint32_t)loss_argmax(logit + i * labels, labels);
    *ret = pred;
    return BBT_OK;
}

enum bbt_rc score_metric(const struct job_spec *spec, const struct verb *verb,
    const struct task_set *set, const float *logit, double *ret, struct bbt_err *err)
{
    uint32_t *pred = NULL;
    enum bbt_rc rc = all_finite(logit, set->n * verb->n, err);

    if (rc == BBT_OK)
        rc = predict(logit, set->n, verb->n, &pred, err);
    if (rc == BBT_OK)
        *ret = measure(spec, verb, set, pred);
    bbt_free(pred);
    return rc;
}

enum bbt_rc score_loss(const struct job_spec *spec, const struct verb *verb,
    const struct task_set *set, const float *logit, double *ret, struct bbt_err *err)
{
    double metric;
    enum bbt_rc rc;

    switch (spec->loss) {
    case JOB_CROSS_ENTROPY:
        return loss_ce(logit, set->gold, set->n, verb->n, ret, err);
    case JOB_HINGE:
        return loss_hinge(logit, set->gold, set->n, verb->n, spec->margin, ret, err);
    case JOB_NEGATIVE_METRIC:
        break;
    }
    rc = score_metric(spec, verb, set, logit, &metric, err);
    if (rc == BBT_OK)
        *ret = -metric;
    return rc;
}

enum bbt_rc score_calibrate(float *logit, size_t n, const float *few, size_t few_n,
    size_t labels, struct bbt_err *err)
{
    size_t most = n > few_n ? n : few_n;
    double *lp = bbt_alloc_array(most * labels, sizeof *lp);
    double *bias = bbt_calloc(labels, sizeof *bias);
    enum bbt_rc rc = BBT_OK;

    if (!lp || !bias) {
        rc = bbt_fail(err, BBT_NOMEM, "no memory to calibrate %zu texts", n);
        goto out;
    }
    rc = loss_log_softmax(few, few_n, labels, lp, err);
    if (rc != BBT_OK)
        goto out;
    for (size_t i = 0; i < few_n * labels; i++)
        bias[i % labels] += lp[i] / (double)few_n;
    rc = loss_log_softmax(logit, n, labels, lp, err);
    if (rc != BBT_OK)
        goto out;
    for (size_t i = 0; i < n * labels; i++)
        logit[i] = (float)(lp[i] - bias[i % labels]);
out:
    bbt_free(lp);
    bbt_free(bias);
    return rc;
}

/* ---- the sheet ---- */

/* NaN is no JSON number: what was not measured is null. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* Adds a member; false without memory for it or its value. */
static bool put(json_t *obj, const char *key, json_t *value)
{
    return json_object_set_new(obj, key, value) == 0;
}

/* NULL without memory. */
static json_t *recalls(const struct score_input *in, const float *logit)
{
    const struct task_set *set = &in->task->test;
    const struct verb *verb = in->task->verb;
    double *r = bbt_alloc_array(verb->n, sizeof *r);
    json_t *obj = json_object();
    uint32_t *pred = NULL;
    bool ok = r && obj && predict(logit, set->n, verb->n, &pred, NULL) == BBT_OK;

    if (ok)
        metric_recall(set->truth, pred, set->n, (uint32_t)verb->n, r);
    for (size_t c = 0; ok && c < verb->n; c++)
        ok = put(obj, verb->labels[c].name, number(r[c]));
    bbt_free(pred);
    bbt_free(r);
    if (ok)
        return obj;
    json_decref(obj);
    return NULL;
}

struct figures {
    double tuned, manual, calibrated, majority;
    double context, context_least, context_most; /* mean and range over the orders */
};

static enum bbt_rc measure_context(
    const struct score_input *in, struct figures *f, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;
    double sum = 0;

    for (size_t k = 0; k < in->orders && rc == BBT_OK; k++) {
        double v = NAN;

        rc = score_metric(
            in->spec, in->task->verb, &in->task->test, in->context[k], &v, err);
        sum += v;
        f->context_least = fmin(f->context_least, v);
        f->context_most = fmax(f->context_most, v);
    }
    if (in->orders)
        f->context = sum / (double)in->orders;
    return rc;
}

static enum bbt_rc measure_all(
    const struct score_input *in, struct figures *f, struct bbt_err *err)
{
    const struct task *t = in->task;
    const struct task_set *test = &t->test;
    size_t labels = t->verb->n;
    float *copy = NULL;
    enum bbt_rc rc = BBT_OK;

    *f = (struct figures){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (test->n == 0)
        return BBT_OK;
    f->majority = metric_majority(test->truth, test->n, (uint32_t)labels);
    if (in->tuned)
        rc = score_metric(in->spec, t->verb, test, in->tuned, &f->tuned, err);
    if (rc == BBT_OK && in->manual)
        rc = score_metric(in->spec, t->verb, test, in->manual, &f->manual, err);
    if (rc == BBT_OK)
        rc = measure_context(in, f, err);
    if (rc != BBT_OK || !in->manual || !in->few)
        return rc;
    copy = bbt_alloc_array(test->n * labels, sizeof *copy);
    if (!copy)
        return bbt_fail(err, BBT_NOMEM, "no memory to calibrate");
    memcpy(copy, in->manual, test->n * labels * sizeof *copy);
    rc = score_calibrate(copy, test->n, in->few, t->train_plain.n, labels, err);
    if (rc == BBT_OK)
        rc = score_metric(in->spec, t->verb, test, copy, &f->calibrated, err);
    bbt_free(copy);
    return rc;
}

/* Without a search: what there is to beat. */
static void verdict_none(const struct figures *f, char *out, size_t room)
{
    size_t n = (size_t)snprintf(out, room, "no search was asked for");

    if (!isnan(f->manual) && n < room)
        n += (size_t)snprintf(out + n, room - n, "; the manual prompt has %.4f", f->manual);
    if (!isnan(f->calibrated) && n < room)
        n += (size_t)snprintf(
            out + n, room - n, ", %.4f with its label bias removed", f->calibrated);
    if (!isnan(f->context) && n < room)
        (void)snprintf(out + n, room - n, "; in-context learning has %.4f", f->context);
}

static void verdict_context(const struct figures *f, char *out, size_t room)
{
    size_t n = strlen(out);

    if (isnan(f->context) || isnan(f->tuned))
        return;
    (void)snprintf(out + n, room - n,
        f->tuned > f->context ? "; %.1f points over in-context learning"
                              : "; no gain over in-context learning (%.1f)",
        100 * (f->tuned - f->context));
}

/* Said plainly, also where there is nothing to be proud of. */
static void verdict(
    const struct figures *f, const struct job_spec *spec, char *out, size_t room)
{
    double best = fmax(f->manual, isnan(f->calibrated) ? f->manual : f->calibrated);

    if (spec->prompt == JOB_NONE)
        verdict_none(f, out, room);
    else if (!isnan(f->tuned) && isnan(f->manual))
        (void)snprintf(out, room, "the tuned prompt has %.4f", f->tuned);
    else if (isnan(f->tuned) || isnan(f->manual))
        (void)snprintf(out, room, "no test file: nothing to compare");
    else if (f->tuned > best)
        (void)snprintf(out, room,
            "tuning gained %.1f points over the manual prompt, %.1f over the calibrated one",
            100 * (f->tuned - f->manual), 100 * (f->tuned - f->calibrated));
    else if (f->tuned > f->manual)
        (void)snprintf(out, room,
            "tuning gained %.1f points over the manual prompt but nothing over the manual "
            "prompt with its label bias removed (%.1f)",
            100 * (f->tuned - f->manual), 100 * (f->tuned - f->calibrated));
    else
        (void)snprintf(out, room, "no gain: the manual prompt is as good or better (%.1f)",
            100 * (f->tuned - f->manual));
    verdict_context(f, out, room);
}

/* Rows for which the model's list of the likeliest tokens named no label: all alike. */
static size_t undecided(const struct task_set *set, const float *logit, size_t labels)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++) {
        size_t same = 1;

        while (same < labels && logit[i * labels + same] == logit[i * labels])
            same++;
        n += same == labels;
    }
    return n;
}

/* What was asked for and what became of it. */
static json_t *context_json(const struct demo *d, const struct figures *f, size_t orders)
{
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:s}", "shots", (json_int_t)d->shots,
        "used", (json_int_t)d->used, "orders", (json_int_t)orders, "test", number(f->context),
        "least", number(f->context_least), "most", number(f->context_most), "note",
        d->why ? d->why : "");
}

json_t *score_usage(const struct rec_usage *u)
{
    char cost[MONEY_TEXT];

    money_print(u->cost, cost);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:s}", "generations",
        (json_int_t)u->generations, "evaluations", (json_int_t)u->evaluations, "examples",
        (json_int_t)u->examples, "requests", (json_int_t)u->requests, "repeated",
        (json_int_t)u->repeated, "failures", (json_int_t)u->failures, "tokens_in",
        (json_int_t)u->tokens_in, "tokens_out", (json_int_t)u->tokens_out, "cached",
        (json_int_t)u->cached, "seconds",
        (double)u->active_us / 1e6, "cost", cost, "currency", "USD");
}

static json_t *best_json(const struct rec_best *b)
{
    return json_pack("{s:I, s:o, s:o, s:o}", "generation", (json_int_t)b->gen, "dev",
        number(b->dev), "dev_loss", number(b->dev_loss), "candidate",
        b->cand == REC_CAND_MEAN ? json_string("mean") : json_integer(b->cand));
}

enum bbt_rc score_sheet(const struct score_input *in, json_t **ret, struct bbt_err *err)
{
    const struct task *t = in->task;
    struct figures f;
    char said[320];
    json_t *v;
    bool ok;
    enum bbt_rc rc = measure_all(in, &f, err);

    if (rc != BBT_OK)
        return rc;
    verdict(&f, in->spec, said, sizeof said);
    v = json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s, "
                  "s:o}",
        "job", (json_int_t)in->job->id, "name", in->job->name, "metric",
        in->spec->metric == JOB_F1 ? "f1" : "accuracy", "ended", in->reason, "tuned_test",
        number(f.tuned), "manual_test", number(f.manual), "calibrated_test",
        number(f.calibrated), "majority", number(f.majority), "gain_vs_manual",
        number(f.tuned - f.manual), "gain_vs_calibrated", number(f.tuned - f.calibrated),
        "train_examples", (json_int_t)t->train.n, "dev_examples", (json_int_t)t->dev.n,
        "test_examples", (json_int_t)t->test.n, "verdict", said, "usage",
        score_usage(&in->job->usage));
    ok = v && put(v, "blas", json_string(in->blas)) &&
        put(v, "server", json_string(in->server)) &&
        put(v, "embed_std", number(in->embed_std)) &&
        put(v, "version", json_string(BBT_VERSION));
    if (ok && in->spec->prompt == JOB_SOFT)
        ok = put(v, "best", best_json(in->best));
    if (ok && t->demo)
        ok = put(v, "in_context", context_json(t->demo, &f, in->orders)) &&
            put(v, "gain_vs_in_context", number(f.tuned - f.context));
    if (ok && in->tuned)
        ok = put(v, "recall_tuned", recalls(in, in->tuned));
    if (ok && in->manual)
        ok = put(v, "recall_manual", recalls(in, in->manual)) &&
            put(v, "undecided_manual",
                json_integer((json_int_t)undecided(&t->test, in->manual, t->verb->n)));
    if (!ok) {
        json_decref(v);
        return bbt_fail(err, BBT_NOMEM, "no memory for the score sheet");
    }
    *ret = v;
    return BBT_OK;
}
