/* canary.h -- trial questions at start-up: the same text under the prompts A, B and A again; B
 * has the rows of A in another order. A server that ignores the field for prompt rows, or the
 * order of rows, gives A = B; one whose prefix cache mixes prompts up does not give A twice. */
#ifndef PROV_CANARY_H
#define PROV_CANARY_H

#include "prov/prov.h"

#define CANARY_STEPS 3 /* behind them those of plain.h, where they are due */

/* The request of step 0 .. 2. BBT_NOTFOUND where the model's width is not known. */
enum bbt_rc canary_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err);

/* Its answer, kept in m->canary; codes as probe_take. The last one sets m->probed. */
enum bbt_rc canary_take(const struct prov_adapter *a, struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err);

#endif
