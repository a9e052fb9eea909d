#include "prov/startup.h"

#include "prov/canary.h"
#include "prov/dialog.h"

enum step { STEP_HEALTH, STEP_MODELS, STEP_TOKENS, STEP_FRAME, STEP_CANARY };

#define TRIAL "a"

/* Steps that a dialect without such calls does not have. */
static unsigned first_canary(const struct prov_adapter *a)
{
    return !a->tokens_encode ? STEP_TOKENS : !a->framed_encode ? STEP_FRAME : STEP_CANARY;
}

enum bbt_rc startup_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err)
{
    unsigned canary = first_canary(a);

    if (step >= canary)
        return canary_next(a, m, step - canary, ret, err);
    switch (step) {
    case STEP_HEALTH:
        dialog_get("/health", ret);
        return BBT_OK;
    case STEP_MODELS:
        dialog_get("/v1/models", ret);
        return BBT_OK;
    case STEP_TOKENS:
        return a->tokens_encode(m, TRIAL, ret, err);
    default:
        return a->framed_encode(m, TRIAL, ret, err);
    }
}

enum bbt_rc startup_health(const struct prov_reply *r, struct bbt_err *err)
{
    /* A gateway may not carry it. */
    if (r->status == 200 || r->status == 404 || r->status == 405 || r->status == 501)
        return BBT_OK;
    return dialog_refused(r, "health", err);
}

static enum bbt_rc take_plain(
    struct prov_model *m, const struct prov_reply *r, struct bbt_err *err)
{
    struct prov_tokens t = {0};
    enum bbt_rc rc = dialog_take_tokens(r, &t, err);

    m->has_tokens = rc == BBT_OK;
    m->trial_tokens = t.n;
    m->trial_first = t.n ? t.id[0] : -1;
    prov_tokens_fini(&t);
    return rc == BBT_NOTFOUND ? BBT_OK : rc;
}

/* P7: a first token that the server adds to texts, but to nothing else. */
static enum bbt_rc take_framed(
    struct prov_model *m, const struct prov_reply *r, struct bbt_err *err)
{
    struct prov_tokens t = {0};
    enum bbt_rc rc = dialog_take_tokens(r, &t, err);

    if (rc == BBT_OK && m->has_tokens && m->bos_id < 0 && t.n > m->trial_tokens &&
        t.id[0] != m->trial_first)
        m->bos_id = t.id[0];
    prov_tokens_fini(&t);
    return rc == BBT_NOTFOUND ? BBT_OK : rc;
}

enum bbt_rc startup_take(const struct prov_adapter *a, const char *const *ours,
    struct prov_model *m, unsigned step, const struct prov_reply *r, struct bbt_err *err)
{
    unsigned canary = first_canary(a);
    enum bbt_rc rc;

    m->probed = false;
    if (step >= canary)
        return canary_take(a, m, step - canary, r, err);
    switch (step) {
    case STEP_HEALTH:
        return startup_health(r, err);
    case STEP_MODELS:
        rc = dialog_params(m, ours, err);
        if (rc == BBT_OK)
            rc = dialog_take_models(m, r, err);
        break;
    case STEP_TOKENS:
        rc = take_plain(m, r, err);
        break;
    default:
        rc = take_framed(m, r, err);
    }
    m->probed = rc == BBT_OK && step + 1 == canary && canary_steps(a, m) == 0;
    return rc;
}
