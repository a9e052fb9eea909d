/* tune_gen.h -- middle part of a job's story: generation after generation. See tune.h. */
#ifndef ENGINE_TUNE_GEN_H
#define ENGINE_TUNE_GEN_H

#include "engine/tune.h"

/* A full image of the optimiser is kept every so many generations; in between a resume tells
 * the recorded losses again, with one eigendecomposition at its end. */
#define TUNE_SNAPSHOT_EVERY 40

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
