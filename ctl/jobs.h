/* jobs.h -- jobs by selector, and how a job is shown in one line. */
#ifndef CTL_JOBS_H
#define CTL_JOBS_H

#include "ctl.h"
#include "grid.h"
#include "opt.h"

/* The jobs that arguments [from..) of the command mean, as an array of API views that the
 * caller owns. CTL_NOTHING where there is none, CTL_USAGE where the selector is wrong. With
 * `all` no argument means every job, and an empty list is fine. */
int jobs_select(struct ctl *c, const struct opt_args *a, size_t from, bool all, json_t **ret);

/* The same, among deleted jobs too; they are left out elsewhere, unless the selector says
 * state:deleted or is the id of one. */
int jobs_select_trash(struct ctl *c, const struct opt_args *a, json_t **ret);

/* The same, but exactly one job. `word` NULL: the newest that is not over, else the newest. */
int jobs_one(struct ctl *c, const char *word, json_t **ret);

/* Columns of a list of jobs. */
extern const struct grid_col jobs_cols[];
extern const size_t jobs_cols_n;

/* "gen 12/50, loss 0.431, dev 0.82" into a buffer of 160 bytes. */
void jobs_progress(const json_t *job, char *out, size_t room);

/* Is its state completed, failed, cancelled or deleted? */
bool jobs_over(const json_t *job);

#endif
