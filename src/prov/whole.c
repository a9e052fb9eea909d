#include "prov/whole.h"

#include "base/alloc.h"

#include <string.h>

static enum bbt_rc look_up(const struct prov_model *m, const int32_t *id, size_t n,
    float *out, struct bbt_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!m->token_row(m->token_arg, id[i], out + i * m->hidden))
            return bbt_fail(err, BBT_INVALID,
                "the embedding matrix has no row for token %d", (int)id[i]);
    return BBT_OK;
}

enum bbt_rc whole_rows(const struct prov_model *m, const struct prov_ask *ask, size_t r,
    float **ret, size_t *ret_rows, struct bbt_err *err)
{
    const struct prov_batch *b = ask->batch;
    const int32_t *id = b->ids + r * b->cols;
    size_t len = (size_t)b->len[r], hidden = m->hidden, width = hidden * sizeof(float);
    bool before = ask->prompt && ask->compose == PROV_PREPEND;
    size_t lead = before && m->bos_id >= 0 && id[0] == m->bos_id;
    size_t rows = len + (before ? ask->prompt_rows : 0), n;
    float *v, *at;
    enum bbt_rc rc;

    if (!m->token_row || hidden == 0)
        return bbt_fail(err, BBT_INVALID,
            "this provider takes whole prompts as embeddings: the model's embedding matrix "
            "must be configured");
    if (m->context_max && rows >= m->context_max)
        return bbt_fail(err, BBT_INVALID,
            "example %zu has %zu tokens with the prompt, model \"%s\" takes %zu", r, rows,
            m->name, m->context_max - 1);
    if (ask->prompt && !before && len < ask->prompt_rows + 1)
        return bbt_fail(err, BBT_INVALID,
            "example %zu has %zu tokens, the prompt is added to %zu behind the first", r, len,
            ask->prompt_rows);
    if (__builtin_mul_overflow(rows, hidden, &n) || !(v = bbt_alloc_array(n, sizeof *v)))
        return bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
    at = v;
    rc = look_up(m, id, lead, at, err);
    at += lead * hidden;
    if (before) {
        memcpy(at, ask->prompt, ask->prompt_rows * width);
        at += ask->prompt_rows * hidden;
    }
    if (rc == BBT_OK)
        rc = look_up(m, id + lead, len - lead, at, err);
    if (rc != BBT_OK) {
        bbt_free(v);
        return rc;
    }
    for (size_t i = 0; ask->prompt && !before && i < ask->prompt_rows * hidden; i++)
        v[hidden + i] += ask->prompt[i];
    *ret = v;
    *ret_rows = rows;
    return BBT_OK;
}
