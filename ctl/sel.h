/* sel.h -- which jobs: one grammar for every command.
 *
 *   17   17,19   17..25   NAME   @last   state:failed   reason:auth   name:NAME   tag:paper
 *
 * Terms apart by spaces must all be true; "!" in front of one turns it around; a comma inside
 * one means or. An id that is not there is told by the caller, who sees what is left. */
#ifndef CTL_SEL_H
#define CTL_SEL_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct sel;

/* `words`: arguments, each may hold several terms. None at all selects every job.
 * BBT_INVALID with what is wrong; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc sel_parse(
    const char *const *words, size_t n, struct sel **ret, struct bbt_err *err);
void sel_free(struct sel *s); /* NULL is fine */

/* Does it name ids only, such as "17,19"? */
bool sel_is_ids(const struct sel *s);

/* Does it ask for deleted jobs (state:deleted)? */
bool sel_is_trash(const struct sel *s);

/* Are the jobs' tags needed (member "tags" of each)? */
bool sel_is_tagged(const struct sel *s);

/* The id where it is exactly one, else 0. */
long long sel_single(const struct sel *s);

/* The jobs (API views, oldest first) that it means, in their order: a new array, NULL without
 * memory. */
json_t *sel_apply(const struct sel *s, const json_t *jobs);

#endif
