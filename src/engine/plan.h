/* plan.h -- what a job will ask, counted before it asks anything. Pure. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/task.h"
#include "sched/price.h"
#include "spec/job.h"

#include <stdbool.h>
#include <stdint.h>

struct plan_sum {
    uint64_t evaluations, examples, requests, tokens_in, tokens_out;
};

struct plan {
    uint64_t generations; /* at most; 0 = open (ended by time or score) */
    uint64_t popsize, checks, train_examples;
    bool search;    /* false: baselines only, `whole` is `end` */
    bool estimated; /* tokens are a guess: only the server can count them */
    struct plan_sum generation; /* one, without its dev check */
    struct plan_sum check;      /* one measurement on the dev set */
    struct plan_sum end;        /* test and baselines, after the search */
    struct plan_sum whole;      /* all zero where it is open */
};

/* Counts of a job whose texts are rendered. `generates`: the server answers with a token for
 * every example (a masked model does not). */
void plan_count(const struct job_spec *spec, const struct task *task, bool generates,
    struct plan *ret);

/* What that many cost by one price list; each request may round up by less than a nano-dollar
 * more. */
uint64_t plan_cost(const struct price_rate *rate, const struct plan_sum *sum);

/* Generations whose requests, tokens and money fit the limits together with the dev checks
 * that fall due, and with the end; UINT64_MAX where nothing limits them. */
uint64_t plan_fits(const struct plan *p, const struct job_spec *spec,
    const struct price_rate *dearest);

#endif
