/* estimate.h -- what a job will take, from its spec and the daemon's own count. */
#ifndef CTL_ESTIMATE_H
#define CTL_ESTIMATE_H

#include "ctl.h"
#include "spec/job.h"

struct estimate {
    unsigned long long generations, popsize; /* generations 0: open */
    unsigned long long evaluations[2];       /* per generation, in all (0: open) */
    unsigned long long examples[2], requests[2], tokens[2];
};

/* Counts from the daemon's answer to POST /v1/jobs:validate. */
void estimate_count(const struct job_spec *s, const json_t *answer, struct estimate *ret);

/* Prints them, or the answer with --json left to the caller. CTL_OK. */
int estimate_show(const struct ctl *c, const struct job_spec *s, const json_t *answer);

#endif
