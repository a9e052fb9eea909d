/* crew.h -- inside of src/loop: threads that take work items from one queue.
 *
 * The common ground of work.h (several threads, one item at a time) and lane.h (one
 * thread, several items between begin and end). Contracts are there. */
#ifndef LOOP_CREW_H
#define LOOP_CREW_H

#include "base/hist.h"
#include "loop/lane.h"

struct crew;

/* `name` becomes the thread's; a crew of several adds a number. */
BBT_NODISCARD enum bbt_rc crew_new(struct loop *l, const struct lane_opts *opts,
    unsigned threads, struct crew **ret, struct bbt_err *err);
void crew_free(struct crew *c);
void crew_submit(struct crew *c, struct work *w);
size_t crew_pending(const struct crew *c);

/* Microseconds from submit to `done`; lent, grows. Loop thread. */
const struct hist *crew_waits(const struct crew *c);

#endif
