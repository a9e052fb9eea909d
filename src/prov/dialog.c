#include "prov/dialog.h"

#include "base/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- questions ---- */

enum bbt_rc dialog_check_prompt(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err)
{
    size_t n;

    if (!ask->prompt)
        return BBT_OK;

    if (!need->soft_prompt)
        return bbt_fail(err, BBT_INVALID,
            "this provider takes text only, a soft prompt cannot be sent to it");
    if (ask->prompt_rows == 0 || ask->hidden == 0 ||
        __builtin_mul_overflow(ask->prompt_rows, ask->hidden, &n))
        return bbt_fail(err, BBT_INVALID, "the soft prompt is empty");
    if (m->hidden == 0 || ask->hidden != m->hidden)
        return bbt_fail(err, BBT_INVALID,
            "the soft prompt has %zu numbers per row, model \"%s\" takes %zu", ask->hidden,
            m->name, m->hidden);
    if (ask->prompt_at != PROV_AT_EMBEDDING)
        return bbt_fail(err, BBT_INVALID,
            "this provider takes prompt rows at the input embedding only");
    if (need->prepend_only && ask->compose != PROV_PREPEND)
        return bbt_fail(err, BBT_INVALID,
            "this provider can put prompt rows before the text only, not add them to it");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(ask->prompt[i]))
            return bbt_fail(
                err, BBT_INVALID, "the soft prompt has a number that is not finite");
    return BBT_OK;
}

static enum bbt_rc check_rows(const struct prov_batch *b, bool text, struct bbt_err *err)
{
    for (size_t r = 0; r < b->rows; r++) {
        if (text && (!b->text || !b->text[r] || !b->text[r][0]))
            return bbt_fail(err, BBT_INVALID, "example %zu has no text", r);
        if (!text && (!b->ids || b->len[r] < 1 || (size_t)b->len[r] > b->cols))
            return bbt_fail(err, BBT_INVALID, "example %zu has no tokens or too many", r);
        for (int32_t i = 0; !text && i < b->len[r]; i++)
            if (b->ids[r * b->cols + (size_t)i] < 0)
                return bbt_fail(err, BBT_INVALID, "example %zu has a bad token", r);
    }
    return BBT_OK;
}

enum bbt_rc dialog_check(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err)
{
    size_t n;

    if (!m->probed)
        return bbt_fail(err, BBT_INVALID, "model \"%s\" has not been probed", m->name);
    if (ask->batch->rows == 0 || ask->labels == 0 ||
        __builtin_mul_overflow(ask->batch->rows, ask->labels, &n))
        return bbt_fail(err, BBT_INVALID, "an empty question");
    if (m->batch_max && ask->batch->rows > m->batch_max)
        return bbt_fail(err, BBT_INVALID, "%zu examples, model \"%s\" takes at most %zu",
            ask->batch->rows, m->name, m->batch_max);
    if (need->labels_max && ask->labels > need->labels_max)
        return bbt_fail(err, BBT_INVALID, "%zu labels, this provider scores at most %zu",
            ask->labels, need->labels_max);
    for (size_t i = 0; i < ask->labels; i++) {
        if (need->label_ids && (!ask->label_ids || ask->label_ids[i] < 0))
            return bbt_fail(err, BBT_INVALID, "label %zu has no token", i);
        if (need->label_text && (!ask->label_text || !ask->label_text[i][0]))
            return bbt_fail(err, BBT_INVALID, "label %zu has no text", i);
    }
    return check_rows(ask->batch, need->text, err);
}

enum bbt_rc dialog_check_one(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err)
{
    enum bbt_rc rc = dialog_check(m, ask, need, err);

    if (rc == BBT_OK && ask->batch->rows != 1)
        rc = bbt_fail(err, BBT_INVALID, "%zu examples, this provider takes one per request",
            ask->batch->rows);
    return rc;
}

enum bbt_rc dialog_no_prompt(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    static const struct dialog_need need = {.soft_prompt = false};

    *ret = (struct prov_part){0};
    return dialog_check_prompt(m, ask, &need, err);
}

void dialog_salt(const struct prov_ask *ask, char ret[DIALOG_SALT])
{
    size_t bytes = ask->prompt_rows * ask->hidden * sizeof *ask->prompt;

    (void)snprintf(ret, DIALOG_SALT, "bbt-%016llx",
        (unsigned long long)digest_short(ask->prompt, bytes));
}

/* ---- frames ---- */

void dialog_get(const char *path, struct prov_http *ret)
{
    prov_http_fini(ret);
    (void)snprintf(ret->method, sizeof ret->method, "GET");
    (void)snprintf(ret->path, sizeof ret->path, "%s", path);
}

static void set_header(struct prov_http *h, const char *name, const char *value)
{
    size_t i = h->headers++;

    (void)snprintf(h->header[i].name, sizeof h->header[i].name, "%s", name);
    (void)snprintf(h->header[i].value, sizeof h->header[i].value, "%s", value);
}

struct chain dialog_begin(const struct prov_model *m, const char *path, struct prov_http *h)
{
    *h = (struct prov_http){.method = "POST"};
    (void)snprintf(h->path, sizeof h->path, "%s", path);
    set_header(h, "Content-Type", "application/json");
    return chain_begin(h, m->body_max);
}

enum bbt_rc dialog_send(
    struct chain *c, const char *id, struct prov_http *ret, struct bbt_err *err)
{
    struct prov_http *h = c->h;
    enum bbt_rc rc = chain_end(c, err);

    if (rc != BBT_OK)
        return rc;
    if (id)
        set_header(h, "X-Request-Id", id);
    prov_http_fini(ret);
    *ret = *h;
    return BBT_OK;
}

enum bbt_rc dialog_whole(const struct prov_model *m, const struct prov_ask *ask,
    const char *path, const struct prov_part *batch, struct prov_http *ret,
    struct bbt_err *err)
{
    struct prov_http h;
    struct chain c = dialog_begin(m, path, &h);

    chain_lend(&c, batch->bytes.data, batch->bytes.len);
    return dialog_send(&c, ask->id, ret, err);
}

enum bbt_rc dialog_params(
    const struct prov_model *m, const char *const *ours, struct bbt_err *err)
{
    json_t *set = NULL;
    enum bbt_rc rc = BBT_OK;

    if (!m->params)
        return BBT_OK;
    rc = json_parse(m->params, strlen(m->params), "parameters", &set, err);
    for (; rc == BBT_OK && *ours; ours++)
        if (json_object_get(set, *ours))
            rc = bbt_fail(err, BBT_INVALID,
                "parameter \"%s\" is set by bbtd itself (remove it)", *ours);
    json_decref(set);
    return rc;
}
