#include "prov/canary.h"

#include "base/alloc.h"
#include "prov/dialog.h"
#include "prov/plain.h"
#include "prov/reader.h"

#include <math.h>

#define ROWS 2

/* Low token ids exist in every vocabulary. */
static const int32_t token[2] = {1, 2}, length[1] = {2}, label[2] = {0, 1};
static const char *const text[1] = {"one two"}, *const label_text[2] = {" a", " b"};
static const struct prov_batch batch = {
    .rows = 1, .cols = 2, .ids = token, .len = length, .text = text};
static const struct prov_ask question = {.batch = &batch, .prompt_rows = ROWS,
    .compose = PROV_PREPEND, .prompt_at = PROV_AT_EMBEDDING, .label_ids = label, .labels = 2,
    .label_text = label_text};

enum bbt_rc canary_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err)
{
    struct prov_model trial = *m;
    struct prov_ask ask = question;
    float *prompt;
    enum bbt_rc rc;

    if (m->hidden == 0)
        return BBT_NOTFOUND;
    if (step >= CANARY_STEPS)
        return plain_next(a, m, step - CANARY_STEPS, ret, err);
    prompt = bbt_alloc_array(m->hidden, ROWS * sizeof *prompt);
    if (!prompt)
        return bbt_fail(err, BBT_NOMEM, "no memory for a trial question");
    /* Two rows that are far apart, and B has them in the other order. */
    for (size_t i = 0; i < ROWS * m->hidden; i++)
        prompt[i] = (i % m->hidden + i / m->hidden + (step == 1)) % 2 ? -0.0625f : 0.0625f;
    trial.probed = true;
    ask.prompt = prompt;
    ask.hidden = m->hidden;
    rc = prov_encode(a, &trial, &ask, ret, err);
    bbt_free(prompt);
    return rc;
}

static enum bbt_rc judge(const struct prov_model *m, unsigned step, struct bbt_err *err)
{
    const double *c = m->canary;

    if (step == 1 && !(fabs(c[1] - c[0]) > 0))
        return bbt_fail(err, BBT_INVALID,
            "the server answers two different soft prompts alike: it ignores them (too old, "
            "or something in between drops the field)");
    if (step == 2 && fabs(c[2] - c[0]) >= fabs(c[2] - c[1]))
        return bbt_fail(err, BBT_INVALID,
            "the server answers a soft prompt as the one before it: switch its prefix cache "
            "off");
    return BBT_OK;
}

enum bbt_rc canary_take(const struct prov_adapter *a, struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    struct prov_model trial = *m;
    struct prov_ask ask = question;
    struct prov_answer got = {0};
    enum bbt_rc rc;

    m->probed = false;
    if (step >= CANARY_STEPS)
        return plain_take(a, m, step - CANARY_STEPS, r, err);
    if (r->status != 200)
        return dialog_refused(r, "trial question", err);
    trial.probed = true;
    ask.hidden = m->hidden;
    rc = prov_decode(a, &trial, &ask, r, &got, err);
    if (rc != BBT_OK)
        return rc;
    m->canary[step] = (double)got.logit[0] - 2 * (double)got.logit[1];
    prov_answer_fini(&got);
    rc = judge(m, step, err);
    m->probed = rc == BBT_OK && step == CANARY_STEPS - 1 && !plain_due(a, m);
    return rc;
}
