/* tune_end.h -- last part of a job's story: held-out test, baselines, result. See tune.h. */
#ifndef ENGINE_TUNE_END_H
#define ENGINE_TUNE_END_H

#include "engine/tune.h"

void tune_test(struct tune *t);     /* the final prompt is made: measure */
void tune_measured(struct tune *t); /* one of the last rounds is in */
void tune_baselines(struct tune *t); /* what the tuned prompt is compared with */
void tune_context(struct tune *t);   /* one order of demonstrations is rendered: measure */
void tune_result(struct tune *t);   /* all is measured: the score sheet and its commit */

#endif
