/* dialog_reply.c -- answers of the dialects of JSON and text. */
#include "prov/dialog.h"

#include "base/alloc.h"
#include "prov/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum bbt_rc dialog_corrupt(struct bbt_err *err, const char *why)
{
    return bbt_fail(err, BBT_CORRUPT, "response: %s", why);
}

enum bbt_rc dialog_refused(const struct prov_reply *r, const char *what, struct bbt_err *err)
{
    char said[256];
    enum bbt_rc rc = BBT_INVALID;

    verdict_error_text(r->body, r->len, said, sizeof said, NULL, 0);
    if (r->status == 401 || r->status == 403 || r->status == 407)
        rc = BBT_DENIED;
    else if (r->status == 408 || r->status == 425 || r->status == 429 ||
             (r->status >= 500 && r->status != 501))
        rc = BBT_AGAIN;
    return bbt_fail(err, rc, "%s: status %d%s%s", what, r->status, said[0] ? ": " : "", said);
}

/* An object with an error in it, whatever the status said. */
static bool is_error(const json_t *root)
{
    const json_t *e = json_object_get(root, "error");

    return (e && !json_is_null(e)) || !strcmp(json_get_str(root, "object", ""), "error");
}

/* Every vocabulary of bytes has a token NUL, and a long list may name it. The strict reader
 * takes none in a string: U+E000, which nobody uses, stands for it. */
static void hide_nul(uint8_t *body, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++)
        if (body[i] == '\\') {
            i++; /* an escaped backslash begins no escape */
            if (len - i >= 5 && !memcmp(body + i, "u0000", 5))
                body[i + 1] = 'e';
        }
}

static enum bbt_rc parse(const struct prov_reply *r, json_t **ret, struct bbt_err *err)
{
    enum bbt_rc rc;
    uint8_t *copy;

    if (!r->len || !memmem(r->body, r->len, "\\u0000", 6))
        return json_parse(r->body, r->len, "response", ret, err);
    copy = bbt_alloc(r->len);
    if (!copy)
        return bbt_fail(err, BBT_NOMEM, "no memory for a response");
    memcpy(copy, r->body, r->len);
    hide_nul(copy, r->len);
    rc = json_parse(copy, r->len, "response", ret, err);
    bbt_free(copy);
    return rc;
}

enum bbt_rc dialog_open(const struct prov_reply *r, json_t **ret, struct bbt_err *err)
{
    char said[256];
    json_t *root, *first;
    enum bbt_rc rc = parse(r, &root, err);

    if (rc == BBT_NOMEM)
        return rc;
    if (rc != BBT_OK) {
        if (err)
            err->rc = BBT_CORRUPT;
        return BBT_CORRUPT;
    }
    first = json_is_array(root) ? json_array_get(root, 0) : root;
    if (is_error(first)) {
        verdict_error_text(r->body, r->len, said, sizeof said, NULL, 0);
        rc = bbt_fail(err, BBT_CORRUPT, "an error inside a good status: %s", said);
    } else if (!json_is_array(root) && !json_is_object(root)) {
        rc = dialog_corrupt(err, "neither an object nor a list");
    }
    if (rc != BBT_OK) {
        json_decref(root);
        return rc;
    }
    *ret = root;
    return BBT_OK;
}

enum bbt_rc dialog_take_models(
    struct prov_model *m, const struct prov_reply *r, struct bbt_err *err)
{
    const json_t *list;
    json_t *root, *v;
    bool found = false;
    size_t i;
    enum bbt_rc rc;

    if (r->status != 200)
        return dialog_refused(r, "model list", err);
    rc = dialog_open(r, &root, err);
    if (rc != BBT_OK)
        return rc;
    list = json_object_get(root, "data");
    json_array_foreach (list, i, v) {
        long long max = json_get_int(v, "max_model_len", 0);

        if (strcmp(json_get_str(v, "id", ""), m->name))
            continue;
        found = true;
        m->context_max = max > 0 ? (size_t)max : 0;
        (void)snprintf(
            m->server, sizeof m->server, "%s", json_get_str(v, "owned_by", ""));
    }
    if (!json_is_array(list))
        rc = dialog_corrupt(err, "the model list has no \"data\"");
    else if (!found)
        rc = bbt_fail(err, BBT_INVALID, "the server has no model \"%s\" (it has \"%s\"%s)",
            m->name, json_get_str(json_array_get(list, 0), "id", "none"),
            json_array_size(list) > 1 ? " and more" : "");
    json_decref(root);
    return rc;
}

static enum bbt_rc read_tokens(
    const json_t *list, struct prov_tokens *ret, struct bbt_err *err)
{
    size_t n = json_array_size(list);
    struct prov_tokens t = {.n = n};

    if (!json_is_array(list))
        return dialog_corrupt(err, "no list of tokens");
    t.id = bbt_alloc_array(n, sizeof *t.id);
    if (!t.id)
        return bbt_fail(err, BBT_NOMEM, "no memory for tokens");
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        long long id = json_is_integer(v) ? json_integer_value(v) : -1;

        if (id < 0 || id > INT32_MAX) {
            prov_tokens_fini(&t);
            return dialog_corrupt(err, "a token is not a number of one");
        }
        t.id[i] = (int32_t)id;
    }
    *ret = t;
    return BBT_OK;
}

