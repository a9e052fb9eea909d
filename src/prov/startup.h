/* startup.h -- the start-up probe of servers with OpenAI's model list: health, the model, the
 * tokeniser, and trial questions. */
#ifndef PROV_STARTUP_H
#define PROV_STARTUP_H

#include "prov/prov.h"

/* As probe_next and probe_take of adapter `a`; a->tokens_encode may be NULL. `ours` names the
 * members of a request that the configuration must not set (NULL-terminated). */
enum bbt_rc startup_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err);

/* The answer of a step; codes as probe_take. */
enum bbt_rc startup_take(const struct prov_adapter *a, const char *const *ours,
    struct prov_model *m, unsigned step, const struct prov_reply *r, struct bbt_err *err);

/* The step of a health call alone: 200, or the call does not exist. */
enum bbt_rc startup_health(const struct prov_reply *r, struct bbt_err *err);

#endif
