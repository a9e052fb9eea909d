/* standin.h -- the providers of a job: its own, and those that stand in for it while that one is
 * away (job file: `fallback`).
 *
 * A loss from another model would poison the search. So only an endpoint of the same weights
 * stands in: its answers to the trial prompts are compared with those that the job began with
 * (like.h). A job moves by tune_again(): what is answered stays, the rest is asked there; and it
 * goes home between two generations. */
#ifndef ENGINE_STANDIN_H
#define ENGINE_STANDIN_H

#include "engine/tune.h"

/* What the job's model answered to trial prompts of the job's form. */
struct like *standin_like(const struct tune *t, struct endpoint_model *m);

/* Sets t->ep and t->model: the first of its providers that can be used now, or its own where
 * none can or nobody knows yet what the job began with. BBT_INVALID with a sentence. */
BBT_NODISCARD enum bbt_rc standin_choose(struct tune *t, struct bbt_err *err);

/* The model has been probed: may it serve this job? BBT_INVALID with a sentence. */
BBT_NODISCARD enum bbt_rc standin_check(const struct tune *t, struct bbt_err *err);

/* Lets go of the job where it is better off elsewhere: its endpoint is away, and another is
 * not. True where it does. */
bool standin_look(struct tune *t);

/* The same between two generations, where a way home is taken, too. */
bool standin_home(struct tune *t);

/* Its model is not the one: true where it goes elsewhere. */
bool standin_leaves(struct tune *t, const struct bbt_err *err);

/* The story would end here with that failure: true where it moves instead. */
bool standin_takes(
    struct tune *t, enum bbt_rc rc, const struct bbt_err *err, const char *reason);

/* Does the job wait for an endpoint that is away, or stand elsewhere than at home? Then it is
 * worth a look now and then. */
bool standin_watches(const struct tune *t);

#endif