enum bbt_rc dialog_take_tokens(
    const struct prov_reply *r, struct prov_tokens *ret, struct bbt_err *err)
{
    json_t *root;
    enum bbt_rc rc;

    if (r->status == 404 || r->status == 405 || r->status == 501)
        return bbt_fail(err, BBT_NOTFOUND, "the server has no call to tokenise");
    if (r->status != 200)
        return dialog_refused(r, "tokenise", err);
    rc = dialog_open(r, &root, err);
    if (rc != BBT_OK)
        return rc;
    rc = read_tokens(json_object_get(root, "tokens"), ret, err);
    json_decref(root);
    return rc;
}

bool dialog_number(const json_t *v, double *ret)
{
    double d = json_is_number(v) ? json_number_value(v) : NAN;

    if (!isfinite(d) || fabs(d) > 1e30)
        return false;
    *ret = d;
    return true;
}

float dialog_logprob(double v)
{
    return (float)(v < DIALOG_FLOOR ? DIALOG_FLOOR : v);
}

enum bbt_rc dialog_answer(
    const struct prov_ask *ask, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_answer a = {.rows = ask->batch->rows, .labels = ask->labels};
    size_t n;

    if (__builtin_mul_overflow(a.rows, a.labels, &n) || n == 0)
        return bbt_fail(err, BBT_INVALID, "an empty question");
    a.logit = bbt_alloc_array(n, sizeof *a.logit);
    if (!a.logit)
        return bbt_fail(err, BBT_NOMEM, "no memory for an answer");
    for (size_t i = 0; i < n; i++)
        a.logit[i] = NAN;
    *ret = a;
    return BBT_OK;
}

void dialog_put(struct prov_answer *a, size_t r, size_t c, double logprob)
{
    float *at = &a->logit[r * a->labels + c];

    if (isnan(*at))
        *at = dialog_logprob(logprob);
}

enum bbt_rc dialog_finish(struct prov_answer *a, const float *least, struct bbt_err *err)
{
    for (size_t r = 0; r < a->rows; r++) {
        float *row = a->logit + r * a->labels;
        size_t missing = 0, first = 0, alive = 0;

        for (size_t c = a->labels; c-- > 0;) {
            if (isnan(row[c]))
                missing++, first = c;
            else if (row[c] > (float)DIALOG_FLOOR)
                alive++;
        }
        if (missing && !(least && (alive || missing == a->labels)))
            return bbt_fail(err, BBT_CORRUPT,
                "response: no log-probability of label %zu for example %zu", first, r);
        if (!alive && missing < a->labels)
            return bbt_fail(
                err, BBT_CORRUPT, "response: every label of example %zu has probability 0", r);
        for (size_t c = 0; missing && c < a->labels; c++)
            if (isnan(row[c]))
                row[c] = least[r];
        a->censored += missing;
    }
    return BBT_OK;
}

static uint64_t bound_of(const struct prov_ask *ask)
{
    const struct prov_batch *b = ask->batch;
    uint64_t n = 0;

    for (size_t r = 0; r < b->rows; r++)
        n += b->text ? (uint64_t)strlen(b->text[r]) : (uint64_t)b->len[r];
    if (ask->prompt && ask->compose == PROV_PREPEND)
        n += (uint64_t)b->rows * ask->prompt_rows;
    return n;
}

void dialog_usage(const json_t *root, const struct prov_ask *ask, struct prov_answer *a)
{
    const json_t *usage = json_object_get(root, "usage");
    long long in = json_get_int(usage, "prompt_tokens", -1);
    long long out = json_get_int(usage, "completion_tokens", -1);

    a->tokens_in = in >= 0 ? (uint64_t)in : bound_of(ask);
    a->tokens_out = out >= 0 ? (uint64_t)out : 0;
}

/* Each row's choice, once; `least` is filled with one number per row. */
static enum bbt_rc take_choices(const json_t *list, const struct prov_ask *ask,
    dialog_take_fn *take, struct prov_answer *a, float *least, struct bbt_err *err)
{
    json_t *v;
    size_t i;

    if (json_array_size(list) != a->rows)
        return bbt_fail(err, BBT_CORRUPT, "response: %zu choices for %zu examples",
            json_array_size(list), a->rows);
    for (size_t r = 0; r < a->rows; r++)
        least[r] = NAN;
    json_array_foreach (list, i, v) {
        long long at = json_get_int(v, "index", -1);
        size_t r = (size_t)at;
        enum bbt_rc rc;

        if (at < 0 || r >= a->rows || !isnan(least[r]))
            return dialog_corrupt(err, "the choices are not numbered one per example");
        least[r] = (float)DIALOG_FLOOR;
        rc = take(ask, v, r, a, &least[r], err);
        if (rc != BBT_OK)
            return rc;
    }
    return BBT_OK;
}

enum bbt_rc dialog_choices(const struct prov_ask *ask, const struct prov_reply *r,
    dialog_take_fn *take, bool censor, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_answer a = {0};
    float *least = NULL;
    json_t *root = NULL;
    enum bbt_rc rc = dialog_open(r, &root, err);

    if (rc == BBT_OK)
        rc = dialog_answer(ask, &a, err);
    if (rc == BBT_OK && !(least = bbt_alloc_array(a.rows, sizeof *least)))
        rc = bbt_fail(err, BBT_NOMEM, "no memory for an answer");
    if (rc == BBT_OK)
        rc = take_choices(json_object_get(root, "choices"), ask, take, &a, least, err);
    if (rc == BBT_OK)
        rc = dialog_finish(&a, censor ? least : NULL, err);
    if (rc == BBT_OK)
        dialog_usage(root, ask, &a);
    bbt_free(least);
    json_decref(root);
    if (rc != BBT_OK) {
        prov_answer_fini(&a);
        return rc;
    }
    *ret = a;
    return BBT_OK;
}
