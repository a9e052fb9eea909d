/* estimate.h -- what a job would take, as the daemon counted it. */
#ifndef CTL_ESTIMATE_H
#define CTL_ESTIMATE_H

#include "ctl.h"

/* Prints an answer of POST /v1/jobs:estimate as a table; with --json that is left to the
 * caller. CTL_OK. */
int estimate_show(const struct ctl *c, const json_t *v);

#endif
