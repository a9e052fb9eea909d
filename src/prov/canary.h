/* canary.h -- trial questions at start-up, as many as the dialect has pitfalls that can be seen.
 *
 *   soft prompts:   A, B, A again. B has the rows of A in another order. A server that ignores
 *                   the field for prompt rows, or their order, gives A = B; one whose prefix
 *                   cache mixes prompts up does not give A twice.
 *   whole prompts:  also those of plain.h.
 *   chat parts:     also the text without prompt rows: how many tokens the template puts
 *                   between the rows and the text.
 *   text:           a question twice: are there log-probabilities, and how far apart? */
#ifndef PROV_CANARY_H
#define PROV_CANARY_H

#include "prov/prov.h"

/* How many steps there are for this model; 0 where nothing can be tried. */
unsigned canary_steps(const struct prov_adapter *a, const struct prov_model *m);

/* The request of a step. BBT_NOTFOUND where there is none. */
enum bbt_rc canary_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err);

/* Its answer, kept in m->canary; codes as probe_take. The last one sets m->probed. */
enum bbt_rc canary_take(const struct prov_adapter *a, struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err);

#endif
