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

enum trial { SOFT_A, SOFT_B, PLAIN };

/* The steps of a dialect, in order; those of plain.h come behind them where they are due. */
static unsigned plan(
    const struct prov_adapter *a, const struct prov_model *m, enum trial ret[PROV_CANARIES])
{
    unsigned n = 0;

    if (!a->soft_prompt) {
        ret[n++] = PLAIN;
        ret[n++] = PLAIN;
        return n;
    }
    if (m->hidden == 0)
        return 0;
    ret[n++] = SOFT_A;
    ret[n++] = SOFT_B;
    ret[n++] = SOFT_A;
    if (a->wants_text)
        ret[n++] = PLAIN;
    return n;
}

unsigned canary_steps(const struct prov_adapter *a, const struct prov_model *m)
{
    enum trial t[PROV_CANARIES];

    return plan(a, m, t) + (m->hidden && plain_due(a, m) ? PLAIN_STEPS : 0);
}

/* Two rows that are far apart, and B has them in the other order. */
static float *rows_of(const struct prov_model *m, enum trial t)
{
    float *prompt = bbt_alloc_array(m->hidden, ROWS * sizeof *prompt);

    for (size_t i = 0; prompt && i < ROWS * m->hidden; i++)
        prompt[i] = (i % m->hidden + i / m->hidden + (t == SOFT_B)) % 2 ? -0.0625f : 0.0625f;
    return prompt;
}

enum bbt_rc canary_next(const struct prov_adapter *a, const struct prov_model *m,
    unsigned step, struct prov_http *ret, struct bbt_err *err)
{
    struct prov_model trial = *m;
    struct prov_ask ask = question;
    enum trial t[PROV_CANARIES];
    unsigned n = plan(a, m, t);
    float *prompt = NULL;
    enum bbt_rc rc;

    if (step >= n)
        return plain_next(a, m, step - n, ret, err);
    trial.probed = true;
    if (t[step] == SOFT_A || t[step] == SOFT_B) {
        prompt = rows_of(m, t[step]);
        if (!prompt)
            return bbt_fail(err, BBT_NOMEM, "no memory for a trial question");
        ask.prompt = prompt;
        ask.hidden = m->hidden;
    }
    rc = prov_encode(a, &trial, &ask, ret, err);
    bbt_free(prompt);
    return rc;
}

static enum bbt_rc judge(
    struct prov_model *m, unsigned step, enum trial t, struct bbt_err *err)
{
    const double *c = m->canary;
    const uint64_t *tokens = m->canary_tokens;

    if (t == PLAIN && step == 3) /* behind the soft ones; P3 */
        m->tokens_between = tokens[0] > tokens[3] + ROWS ? tokens[0] - tokens[3] - ROWS : 0;
    if (t != SOFT_A && t != SOFT_B)
        return BBT_OK;
    if (step == 1 && !(fabs(c[1] - c[0]) > 0))
        return bbt_fail(err, BBT_INVALID,
            "the server answers two different soft prompts alike: it ignores them (too old, "
            "or something in between drops the field), or its prefix cache mixes them up");
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
    enum trial t[PROV_CANARIES];
    unsigned n = plan(a, m, t);
    float unread = 0; /* decoding does not read the values, but asks whether there are some */
    enum bbt_rc rc;

    m->probed = false;
    if (step >= n)
        return plain_take(a, m, step - n, r, err);
    if (r->status != 200)
        return dialog_refused(r, "trial question", err);
    trial.probed = true;
    ask.hidden = m->hidden;
    if (t[step] == SOFT_A || t[step] == SOFT_B)
        ask.prompt = &unread;
    rc = prov_decode(a, &trial, &ask, r, &got, err);
    if (rc != BBT_OK)
        return rc;
    m->canary[step] = (double)got.logit[0] - 2 * (double)got.logit[1];
    m->canary_tokens[step] = got.tokens_in;
    prov_answer_fini(&got);
    rc = judge(m, step, t[step], err);
    m->probed = rc == BBT_OK && step + 1 == canary_steps(a, m);
    return rc;
}
