/* control.h -- the daemon around the world's engine: the real handlers, event stream and
 * house-keeping of daemon/, on the world's ports, clock and web. */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include "world.h"

/* Around the engine that is there (w->engine), as main.c does it. */
void control_start(struct world *w);
/* First step of a stop: nothing new is taken. */
void control_quiesce(struct world *w, bool hard);
/* No story is under way any more, the store's queue is empty. */
bool control_idle(const struct world *w, bool hard);
/* Frees what control_start() made. */
void control_free(struct world *w);
/* The process died: forgets all of it without touching it. */
void control_crash(struct world *w);

#endif
