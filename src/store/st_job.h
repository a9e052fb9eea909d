/* st_job.h -- jobs: rows, specs, states, counters, results. */
#ifndef STORE_ST_JOB_H
#define STORE_ST_JOB_H

#include "base/err.h"
#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define STORE_KEY_MAX 128 /* bytes of an idempotency key */

/* Adds a queued job: name, priority, created_us and the plan are taken from `job`, the
 * rest starts empty. With a `key` that was used before, *ret_id is the earlier job and
 * *ret_existed true, provided the spec is the same text; another spec is BBT_CONFLICT.
 */
BBT_NODISCARD enum bbt_rc store_job_add(struct store *s, const struct rec_job *job,
    const char *spec_json, const char *key, int64_t *ret_id, bool *ret_existed,
    struct bbt_err *err);

/* BBT_NOTFOUND. `ret_spec_json` may be NULL; its text is to be freed by bbt_free(). */
BBT_NODISCARD enum bbt_rc store_job_get(struct store *s, int64_t id,
    struct rec_job *ret, char **ret_spec_json, struct bbt_err *err);

struct store_filter {
    unsigned states;  /* bits 1u << REC_*; 0 = every state but deleted */
    const char *name; /* exactly this name; NULL = any */
    int64_t
        after; /* ids above this one (below it where newest_first); 0 = from the end */
    size_t limit; /* 0 = 1000 */
    bool newest_first;
};

/* *ret is an array to be freed by bbt_free(); NULL where *ret_n is 0. */
BBT_NODISCARD enum bbt_rc store_job_list(struct store *s, const struct store_filter *f,
    struct rec_job **ret, size_t *ret_n, struct bbt_err *err);

/* The first job by (priority, higher first; id) whose state is among `states` (deleted ones
 * never) and which is not one of the `nlive` ids. BBT_NOTFOUND where there is none. */
BBT_NODISCARD enum bbt_rc store_job_next(struct store *s, unsigned states,
    const int64_t *live, size_t nlive, struct rec_job *ret, struct bbt_err *err);

/* Another spec for a job, with the plan that follows from it. BBT_NOTFOUND. */
BBT_NODISCARD enum bbt_rc store_job_respec(struct store *s, int64_t id, const char *spec_json,
    uint64_t generations_max, uint64_t evaluations_max, struct bbt_err *err);

struct store_move {
    int64_t id;
    unsigned from; /* bits of the states it may be in now */
    enum rec_state to;
    const char *reason; /* NULL = empty */
    const char *detail; /* NULL = empty; cut to REC_DETAIL_MAX - 1 bytes */
    int64_t wall_us;
};

/* Sets state, reason and detail; started_us at the first running, ended_us at an end.
 * Never to REC_DELETED (st_trash.h).
 * BBT_NOTFOUND; BBT_CONFLICT where the state is not among `from`. */
BBT_NODISCARD enum bbt_rc store_job_state(
    struct store *s, const struct store_move *m, struct bbt_err *err);

/* Sets the priority. BBT_NOTFOUND; BBT_CONFLICT where the job has ended. */
BBT_NODISCARD enum bbt_rc store_job_priority(struct store *s, int64_t id,
    int64_t priority, int64_t wall_us, struct bbt_err *err);

/* Adds to the counters that no other call adds to (failures, repeated, active_us, ...).
 */
BBT_NODISCARD enum bbt_rc store_usage_add(
    struct store *s, int64_t job, const struct rec_usage *add, struct bbt_err *err);

/* What the start-up probe learned (scale, p0, fingerprint), as the engine's own bytes.
 * Put replaces. */
BBT_NODISCARD enum bbt_rc store_setup_put(
    struct store *s, int64_t job, const void *bytes, size_t len, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc store_setup_get(
    struct store *s, int64_t job, void **ret, size_t *ret_len, struct bbt_err *err);

/* Keeps the result and moves the job (m->id == r->job) in one commit; codes of
 * store_job_state(). */
BBT_NODISCARD enum bbt_rc store_result_put(struct store *s, const struct rec_result *r,
    const struct store_move *m, struct bbt_err *err);

/* BBT_NOTFOUND where the job has none (yet). rec_result_fini(). */
BBT_NODISCARD enum bbt_rc store_result_get(
    struct store *s, int64_t job, struct rec_result *ret, struct bbt_err *err);

#endif
