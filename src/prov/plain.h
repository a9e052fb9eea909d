/* plain.h -- the trial of servers that take the tokens of a text as rows of the embedding: the
 * same tokens by their ids must get the same answer. Where they do not, the file of rows is not
 * this model's, or the model scales its embeddings behind the look-up (as the Gemma family
 * does), and every prompt would be another text than it seems. */
#ifndef PROV_PLAIN_H
#define PROV_PLAIN_H

#include "prov/prov.h"

#define PLAIN_STEPS 2
#define PLAIN_NEAR 0.5 /* nats that low precision may put between the two */

/* Can the trial be made: does the dialect send rows, and are there any? */
bool plain_due(const struct prov_adapter *a, const struct prov_model *m);

/* The request of step 0 (rows) or 1 (ids). BBT_NOTFOUND behind them, or if not due. */
enum bbt_rc plain_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err);

/* Its answer; the first is kept in m->plain, the second sets m->probed. Codes as probe_take. */
enum bbt_rc plain_take(const struct prov_adapter *a, struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err);

#endif
