/* probe.h -- is this provider's model fit for tuning? Asked before money is spent.
 *
 * Reads the tokenizer folder and the input embedding where there are some, walks the dialect's
 * start-up steps (health, metadata, shapes, for language models also trial questions), then
 * asks a masked model three canaries: prompt A, prompt B, prompt A again. A must repeat (no
 * cache that mixes prompts, no noise) and B must differ (the prompt is not ignored). */
#ifndef ENGINE_PROBE_H
#define ENGINE_PROBE_H

#include "engine/query.h"
#include "text/tok.h"

#define PROBE_ROWS 4 /* prompt rows of a canary where the server does not insist */

enum probe_state { PROBE_TOK, PROBE_STEPS, PROBE_CANARY, PROBE_DONE };

struct probe {
    /* in */
    struct endpoint *ep;
    struct endpoint_model *model; /* gets the facts when all is well, and only then */
    const char *tokenizer; /* folder; NULL: none */
    bool plain; /* no soft prompt will be sent: no canaries either */
    enum prov_compose compose;
    enum prov_at at;
    struct till_account *account; /* who pays for the canaries; or NULL */
    struct op *wake;

    /* facts */
    bool done;
    enum bbt_rc rc;
    struct bbt_err err;
    const char *reason; /* pause reason where rc is not OK; or NULL */
    double drift;       /* largest |A - A again| of a logit */
    double effect;      /* largest |A - B| */
    uint64_t latency_us; /* of the last canary */
    char seen[160];      /* names of headers about limits that came with the answers */

    /* own */
    struct op op;
    enum probe_state state, state_failed;
    struct turnq *q;
    struct endpoint_model fresh; /* what is being learned */
    struct port_call work;
    struct tok *tok;
    struct embmat *mat; /* until the model has it */
    struct sched_flow flow;
    struct query query;
    unsigned step, canary;
    bool drop;
    size_t rows, hidden;
    size_t hidden_later; /* the configured width, kept out of a plain probe's way */
    float *prompt; /* A then B: 2 x rows x hidden */
    int32_t *ids;
    int32_t len, mask_pos, labels[2];
    struct prov_batch batch;
    float logit[3][2];
};

/* Zeroed by the caller before the "in" fields are set. */
void probe_start(struct probe *p, struct turnq *q);
void probe_drop(struct probe *p); /* a wish: still ends in `done` */
void probe_fini(struct probe *p); /* only when done or never started */

#endif
