/* like.h -- do two endpoints serve the same weights? By the answers that their models gave to the
 * same trial prompts at start-up (probe.h), which other weights answer otherwise. Pure. */
#ifndef ENGINE_LIKE_H
#define ENGINE_LIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKE_ANSWERS 4

/* Two answers to one question may differ in the last bits when a server batches them
 * differently; other weights move a logit by far more. */
#define LIKE_DRIFT_MAX 1e-2

/* Stored as it is, in the job's setup. */
struct like {
    uint64_t answers; /* 0: nothing is known */
    uint64_t hidden;
    double answer[LIKE_ANSWERS];
};

/* How far the answers lie apart at most; INFINITY where the questions were not the same, NaN
 * where one of the two is not known. */
double like_apart(const struct like *a, const struct like *b);

/* The same, as far as one can ask; false where one of them is not known. */
bool like_same(const struct like *a, const struct like *b);

#endif
