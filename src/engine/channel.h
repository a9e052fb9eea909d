/* channel.h -- one real limit of the configuration and the endpoints that share it.
 *
 * Whoever wants to send puts a sched_item into a flow of the channel and kicks it; the channel
 * hands out turns (query_grant) as the limits allow, and ends what waits for an endpoint that
 * cannot be used until somebody acts (query_wall). */
#ifndef ENGINE_CHANNEL_H
#define ENGINE_CHANNEL_H

#include "base/op.h"
#include "base/record.h"
#include "sched/sched.h"
#include "spec/conf.h"

struct endpoint;
struct prov_reply;

struct channel {
    char name[REC_QUOTA_MAX]; /* of the quota; "@PROVIDER" where that has one of its own */
    struct sched_lane lane;
    struct op kick;     /* wake it after any change to the lane or one of its gates */
    struct op *alarm;   /* woken when wake_us has changed */
    uint64_t changed, kept; /* grows with every hold; in the store */
    uint64_t wake_us;   /* when asking the lane again can help; SCHED_NEVER */
    struct endpoint *endpoints; /* linked by endpoint.next */
};

/* `quota` NULL: a limit of `p`'s own. `concurrency`: where the quota says none. */
void channel_init(struct channel *c, const struct conf_quota *quota,
    const struct conf_provider *p, size_t concurrency, struct turnq *q, struct op *alarm);
void channel_fini(struct channel *c); /* a zeroed one is fine */

/* New limits from a reloaded configuration. */
void channel_limit(struct channel *c, const struct conf_quota *quota,
    const struct conf_provider *p, size_t concurrency);

/* Takes over what the headers of a response say about the limit. */
void channel_learn(struct channel *c, const struct prov_reply *r);

/* Something has changed. */
void channel_kick(struct channel *c);

/* For the alarm: wakes the channel where its time has come, and returns its next time. */
uint64_t channel_alarm(struct channel *c, uint64_t now_us);

#endif
