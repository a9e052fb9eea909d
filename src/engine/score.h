/* score.h -- how good answers are, and the score sheet at the end of a job. Pure. */
#ifndef ENGINE_SCORE_H
#define ENGINE_SCORE_H

#include "base/err.h"
#include "base/json.h"
#include "base/record.h"
#include "engine/task.h"

/* The job's metric of `logit` (set->n x labels) on a labelled set. BBT_INVALID where a
 * number is not finite; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc score_metric(const struct job_spec *spec, const struct verb *verb,
    const struct task_set *set, const float *logit, double *ret, struct bbt_err *err);

/* The training objective on a labelled set, lower is better (algorithm: loss.h). */
BBT_NODISCARD enum bbt_rc score_loss(const struct job_spec *spec, const struct verb *verb,
    const struct task_set *set, const float *logit, double *ret, struct bbt_err *err);

/* Takes the label bias out of `logit` (n x labels, changed to log-probabilities in place): from
 * each label's log-probability its mean over the few-shot texts is subtracted (`few`: few_n x
 * labels logits of the same plain template). BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc score_calibrate(float *logit, size_t n, const float *few,
    size_t few_n, size_t labels, struct bbt_err *err);

/* Counters as people's scripts read them; the caller owns it. NULL without memory. */
json_t *score_usage(const struct rec_usage *u);

/* All that the sheet is made of. Logits may be NULL where nothing was measured. */
struct score_input {
    const struct job_spec *spec;
    const struct task *task;
    const struct rec_job *job;   /* counters at the end */
    const struct rec_best *best;
    const char *reason;          /* why the search ended */
    const char *blas;            /* which linear algebra, for the record */
    const char *server;
    double embed_std;
    const float *tuned, *manual, *few; /* test, test without prompt, train without prompt */
    const float *const *context; /* test behind demonstrations, one for each of `orders` */
    size_t orders;
};

/* The sheet as JSON; the caller owns *ret. BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc score_sheet(
    const struct score_input *in, json_t **ret, struct bbt_err *err);

#endif
