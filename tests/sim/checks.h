/* checks.h -- what must be true at every step, whatever happens: a model of the store, of the
 * ledger and of the wire, kept apart from the product's code and compared with it.
 *
 * Names of the checkers, first word of every finding:
 *   concurrency   never more requests on the wire than the configuration allows
 *   hold          nothing is sent before a Retry-After is over, nor after a restart where
 *                 that was kept
 *   cap           on no day more is charged than the day's cap, by the server's own count, over
 *                 restarts too; what is charged stands in the books, spent or reserved
 *   hours         nothing of a job is sent outside of its hours, or before its start
 *   limit         in no 60 seconds more arrives at the server than the limits per minute,
 *                 over restarts too
 *   size          of a job that was told 413, no request of that size or above leaves again, but
 *                 for those that were about to
 *   breaker       after ten failures in a row one request at a time, and 30 s after each
 *                 that fails
 *   unmarked      nothing is sent without its mark in the store
 *   answered      no question is asked whose answer is in the ledger, nor one about training
 *                 examples that were all answered in other requests
 *   paid-twice    the server answers no id more often than it was sent; an answer that came
 *                 is asked for again only where a crash left its mark
 *   ledger        a generation closes with exactly its answers in the ledger, or, where
 *                 requests may become smaller, with all of its examples answered
 *   generation    closed generations stay closed, they follow each other without a gap
 *   acknowledged  what was told to be durable is so, also after a restart
 *   counters      usage counters are the sums of the ledger's rows
 *   visible       no answer of the control API shows what is not durable at that moment, or
 *                 was no longer so when it was asked for
 *   events        listeners and pages get every event that is durable, once, in order
 *   key           two submits with one Idempotency-Key are one job
 *   reply         every request is answered, and refused only for what explains it
 *   audit         POST /v1/server:check finds nothing
 *   result        the final prompt is the one of the run without faults
 *   time          the clock grows, and nothing turns without end
 *   ends          every job ends, or pauses for a reason that a fault explains */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "base/record.h"
#include "world.h"

struct ask;
struct checks;

/* Watches a world from now on. `concurrency` as configured. */
struct checks *checks_new(struct world *w, unsigned concurrency);
void checks_free(struct checks *c);

/* Requests of one candidate on the training set, of a job; of all new ones. */
void checks_batches(struct checks *c, int64_t job, unsigned batches);
void checks_batches_of_all(struct checks *c, unsigned batches);
/* Training examples of all jobs, 32 at the most. */
void checks_examples(struct checks *c, unsigned rows);

/* Hours of all jobs of a name: minutes of the day, over midnight where `to` is not above `from`,
 * by a clock that is so much ahead of UTC. */
struct checks_hours {
    const char *name;
    int64_t not_before_us; /* 0 = at once */
    int64_t ahead_us;
    struct {
        unsigned from, to;
    } window[8];
    size_t windows; /* 0 = always */
};
void checks_hours(struct checks *c, const struct checks_hours *h);

/* Writes of the current commit, and its end. `key` may be NULL. */
void checks_submit(
    struct checks *c, int64_t job, const struct rec_job *row, const char *key);
void checks_priority(struct checks *c, int64_t job, int64_t priority);
void checks_trash(struct checks *c, int64_t job, bool into);
void checks_purge(struct checks *c, int64_t job);
void checks_event(struct checks *c, int64_t id, const struct rec_event *e);
void checks_mark(struct checks *c, const struct rec_mark *m, bool put);
void checks_answer(struct checks *c, const struct rec_mark *key, unsigned rows);
void checks_turn(struct checks *c, const struct rec_turn *t);
void checks_state(struct checks *c, int64_t job, enum rec_state to, const char *reason);
void checks_rest(struct checks *c, const struct rec_rest *rest);
void checks_commit(struct checks *c, bool good);
/* How many writes so far; those after `noted` did not happen: their call failed. */
size_t checks_noted(const struct checks *c);
void checks_undo(struct checks *c, size_t noted);

/* The wire. */
void checks_sent(struct checks *c, const struct port_http *x, size_t in_flight);
void checks_reply(struct checks *c, const char *id, bool good, long wait_s);
/* It is too large. */
void checks_refused(struct checks *c, const struct port_http *x);
/* An exchange is over; NET_KINDS: it was cut off. */
void checks_fate(struct checks *c, const struct port_http *x, enum world_net fate);
/* The server counts a request, or what it read. */
void checks_arrived(struct checks *c, uint64_t requests, uint64_t tokens);
/* The server's own limits; 0 = none. */
void checks_limits(struct checks *c, uint64_t requests, uint64_t tokens);

/* The server's prices in nano-dollars and the cap of a day; and a question that it computed. */
void checks_price(struct checks *c, uint64_t cap, uint64_t per_token, uint64_t per_request);
void checks_paid(struct checks *c, int64_t sent_wall_us, uint64_t tokens);

/* Somebody wants to try again: waits of hours are over, and so is an
 * open breaker. */
void checks_release(struct checks *c);

/* The control API (checks_api.c): a request has reached the daemon; an answer leaves it, or
 * nobody waits for it any more; a frame of an event stream leaves it. From checks_calm() on
 * nothing explains a refusal. */
void checks_asked(struct checks *c, const struct ask *a);
void checks_told(struct checks *c, const struct ask *a, unsigned status, const void *body,
    size_t len);
void checks_unasked(struct checks *c, const struct ask *a);
void checks_frame(struct checks *c, const void *bytes, size_t len);
void checks_calm(struct checks *c);

/* A job that was purged. */
bool checks_gone(const struct checks *c, int64_t job);

/* The first durable event after `after` of a job (0 = of all); 0 = none. */
int64_t checks_event_after(const struct checks *c, int64_t job, int64_t after);

/* After every step; after a stop; after a crash (the store is open again); at the end. A hard
 * stop drops what an ill disk does not take: then the marks allow as much as after a crash. */
void checks_step(struct checks *c);
void checks_stop(struct checks *c, bool hard);
void checks_crash(struct checks *c);
void checks_store(struct checks *c);

/* Requests that a crash may have made necessary again, and marks left at the last crash. */
unsigned checks_allowed(const struct checks *c);

#endif
