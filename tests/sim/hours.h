/* hours.h -- hours for the jobs of a seed: as their spec says them, and as the checkers count
 * them, which know nothing of zones and calendars but minutes. */
#ifndef SIM_HOURS_H
#define SIM_HOURS_H

#include "checks.h"

#define HOURS_TEXT 700

/* Draws those of the job `name` (lent) out of numbers of their own, so that seeds without hours
 * play as ever. `spec`: more members of the job file, with a leading comma; HOURS_TEXT bytes. */
void hours_draw(struct world *w, const char *name, struct checks_hours *ret, char *spec);

/* Has this seed hours at all? */
bool hours_in_seed(uint64_t seed);

#endif
