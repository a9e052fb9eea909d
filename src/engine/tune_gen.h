/* tune_gen.h -- middle part of a job's story: generation after generation. See tune.h. */
#ifndef ENGINE_TUNE_GEN_H
#define ENGINE_TUNE_GEN_H

#include "engine/tune.h"

/* A full image of the optimiser is kept every so many generations; in between a resume tells
 * the recorded losses again, with one eigendecomposition at its end. */
#define TUNE_SNAPSHOT_EVERY 40

/* What is said of a state that is not, to the last bit, the one that the records tell of. */
#define TUNE_DRIFT_TEXT                                                                      \
    "this machine's linear algebra gives other last bits than the one that began the job; "  \
    "the stored candidates are used"

/* On the store's thread: puts that into the job's events where it is due. */
BBT_NODISCARD enum bbt_rc tune_drift_event(
    const struct tune *t, struct port_db *db, struct bbt_err *err);

void tune_train(struct tune *t);     /* ask the open generation's candidates */
void tune_tell(struct tune *t);      /* their losses are in: next generation */
void tune_told(struct tune *t);      /* measure on dev where it is due */
void tune_judged(struct tune *t);    /* dev answers are in */
void tune_committed(struct tune *t); /* go on, or finish */

/* Why the search is over ("budget", "target", ...), or NULL where it is not. */
const char *tune_stop_reason(const struct tune *t);

/* Last part (tune_end.c). `reason` is why the search ended. */
void tune_finish(struct tune *t, const char *reason);

#endif
