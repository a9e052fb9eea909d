/* eval.h -- one pair of a round: this prompt about these examples, from the response cache to the
 * ledger.
 *
 *   [cache] -> query (queue, mark, wire) -> answer into the ledger -> over
 *
 * A part of round.h, which owns its pairs; nobody else has to do with one. */
#ifndef ENGINE_EVAL_H
#define ENGINE_EVAL_H

#include "base/digest.h"
#include "engine/round.h"

struct eval_look;

struct eval {
    struct query query;
    struct op op; /* woken by call and store */
    struct round *round;
    uint32_t cand, batch; /* place of the batch in the set */
    bool storing, refused, over;
    bool lent; /* the two parts are in use for it */
    struct eval_look *look; /* at the cache; NULL = not there */
    bool keyed;
    uint8_t key[DIGEST_LEN]; /* of the cache */
    struct prov_reader *reader; /* while an answer comes; NULL then: no memory for it */
    struct rec_answer row;
    struct keep put;
    char id[48]; /* request id on the wire */
};

/* The question of a pair, without an id. Lent from the round. */
void eval_ask(const struct round *r, size_t cand, size_t batch, struct prov_ask *ask);

/* Sets off a pair that has no answer yet (`e` zeroed); where the round uses the cache it waits
 * for eval_look_more(). */
void eval_start(struct eval *e, struct round *r, uint32_t cand, uint32_t batch);

/* Puts the next pairs to the cache; those of a round that has failed are over. */
void eval_look_more(struct round *r);

/* Cuts it off: it is over soon. */
void eval_abort(struct eval *e);
void eval_fini(struct eval *e); /* when over */

#endif
