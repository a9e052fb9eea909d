/* endpoint.h -- one provider as the engine sees it: its dialect, its limits, its models.
 *
 * Whoever wants to send puts a sched_item into a flow of the endpoint's lane and wakes
 * `kick`; the endpoint hands out turns (endpoint_granted_fn) as the limits allow. */
#ifndef ENGINE_ENDPOINT_H
#define ENGINE_ENDPOINT_H

#include "base/op.h"
#include "engine/keep.h"
#include "prov/prov.h"
#include "sched/sched.h"
#include "spec/conf.h"

struct embmat;

struct endpoint_model {
    const struct conf_model *conf; /* borrowed */
    struct prov_model m;           /* m.probed: the start-up probe has passed */
    struct embmat *mat; /* input embedding; opened by the first probe, then kept; or NULL */
    bool tried; /* trial prompts have passed, too: fit for soft prompts */
    uint64_t fingerprint; /* of the weights behind it, by what the probe was answered */
    bool stale; /* a job was refused since then: probe again before the next one */
};

struct endpoint {
    const struct conf_provider *conf; /* borrowed */
    const struct prov_adapter *adapter;
    struct sched_lane lane;
    struct op kick;     /* wake it after any change to the lane */
    struct op *alarm;   /* woken when wake_us has changed */
    struct keep_ill *ill; /* the engine's; set by it */
    uint64_t wake_us;   /* when asking the lane again can help; SCHED_NEVER */
    uint64_t answered_us; /* last good answer, turn time; 0 = none yet */
    const char *trouble;  /* outcome of the last failure since then, or NULL */
    char trouble_text[256];
    uint64_t sent, answered, failed;
    struct endpoint_model *models;
    size_t models_nr;
};

/* Borrows `conf`, which must outlive the endpoint. BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc endpoint_init(struct endpoint *e, const struct conf_provider *conf,
    struct turnq *q, struct op *alarm, struct bbt_err *err);
void endpoint_fini(struct endpoint *e); /* a zeroed one is fine */

/* A model of the configuration about which nothing is known yet. Freed by
 * prov_model_fini(&em->m). BBT_INVALID, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc endpoint_model_init(
    struct endpoint_model *em, const struct conf_model *c, struct bbt_err *err);

/* The one of that name among `n`; NULL. */
struct endpoint *endpoint_find(struct endpoint *e, size_t n, const char *name);

/* NULL where the configuration names no such model. */
struct endpoint_model *endpoint_model(struct endpoint *e, const char *name);

/* Why a request would have to wait now: "rate_limit", "outage", "retrying", "concurrency",
 * or "working" where nothing stands in the way. */
const char *endpoint_why(const struct endpoint *e, uint64_t now_us);

#endif
