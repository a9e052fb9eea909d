#include "prov/whole.h"

#include "base/alloc.h"

#include <string.h>

enum bbt_rc whole_look_up(const struct prov_model *m, const int32_t *id, size_t n,
    float *out, struct bbt_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!m->token_row(m->token_arg, id[i], out + i * m->hidden))
            return bbt_fail(err, BBT_INVALID,
                "the embedding matrix has no row for token %d", (int)id[i]);
    return BBT_OK;
}

enum bbt_rc whole_plan(const struct prov_model *m, const struct prov_ask *ask, size_t r,
    struct whole *ret, struct bbt_err *err)
{
    const struct prov_batch *b = ask->batch;
    size_t len = (size_t)b->len[r];
    bool before = ask->prompt && ask->compose == PROV_PREPEND;
    struct whole w = {.id = b->ids + r * b->cols, .len = len, .before = len, .from = len};

    w.rows = len + (before ? ask->prompt_rows : 0);
    if (!m->token_row || m->hidden == 0)
        return bbt_fail(err, BBT_INVALID,
            "this provider takes whole prompts as embeddings: the model's embedding matrix "
            "must be configured");
    if (m->context_max && w.rows >= m->context_max)
        return bbt_fail(err, BBT_INVALID,
            "example %zu has %zu tokens with the prompt, model \"%s\" takes %zu", r, w.rows,
            m->name, m->context_max - 1);
    if (ask->prompt && !before && len < ask->prompt_rows + 1)
        return bbt_fail(err, BBT_INVALID,
            "example %zu has %zu tokens, the prompt is added to %zu behind the first", r, len,
            ask->prompt_rows);
    if (before) {
        w.before = m->bos_id >= 0 && w.id[0] == m->bos_id;
        w.from = w.before;
    } else if (ask->prompt) {
        w.before = 1;
        w.from = 1 + ask->prompt_rows;
    }
    *ret = w;
    return BBT_OK;
}

enum bbt_rc whole_prompt(const struct prov_model *m, const struct prov_ask *ask,
    const struct whole *w, float *out, struct bbt_err *err)
{
    size_t n = ask->prompt_rows * m->hidden;
    enum bbt_rc rc;

    if (ask->compose == PROV_PREPEND) {
        memcpy(out, ask->prompt, n * sizeof *out);
        return BBT_OK;
    }
    rc = whole_look_up(m, w->id + 1, ask->prompt_rows, out, err);
    for (size_t i = 0; rc == BBT_OK && i < n; i++)
        out[i] += ask->prompt[i];
    return rc;
}

bool whole_same(const struct prov_ask *ask, const struct whole *a, const struct whole *b)
{
    return ask->compose == PROV_PREPEND ||
           !memcmp(a->id + 1, b->id + 1, ask->prompt_rows * sizeof *a->id);
}

float *whole_room(const struct prov_model *m, const struct prov_ask *ask)
{
    size_t rows = ask->prompt ? ask->prompt_rows : 0, n;

    if (rows < ask->batch->cols)
        rows = ask->batch->cols;
    if (__builtin_mul_overflow(rows, m->hidden, &n) || n == SIZE_MAX)
        return NULL;
    return bbt_alloc_array(n + 1, sizeof(float)); /* + 1: never nothing */
}
