/* st_spend.h -- money: reservations of what may be on the wire, sums of what was spent.
 *
 * A request is reserved (store_claim_put) in the commit before it leaves. Its answer settles
 * the reservation in the commit of its ledger row (store_ledger_add); without an answer it
 * ends by store_claim_end(). */
#ifndef STORE_ST_SPEND_H
#define STORE_ST_SPEND_H

#include "base/charge.h"
#include "base/err.h"

struct store;

/* A new reservation, or with c->id a new content of that one. */
BBT_NODISCARD enum bbt_rc store_claim_put(
    struct store *s, const struct rec_claim *c, int64_t *ret_id, struct bbt_err *err);

/* Books what was charged without an answer of the ledger (all zero: nothing) to whom the claim
 * names, and to the job's cost; a reservation with c->id is gone. */
BBT_NODISCARD enum bbt_rc store_claim_end(struct store *s, const struct rec_claim *c,
    const struct rec_sum *charged, struct bbt_err *err);

/* All reservations become charges at their worst case: at start, for what a crash left. */
BBT_NODISCARD enum bbt_rc store_claims_charge(struct store *s, struct bbt_err *err);

/* What every user spent on every day, oldest first. To be freed by bbt_free(); NULL where
 * *ret_n is 0. */
BBT_NODISCARD enum bbt_rc store_spend_days(
    struct store *s, struct rec_day **ret, size_t *ret_n, struct bbt_err *err);

/* What a job used up so far, charges without an answer included. */
BBT_NODISCARD enum bbt_rc store_spend_job(
    struct store *s, int64_t job, struct rec_sum *ret, struct bbt_err *err);

/* The account from day `since` on, by one heading, dearest first (days: in order). What has
 * several tags counts under each. To be freed by bbt_free(); NULL where *ret_n is 0. */
BBT_NODISCARD enum bbt_rc store_spend_list(struct store *s, enum rec_spend_by by,
    int64_t since, struct rec_spend **ret, size_t *ret_n, struct bbt_err *err);

struct rec_answer;

/* For the ledger: one answer's part of the sums; settles c->id. `c` NULL: nobody said who
 * pays, the day is that of `wall_us` in UTC. */
BBT_NODISCARD enum bbt_rc spend_answer(struct store *s, const struct rec_answer *a,
    const struct rec_claim *c, struct bbt_err *err);

#endif
