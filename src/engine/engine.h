/* engine.h -- the running jobs: which one is next, who is let go, what is asked beside them.
 *
 * Commands (submit, pause, resume, cancel) are changes of a job's row, made durable by the
 * caller; the engine is then told to look again (engine_poke) or to let go (engine_halt).
 * Nothing calls upward: what comes back is a fact and a woken operation. Loop thread only. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/op.h"
#include "engine/endpoint.h"
#include "engine/probe.h"
#include "engine/till.h"
#include "engine/tune.h"
#include "spec/conf.h"

struct engine;

/* Borrows `conf`. BBT_INVALID (configuration), BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc engine_new(const struct conf *conf, struct turnq *q,
    struct engine **ret, struct bbt_err *err);

/* Only when engine_idle(). NULL is fine. */
void engine_free(struct engine *e);

/* Looks for work from now on: interrupted jobs first, then queued ones. */
void engine_start(struct engine *e);

/* A job may have become runnable. */
void engine_poke(struct engine *e);

/* Limits of the configuration have changed (the same providers and quotas, in order); somebody
 * wants to try again, too. */
void engine_reload(struct engine *e);

/* Somebody wants to try again: ends pauses of providers for a credential or money, closes open
 * breakers, and ends holds that are longer than what is sat out by itself (a server that asked
 * for hours paused its jobs; their resume is a person's decision). A person's own pause of a
 * provider stays. */
void engine_release(struct engine *e);

/* Sends nothing more for this job and lets go of it; its row is the caller's business. Fine
 * for a job that is not running. */
void engine_halt(struct engine *e, int64_t job);

/* The job has a new priority, durable in its row: a running one gets its share of the next
 * requests by it. Fine for a job that is not running. */
void engine_priority(struct engine *e, int64_t job, int64_t priority);

/* Lets go of everything; `idle` is woken when nothing is under way any more. Jobs keep their
 * state and are resumed by the next start. With `hard` requests on the wire are cut off. */
void engine_stop(struct engine *e, struct op *idle, bool hard);
bool engine_idle(const struct engine *e);

/* Jobs in work, and requests on the wire, at this moment. */
size_t engine_running(const struct engine *e);
size_t engine_in_flight(const struct engine *e);

/* Jobs in work whose requests go through this channel. */
size_t engine_sharing(const struct engine *e, const struct channel *c);

/* Why a running job is where it is; false where the engine does not have it. */
struct engine_live {
    struct tune_progress progress;
    const char *why;        /* as endpoint_why() */
    const char *provider;   /* that it uses now; NULL = not known yet */
    const char *trouble;    /* last failure's sentence; "" where none */
    uint64_t wait_us;       /* nothing is sent for so long, as far as one knows */
};
bool engine_live(const struct engine *e, int64_t job, struct engine_live *ret);

/* The paused provider that a queued job waits for; NULL where that is not what it waits for. */
struct endpoint *engine_waits_for(struct engine *e, int64_t job);
/* The same for its own hours; false where those are not what it waits for. */
bool engine_hours(const struct engine *e, int64_t job, struct shift_now *ret);
/* Whose money is spent; its day's sums are for display. */
const struct till *engine_till(const struct engine *e);
struct till *engine_purse(struct engine *e); /* to open an account beside the jobs */

/* What is wrong with the store, or NULL: then nothing is sent and nothing is taken over. */
const struct keep_ill *engine_ill(const struct engine *e);

/* Is it known what was paused, and held, before the daemon was started? Soon after. */
bool engine_loaded(const struct engine *e);

/* Providers of the configuration, for display and for provider tests. */
struct endpoint *engine_endpoints(struct engine *e, size_t *ret_n);
struct endpoint *engine_endpoint(struct engine *e, const char *name);
struct turnq *engine_turnq(struct engine *e);

#endif
