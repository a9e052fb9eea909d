/* endpoint.h -- one provider as the engine sees it: its dialect, its gate, its models. Its
 * limits are those of its channel (channel.h), which it may share with others. */
#ifndef ENGINE_ENDPOINT_H
#define ENGINE_ENDPOINT_H

#include "base/op.h"
#include "engine/agenda.h"
#include "engine/channel.h"
#include "engine/keep.h"
#include "engine/like.h"
#include "engine/tariff.h"
#include "prov/prov.h"
#include "sched/backoff.h"
#include "sched/sched.h"
#include "spec/conf.h"

struct embmat;

#define ENDPOINT_FORMS 4u

struct endpoint_model {
    const struct conf_model *conf; /* borrowed */
    struct prov_model m;           /* m.probed: the start-up probe has passed */
    struct embmat *mat; /* input embedding; opened by the first probe, then kept; or NULL */
    bool tried; /* trial prompts have passed, too: fit for soft prompts */
    uint64_t fingerprint; /* of the weights behind it, by what the probe was answered */
    struct like like[ENDPOINT_FORMS]; /* those answers, by endpoint_like() */
    uint64_t shun_until;  /* turn time; no job with a choice takes it before */
    struct tariff tariff; /* of the endpoint's own models; empty in others */
    bool stale; /* a job was refused since then: probe again before the next one */
    size_t rows_max; /* examples that a request may have at the most, as refusals of larger ones
                        have taught; 0 = not known. No probe knows better */
};

enum endpoint_wall {
    ENDPOINT_FREE,
    ENDPOINT_USER,  /* a person said so: what waits goes on waiting */
    ENDPOINT_AUTH,  /* the server refuses the credential */
    ENDPOINT_QUOTA, /* money or a fixed quota is used up */
};

struct endpoint {
    const struct conf_provider *conf; /* borrowed */
    const struct prov_adapter *adapter;
    struct channel *channel; /* borrowed */
    struct endpoint *next;   /* of the same channel */
    struct gate gate;
    struct agenda agenda;
    struct backoff_budget budget;
    struct keep_ill *ill; /* the engine's; set by it */
    enum endpoint_wall pause; /* nothing is sent until somebody acts */
    bool wall;                /* and what waits for it ends; set with AUTH and QUOTA */
    char pause_text[256];     /* the server's sentence; "" for USER */
    uint64_t changed, kept;   /* grows with every pause, hold and resume; in the store */
    bool was_paused;          /* as it is in the store */
    unsigned acting; /* somebody's pause or resume is on its way to the store: what the engine
                        knew before is not written behind it */
    uint64_t answered_us; /* last good answer, turn time; 0 = none yet */
    const char *trouble;  /* outcome of the last failure since then, or NULL */
    uint64_t trouble_us, failed_us; /* turn time of the first and of the last of them */
    char trouble_text[256];
    uint64_t sent, answered, failed;
    struct endpoint_model *models;
    size_t models_nr;
};

/* Borrows `conf` and `channel`, which must outlive the endpoint, and joins the channel. `zone`
 * as for agenda_init(). BBT_INVALID, BBT_NOMEM, and what agenda_init() says. */
BBT_NODISCARD enum bbt_rc endpoint_init(struct endpoint *e, const struct conf_provider *conf,
    struct channel *channel, const char *zone, struct bbt_err *err);
/* The price lists of its models; hours that name no zone are meant in `zone`, which must
 * outlive the endpoint. BBT_INVALID: the system does not have a zone. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc endpoint_price(
    struct endpoint *e, const struct zone *zone, struct bbt_err *err);
void endpoint_fini(struct endpoint *e); /* a zeroed one is fine */

/* A model of the configuration about which nothing is known yet. Freed by
 * prov_model_fini(&em->m). BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc endpoint_model_init(
    struct endpoint_model *em, const struct conf_model *c, struct bbt_err *err);

/* A request of `rows` examples was too large: later ones have at most half as many. */
void endpoint_model_shrink(struct endpoint_model *em, size_t rows);
/* Examples that a request may have: what the model says, or less; 0 = nobody knows. */
size_t endpoint_model_rows(const struct endpoint_model *em);

/* Takes over limits of `conf` that have changed. */
void endpoint_limit(struct endpoint *e);

/* The one of that name among `n`; NULL. */
struct endpoint *endpoint_find(struct endpoint *e, size_t n, const char *name);

/* NULL where the configuration names no such model. */
struct endpoint_model *endpoint_model(struct endpoint *e, const char *name);

/* What the model answered to trial prompts that enter in this way. */
struct like *endpoint_like(
    struct endpoint_model *m, enum prov_compose compose, enum prov_at at);

/* A job's queue to this endpoint. */
void endpoint_flow(struct endpoint *e, struct sched_flow *flow, unsigned weight);

/* Brings the gate up to date with the calendar. */
void endpoint_look_at_clock(struct endpoint *e);

/* May an item that was given a turn leave now? It may not where the server has asked for a
 * rest since then, or somebody or something else has closed the endpoint. */
bool endpoint_shut(const struct endpoint *e, const struct sched_item *item, uint64_t now_us);

/* The server asked for a rest of all requests: of the limit that it shares, or its own. */
void endpoint_hold(struct endpoint *e, uint64_t wait_us, bool whole_limit);

/* Stops using it until endpoint_resume(). With AUTH and QUOTA all that waits for it ends with
 * that reason and `text`; with USER it waits. */
void endpoint_pause(struct endpoint *e, enum endpoint_wall why, const char *text);
/* Ends a pause, an open breaker, and rests that are longer than what is sat out by itself:
 * somebody wants to try. */
void endpoint_resume(struct endpoint *e);

/* Pause reason of a job that meets the wall: "auth", "quota", or "user". */
const char *endpoint_wall_name(enum endpoint_wall w);

/* Why a request would have to wait now: "provider_paused", "rate_limit", "window", "outage",
 * "retrying", "concurrency", or "working" where nothing stands in the way. */
const char *endpoint_why(const struct endpoint *e, uint64_t now_us);
/* Not to be used for a while: paused, without an answer, or asked for a long rest. A moment's
 * throttling is none. */
bool endpoint_away(const struct endpoint *e, uint64_t now_us);
/* A request failed. `outcome` is static. */
void endpoint_trouble(struct endpoint *e, const char *outcome, const char *text);
/* For how long at least, as far as time alone decides; 0 where it does not. */
uint64_t endpoint_wait_us(const struct endpoint *e, uint64_t now_us);

#endif
