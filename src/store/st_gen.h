/* st_gen.h -- generations and the optimiser's state: the checkpoint.
 *
 * A full snapshot is megabytes at d = 500, so it is written rarely; each turn always
 * writes its small row (candidates, losses, trace). Resume loads the snapshot and tells
 * the losses of the generations after it again. Candidates and traces older than the
 * snapshot are dropped. */
#ifndef STORE_ST_GEN_H
#define STORE_ST_GEN_H

#include "base/err.h"
#include "base/record.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* One turn in one commit; also sets the job's last_loss and best_dev and adds `add` to
 * its counters. BBT_NOTFOUND: no such job. BBT_CONFLICT: `closed` is not the open
 * generation, or `open` is not the next one. BBT_INVALID: shapes that cannot be. */
BBT_NODISCARD enum bbt_rc store_turn(
    struct store *s, const struct rec_turn *t, struct bbt_err *err);

/* BBT_NOTFOUND where the job has neither snapshot nor generation (it has not begun).
 * rec_resume_fini(). */
BBT_NODISCARD enum bbt_rc store_resume(
    struct store *s, int64_t job, struct rec_resume *ret, struct bbt_err *err);

/* Best point so far; put replaces and sets the job's best_dev. rec_best_fini(). */
BBT_NODISCARD enum bbt_rc store_best_put(
    struct store *s, const struct rec_best *b, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc store_best_get(
    struct store *s, int64_t job, struct rec_best *ret, struct bbt_err *err);

/* Closed generations with gen >= `from`, in order, at most `limit` (0 = 10000), without
 * candidates and losses: for curves. rec_gens_free(). */
BBT_NODISCARD enum bbt_rc store_gen_list(struct store *s, int64_t job, uint64_t from,
    size_t limit, struct rec_gen **ret, size_t *ret_n, struct bbt_err *err);

#endif
