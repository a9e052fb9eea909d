#include "engine/standin.h"

#include "spec/fit.h"

#include <stdio.h>
#include <string.h>

/* A job's own provider that is another model by now, or one that cannot even be probed, is left
 * alone for so long. A stand-in of other weights is known as such. */
#define SHUN_US (UINT64_C(3600) * 1000000)

/* One of the job's providers. */
struct place {
    struct endpoint *ep; /* NULL: the configuration does not have it */
    struct endpoint_model *model;
    size_t at; /* 0: its own */
};

static size_t places(const struct tune *t)
{
    return 1 + t->spec->fallback.nr;
}

static struct place place_of(const struct tune *t, size_t at)
{
    const char *name = at ? t->spec->fallback.item[at - 1] : t->spec->provider;
    struct place p = {.at = at};

    p.ep = endpoint_find(t->endpoints, t->endpoints_nr, name);
    p.model = p.ep ? endpoint_model(p.ep, t->spec->model) : NULL;
    if (!p.model)
        p.ep = NULL;
    return p;
}

struct like *standin_like(const struct tune *t, struct endpoint_model *m)
{
    return endpoint_like(m, task_compose(t->spec), task_at(t->spec));
}

/* What the answers of a stand-in are compared with. */
static const struct like *reference(const struct tune *t)
{
    static const struct like unknown = {0};
    const struct place own = place_of(t, 0);

    if (t->has_setup && t->setup.like.answers)
        return &t->setup.like;
    return own.model ? standin_like(t, own.model) : &unknown;
}

/* From what the job began with; NaN where one of the two is not known. */
static double apart(const struct tune *t, struct endpoint_model *m)
{
    return like_apart(reference(t), standin_like(t, m));
}

static bool another(const struct tune *t, struct endpoint_model *m)
{
    return apart(t, m) > LIKE_DRIFT_MAX;
}

/* Another may stand in: as far as the configuration, and what is known of it, tell. */
static bool able(const struct tune *t, const struct place *p, uint64_t now)
{
    const struct place own = place_of(t, 0);

    if (!p->ep || p->model->shun_until > now)
        return false;
    if (p->at == 0)
        return !another(t, p->model);
    if (!own.model || reference(t)->answers == 0 ||
        (t->spec->limits.usd != MONEY_NONE && !p->model->tariff.known))
        return false;
    if (fit_stand_in(own.ep->conf, own.model->conf, p->ep->conf, p->model->conf, NULL) != BBT_OK)
        return false;
    return !another(t, p->model);
}

/* The first that can be used at once, but for `but`. */
static bool find(
    const struct tune *t, const struct endpoint *but, size_t places_nr, struct place *ret)
{
    uint64_t now = port_now_us();

    for (size_t i = 0; i < places_nr; i++) {
        *ret = place_of(t, i);
        if (ret->ep != but && able(t, ret, now) && !endpoint_away(ret->ep, now) &&
            !ret->ep->gate.breaker.probing && endpoint_wait_us(ret->ep, now) == 0)
            return true;
    }
    return false;
}

enum bbt_rc standin_choose(struct tune *t, struct bbt_err *err)
{
    struct place own = place_of(t, 0), other;
    uint64_t now = port_now_us();

    if (!own.ep)
        return bbt_fail(err, BBT_INVALID,
            "the daemon's configuration has no provider \"%s\" with a model \"%s\"",
            t->spec->provider, t->spec->model);
    if (t->spec->fallback.nr && (endpoint_away(own.ep, now) || !able(t, &own, now)) &&
        find(t, own.ep, places(t), &other))
        own = other;
    t->ep = own.ep;
    t->model = own.model;
    t->standin = own.at;
    return fit_check(t->ep->conf, t->model->conf, t->spec, err);
}

enum bbt_rc standin_check(const struct tune *t, struct bbt_err *err)
{
    if (t->spec->fallback.nr == 0 || !another(t, t->model))
        return BBT_OK;
    return bbt_fail(err, BBT_INVALID,
        "%s: the model \"%s\" there is not the one that the job began with: it answers the "
        "trial prompts otherwise (by up to %.3g; %g is allowed)",
        t->ep->conf->name, t->spec->model, apart(t, t->model), LIKE_DRIFT_MAX);
}

static void move(struct tune *t, const struct place *to, const char *why)
{
    char text[200];

    (void)snprintf(text, sizeof text, "goes on at %.60s: %.100s", to->ep->conf->name, why);
    tune_again(t, REC_RUNNING, "working", "fallback", text);
}

static bool movable(const struct tune *t)
{
    /* before it has an endpoint, another thread reads its file */
    return t->ep && t->spec->fallback.nr && t->state < TUNE_RESULT && !t->halt &&
        !t->again.text[0];
}

bool standin_look(struct tune *t)
{
    struct place to;
    char why[96];

    if (!movable(t) || !endpoint_away(t->ep, port_now_us()) ||
        !find(t, t->ep, places(t), &to))
        return false;
    (void)snprintf(why, sizeof why, "%.60s cannot be used now", t->ep->conf->name);
    t->model->stale = true; /* it may come back as another */
    move(t, &to, why);
    return true;
}

bool standin_home(struct tune *t)
{
    struct place to;

    if (!movable(t))
        return false;
    if (!find(t, t->ep, t->standin, &to))
        return standin_look(t);
    move(t, &to, "it can be used again");
    return true;
}

/* Its way leads home, or to the next that can stand in: where it is chosen anew. */
static void leave(struct tune *t, const struct bbt_err *err)
{
    char text[240];

    (void)snprintf(text, sizeof text, "leaves %.230s", err->msg);
    tune_again(t, REC_RUNNING, "working", "fallback", text);
}

bool standin_leaves(struct tune *t, const struct bbt_err *err)
{
    struct place to;

    if (!movable(t) || (t->standin == 0 && !find(t, t->ep, places(t), &to)))
        return false;
    if (t->standin == 0) { /* later it is asked again who it is */
        t->model->shun_until = port_now_us() + SHUN_US;
        t->model->stale = true;
        *standin_like(t, t->model) = (struct like){0};
    }
    leave(t, err);
    return true;
}

bool standin_takes(
    struct tune *t, enum bbt_rc rc, const struct bbt_err *err, const char *reason)
{
    bool walled = reason && (strcmp(reason, "auth") == 0 || strcmp(reason, "quota") == 0);
    bool refused = reason && strcmp(reason, "provider") == 0;

    if (!movable(t) || rc == BBT_OK || rc == BBT_CANCELED || (!walled && !refused))
        return false;
    if (t->state == TUNE_PROBE && t->standin && rc != BBT_AGAIN)
        t->model->shun_until = port_now_us() + SHUN_US;
    else if (!walled && rc != BBT_AGAIN)
        return false; /* the job's own failure, which another would tell, too */
    if (!standin_look(t) && t->standin)
        leave(t, err);
    return t->again.text[0];
}

bool standin_watches(const struct tune *t)
{
    return movable(t) && (t->standin || endpoint_away(t->ep, port_now_us()));
}
