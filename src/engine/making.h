/* making.h -- the parts of a round's requests, made on a worker before the first one is sent:
 * base64 and numbers as text, megabytes of them, are no work for the loop.
 *
 * What cannot be made here (no memory, a question that cannot be put to the model) is left; it
 * is made when its request's turn comes, and fails there. */
#ifndef ENGINE_MAKING_H
#define ENGINE_MAKING_H

#include "engine/parts.h"
#include "engine/ports.h"

struct making {
    /* in */
    const struct prov_adapter *adapter;
    const struct prov_model *model; /* read by making_start() only: a probe may replace it */
    struct parts *batches, *prompts; /* nobody else's until `done` */
    /* The question of batch i (prompt 0), of prompt i (batch 0); `arg` lives until `done`. */
    void (*ask_batch)(const void *arg, size_t i, struct prov_ask *ret);
    void (*ask_prompt)(const void *arg, size_t i, struct prov_ask *ret);
    const void *arg;
    struct op *wake;

    /* facts */
    bool done;

    /* own */
    struct op op;
    struct port_call call;
    struct prov_model copy;
};

/* Zeroed by the caller before the "in" fields are set. Cannot be taken back. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc making_start(
    struct making *m, struct turnq *q, struct bbt_err *err);
void making_fini(struct making *m); /* when done, or never started */

#endif
