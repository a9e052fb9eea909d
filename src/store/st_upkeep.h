/* st_upkeep.h -- looking after the database: does it agree with itself, what may go, and
 * giving room back. */
#ifndef STORE_ST_UPKEEP_H
#define STORE_ST_UPKEEP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Looks through the whole database of `state_dir` as of now: SQLite's integrity check and
 * our own laws (ledger against counters, counters against generations, checkpoint against
 * both). `say` is called once per finding, with a sentence. Through a connection of its own,
 * so it may run beside the store's thread. BBT_OK also where there are findings. */
BBT_NODISCARD enum bbt_rc store_audit(const char *state_dir,
    void (*say)(void *arg, const char *finding), void *arg, struct bbt_err *err);

/* What is to go: what is older than these wall clock times; 0 keeps. */
struct store_retain {
    int64_t ledger_before_us;      /* answers and marks of jobs that ended before */
    int64_t jobs_before_us;        /* such jobs themselves, with everything */
    int64_t checkpoints_before_us; /* their candidates, traces, snapshot */
    int64_t trash_before_us;       /* jobs that were deleted before, with everything */
    int64_t events_before_us;      /* events, whoever's they are */
};

/* Drops some of what one job has to give, or some events, and says whether there may be more;
 * small steps, so that others get their turns: a large ledger takes several. Counters, curve,
 * best prompt and result of a job stay as long as the job does. When nothing is left: data
 * files that no job names, the second time they are met like that. */
BBT_NODISCARD enum bbt_rc store_retain(
    struct store *s, const struct store_retain *r, bool *ret_more, struct bbt_err *err);

/* Gives up to `pages` unused pages back to the file system. *ret_freed: bytes; *ret_more:
 * there are more. BBT_CONFLICT: the file was made by a version that could not do this (a
 * backup and a restore make it one that can). */
BBT_NODISCARD enum bbt_rc store_vacuum(struct store *s, uint64_t pages,
    uint64_t *ret_freed, bool *ret_more, struct bbt_err *err);

#endif
