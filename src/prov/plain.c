#include "prov/plain.h"

#include "prov/dialog.h"
#include "prov/reader.h"

#include <math.h>

/* Low token ids exist in every vocabulary. */
static const int32_t token[6] = {3, 5, 4, 7, 6, 5}, length[1] = {6},
                     label[PROV_PLAIN] = {0, 1, 2, 3, 4, 5, 6, 7};
static const struct prov_batch batch = {.rows = 1, .cols = 6, .ids = token, .len = length};
static const struct prov_ask question = {.batch = &batch, .compose = PROV_PREPEND,
    .prompt_at = PROV_AT_EMBEDDING, .label_ids = label, .labels = PROV_PLAIN};

bool plain_due(const struct prov_adapter *a, const struct prov_model *m)
{
    return a->plain_encode && m->token_row && m->hidden;
}

enum bbt_rc plain_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err)
{
    struct prov_model trial = *m;
    struct prov_ask ask = question;

    if (step >= PLAIN_STEPS || !plain_due(a, m))
        return BBT_NOTFOUND;
    trial.probed = true;
    ask.hidden = m->hidden;
    if (step == 0)
        return prov_encode(a, &trial, &ask, ret, err);
    return a->plain_encode(&trial, &ask, ret, err);
}

static enum bbt_rc judge(
    const struct prov_model *m, const struct prov_answer *ids, struct bbt_err *err)
{
    double far = 0;

    for (size_t i = 0; i < PROV_PLAIN; i++)
        far = fmax(far, fabs(m->plain[i] - (double)ids->logit[i]));
    if (far <= PLAIN_NEAR)
        return BBT_OK;
    return bbt_fail(err, BBT_INVALID,
        "the server answers a text otherwise when its tokens come as rows (by %.3g in a "
        "log-probability): the embeddings are not this model's, or it scales them", far);
}

enum bbt_rc plain_take(const struct prov_adapter *a, struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    struct prov_model trial = *m;
    struct prov_ask ask = question;
    struct prov_answer got = {0};
    enum bbt_rc rc;

    m->probed = false;
    if (step >= PLAIN_STEPS || !plain_due(a, m))
        return bbt_fail(err, BBT_INVALID, "no such step");
    if (r->status != 200)
        return dialog_refused(r, "trial question", err);
    trial.probed = true;
    ask.hidden = m->hidden;
    rc = prov_decode(a, &trial, &ask, r, &got, err);
    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; step == 0 && i < PROV_PLAIN; i++)
        m->plain[i] = (double)got.logit[i];
    if (step == 1)
        rc = judge(m, &got, err);
    prov_answer_fini(&got);
    m->probed = rc == BBT_OK && step == 1;
    return rc;
}
