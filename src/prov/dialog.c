#include "prov/dialog.h"

#include "base/digest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- questions ---- */

static enum bbt_rc check_prompt(const struct prov_model *m, const struct prov_ask *ask,
    const struct dialog_need *need, struct bbt_err *err)
{
    size_t n;

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
    if (check_rows(ask->batch, need->text, err) != BBT_OK)
        return BBT_INVALID;
    return ask->prompt ? check_prompt(m, ask, need, err) : BBT_OK;
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

struct pen dialog_begin(const struct prov_model *m, const char *path, struct prov_http *h)
{
    *h = (struct prov_http){.method = "POST"};
    buf_init(&h->body, m->body_max);
    (void)snprintf(h->path, sizeof h->path, "%s", path);
    set_header(h, "Content-Type", "application/json");
    return (struct pen){.b = &h->body};
}

enum bbt_rc dialog_send(struct pen *p, struct prov_http *h, const char *id,
    struct prov_http *ret, struct bbt_err *err)
{
    size_t max = h->body.max;

    if (p->rc != BBT_OK) {
        prov_http_fini(h);
        if (p->rc == BBT_NOMEM)
            return bbt_fail(err, p->rc, "no memory for a request");
        return bbt_fail(err, BBT_INVALID,
            "the request is over the limit of %zu bytes (use smaller batches)", max);
    }
    if (id)
        set_header(h, "X-Request-Id", id);
    prov_http_fini(ret);
    *ret = *h;
    return BBT_OK;
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
