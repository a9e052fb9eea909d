/* st_ledger.h -- every answer that was paid for, exactly once. */
#ifndef STORE_ST_LEDGER_H
#define STORE_ST_LEDGER_H

#include "base/err.h"
#include "base/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Inserts n answers and adds requests and tokens (of those that were paid for), repeated and
 * (phase train) examples to their jobs' counters, together. A row whose key and digest are known
 * already is left out and not counted; the others are kept and the call says BBT_CONFLICT. One
 * whose key has another digest takes the key; the older one stays, under a batch that is
 * nobody's.
 * BBT_NOTFOUND: no such job, nothing kept. `ret_added` may be NULL; written on BBT_OK and
 * BBT_CONFLICT. */
BBT_NODISCARD enum bbt_rc store_ledger_add(struct store *s,
    const struct rec_answer *rows, size_t n, size_t *ret_added, struct bbt_err *err);

/* All answers of one phase of one generation, by (cand, batch). rec_answers_free();
 * NULL and 0 where there are none. Phases outside generations use gen 0. */
BBT_NODISCARD enum bbt_rc store_ledger_load(struct store *s, int64_t job,
    enum rec_phase phase, uint64_t gen, struct rec_answer **ret, size_t *ret_n,
    struct bbt_err *err);

/* Drops some of a job's answers, a few milliseconds' worth; *ret_gone: none is left. Its
 * counters stay. */
BBT_NODISCARD enum bbt_rc store_ledger_drop(
    struct store *s, int64_t job, bool *ret_gone, struct bbt_err *err);

/* How many answers a job has in all phases. */
BBT_NODISCARD enum bbt_rc store_ledger_count(
    struct store *s, int64_t job, uint64_t *ret, struct bbt_err *err);

#endif
