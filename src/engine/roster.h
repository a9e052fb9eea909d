/* roster.h -- queued jobs of which it is known that their hours begin later, so that nobody
 * reads their specs again before that. What is not in it is simply not known. */
#ifndef ENGINE_ROSTER_H
#define ENGINE_ROSTER_H

#include "engine/shift.h"

struct roster_row {
    int64_t job;
    struct shift_now now;
};

struct roster {
    struct roster_row *row; /* each job once */
    size_t nr, room;
    int64_t seen_us; /* wall clock of the last look */
};

void roster_fini(struct roster *r); /* a zeroed one is fine */

/* False without memory: nothing is known of the job then. */
bool roster_put(struct roster *r, int64_t job, const struct shift_now *now);

/* Forgets whose time has come, and all where the wall clock went back. True where that is
 * somebody. */
bool roster_look(struct roster *r, int64_t wall_us);

/* The earliest moment at which that is so; SHIFT_NEVER. */
int64_t roster_next_us(const struct roster *r);

/* False where nothing is known of the job. */
bool roster_has(const struct roster *r, int64_t job, struct shift_now *ret);

#endif
