/* play.h -- one seed: several jobs, a provider and a disk in trouble, an impatient user, deaths
 * at any step; at the end every job has the prompt of the run without any of it. */
#ifndef SIM_PLAY_H
#define SIM_PLAY_H

#include "base/record.h"
#include "scene.h"

#define PLAY_SPECS 24 /* different jobs */
#define PLAY_MODELS 4 /* different servers; the last one is a causal model's */

/* What the undisturbed run of a job ends with. */
struct play_reference {
    struct rec_result result;
    struct rec_usage usage;
};

struct play_references {
    struct play_reference of[PLAY_MODELS][PLAY_SPECS];
};

/* Runs every job alone in a good world. Stops the program where one does not complete. */
void play_rehearse(struct play_references *refs);

/* Plays a seed; "" where all checkers are content, else "step M: checker: what". */
void play_seed(const struct play_references *refs, uint64_t seed, enum world_mutant mutant,
    char *ret, size_t room);

#endif
