/* round.h -- a set of questions that must all be answered: prompts x batches.
 *
 *   round_start: LOAD (what the ledger knows, after a restart) -> ASK -> done
 *
 * Each (prompt, batch) pair that the ledger does not have is marked in the store, sent,
 * decoded and kept in the ledger; only then is it counted as answered. The order in which
 * answers come does not matter. What the ledger knows counts row by row: a pair is not asked
 * where other requests, of batches that were cut otherwise then, have answered all of its rows. */
#ifndef ENGINE_ROUND_H
#define ENGINE_ROUND_H

#include "engine/making.h"
#include "engine/query.h"
#include "engine/task.h"

/* Each pair that is to be asked takes about 4 KB while it waits: 256 MB at the most. */
#define ROUND_PAIRS_MAX 65536u

/* Tokens of one example that a generating server may count and we do not see: of its chat
 * template, at both ends. */
#define ROUND_SLACK 64u

#define ROUND_NONE UINT32_MAX

struct eval; /* one pair (eval.h) */

struct round {
    /* in */
    int64_t job; /* 0: not kept in the ledger (predictions) */
    enum rec_phase phase;
    uint64_t gen;
    struct endpoint *ep;
    const struct prov_model *model;
    struct sched_flow *flow;
    const struct task_set *set; /* the batches and their gold labels */
    const int32_t *label_ids;
    const char *const *label_text; /* or NULL, as prov_ask */
    size_t labels;
    const float *prompt; /* n x rows x hidden; NULL: n is 1 and there is no soft prompt */
    const uint64_t *digest; /* n: identity of each prompt; NULL without prompt */
    size_t n, rows, hidden;
    enum prov_compose compose;
    enum prov_at at;
    struct till_account *account; /* who pays; NULL: nobody keeps account */
    struct parts *batches; /* the set's, kept from round to round; NULL: the round's own */
    bool cache_read, cache_write; /* use the response cache, where there is one */
    uint64_t fingerprint; /* of the model, for the cache */
    bool fresh; /* nothing of this round was ever asked: the ledger need not be read */
    struct op *wake;

    /* facts */
    bool done;
    enum bbt_rc rc;
    struct bbt_err err;
    const char *reason;
    size_t shrink; /* failed because a request of so many rows is too large; 0 = not */
    float *logit; /* n x set->n x labels, in the set's row order; owned by the round */
    size_t left;  /* pairs without an answer */
    size_t sent_first; /* pairs that had to be asked (not found in the ledger) */
    size_t cached; /* of those, answered by the response cache */
    uint64_t failures, tokens_in;

    /* own */
    struct op op;
    struct turnq *q;
    bool loading, making, failed, hard;
    struct making make;
    struct parts own_batches, prompts;
    uint32_t *pairs_left; /* n: of each prompt */
    uint32_t *from; /* n x set->n: number of the batch whose answer a row has; ROUND_NONE */
    struct port_call load;
    struct rec_answer *known;
    size_t known_n;
    struct rec_mark *marks;
    size_t marks_n;
    struct eval *eval;
    size_t evals, running;
    size_t look_at, looking; /* next pair for the cache, and how many are there */
};

/* Does a server of this dialect answer with a token for every example? A masked model scores
 * without generating. */
bool round_generates(const struct prov_adapter *a);

/* Zeroed by the caller before the "in" fields are set. BBT_NOMEM, BBT_INVALID (sizes). */
BBT_NODISCARD enum bbt_rc round_start(struct round *r, struct turnq *q, struct bbt_err *err);

/* A wish: nothing more is sent, what is on the wire still comes in (unless `hard`, which cuts
 * it off); ends in `done` with BBT_CANCELED unless all was answered. */
void round_drop(struct round *r, bool hard);

/* Only when done, or never started. */
void round_fini(struct round *r);

/* ---- for the pairs ---- */

/* An answer about rows from `first` on: its numbers go to their place. Of two answers about one
 * row that of the smaller number stays, whichever came first: as it will be after a restart. */
void round_take(struct round *r, size_t first, const struct rec_answer *a);

/* Nothing more is sent; the first reason counts. `err` may be NULL. */
void round_fail(struct round *r, enum bbt_rc rc, const struct bbt_err *err,
    const char *reason);

#endif
