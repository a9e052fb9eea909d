#include "prov/startup.h"

#include "prov/canary.h"
#include "prov/dialog.h"

enum step { STEP_HEALTH, STEP_MODELS, STEP_TOKENS, STEP_FRAME, STEP_CANARY };

#define TRIAL "a"

enum bbt_rc startup_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err)
{
    switch (step) {
    case STEP_HEALTH:
        dialog_get("/health", ret);
        return BBT_OK;
    case STEP_MODELS:
        dialog_get("/v1/models", ret);
        return BBT_OK;
    case STEP_TOKENS:
        return a->tokens_encode ? a->tokens_encode(m, TRIAL, ret, err) : BBT_NOTFOUND;
    case STEP_FRAME:
        return a->framed_encode ? a->framed_encode(m, TRIAL, ret, err) : BBT_NOTFOUND;
    default:
        return a->soft_prompt ? canary_next(a, m, step - STEP_CANARY, ret, err) : BBT_NOTFOUND;
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
    enum bbt_rc rc;

    m->probed = false;
    switch (step) {
    case STEP_HEALTH:
        return startup_health(r, err);
    case STEP_MODELS:
        rc = dialog_params(m, ours, err);
        if (rc == BBT_OK)
            rc = dialog_take_models(m, r, err);
        m->probed = rc == BBT_OK && !a->tokens_encode && !a->soft_prompt;
        return rc;
    case STEP_TOKENS:
        return take_plain(m, r, err);
    case STEP_FRAME:
        rc = take_framed(m, r, err);
        m->probed = rc == BBT_OK && !(a->soft_prompt && m->hidden);
        return rc;
    default:
        return canary_take(a, m, step - STEP_CANARY, r, err);
    }
}
