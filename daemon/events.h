/* events.h -- the event stream: what is durable, pushed to whoever listens.
 *
 * A listener is a cursor into the stored events. A change wakes the hub, which reads on from
 * the oldest cursor and hands each listener what it has not seen. */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include "base/err.h"

#include <stdint.h>

struct daemon;
struct events;
struct web_req;

/* No listener yet. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc events_new(
    struct daemon *d, struct events **ret, struct bbt_err *err);

/* Ends all streams; a read that is under way must have come back (lane drained). */
void events_free(struct events *ev); /* NULL is fine */

/* Ends all streams, takes no new ones. */
void events_close(struct events *ev);

/* Something of this job has become durable. */
void events_changed(struct events *ev, int64_t job);

/* Takes over a request: a stream of events with id > `after`, of one job (0: of all). */
void events_listen(struct events *ev, struct web_req *r, int64_t job, int64_t after);

#endif
