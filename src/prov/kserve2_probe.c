/* kserve2_probe.c -- start-up of the kserve2 dialect: what the server can do, and how this
 * deployment's tensors are called and shaped. */
#include "prov/kserve2.h"

#include "base/json.h"
#include "prov/decl.h"
#include "prov/tensor.h"
#include "prov/verdict.h"

#include <stdio.h>
#include <string.h>

enum step {
    STEP_SERVER,   /* GET /v2 */
    STEP_HEALTH,   /* GET /v2/health/ready */
    STEP_MODEL,    /* GET /v2/models/NAME */
    STEP_READY,    /* GET /v2/models/NAME/ready */
    STEP_EMBEDDING /* GET /v2/models/NAME-embedding */
};

/* ---- requests ---- */

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

/* Appends with percent-encoding; the length that it has, or would have. */
static size_t put_encoded(char *out, size_t at, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (plain(*s)) {
            if (at < PROV_PATH_MAX)
                out[at] = *s;
            at++;
            continue;
        }
        if (at + 2 < PROV_PATH_MAX) {
            out[at] = '%';
            out[at + 1] = hex[c >> 4];
            out[at + 2] = hex[c & 15];
        }
        at += 3;
    }
    return at;
}

static size_t put_plain(char *out, size_t at, const char *s)
{
    for (; *s; s++, at++)
        if (at < PROV_PATH_MAX)
            out[at] = *s;
    return at;
}

enum bbt_rc kserve2_path(const struct prov_model *m, const char *suffix, const char *tail,
    char ret[PROV_PATH_MAX], struct bbt_err *err)
{
    char path[PROV_PATH_MAX];
    size_t n = put_plain(path, 0, "/v2/models/");

    n = put_encoded(path, n, m->name);
    n = put_encoded(path, n, suffix);
    if (m->version[0] && !suffix[0]) {
        n = put_plain(path, n, "/versions/");
        n = put_encoded(path, n, m->version);
    }
    n = put_plain(path, n, tail);
    if (!m->name[0])
        return bbt_fail(err, BBT_INVALID, "the model has no name");
    if (n >= PROV_PATH_MAX)
        return bbt_fail(err, BBT_INVALID, "the model's name is too long for a URL");
    path[n] = '\0';
    memcpy(ret, path, n + 1);
    return BBT_OK;
}

enum bbt_rc kserve2_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err)
{
    static const struct {
        const char *whole, *suffix, *tail;
    } steps[] = {
        [STEP_SERVER] = {"/v2", NULL, NULL},
        [STEP_HEALTH] = {"/v2/health/ready", NULL, NULL},
        [STEP_MODEL] = {NULL, "", ""},
        [STEP_READY] = {NULL, "", "/ready"},
        [STEP_EMBEDDING] = {NULL, "-embedding", ""},
    };
    char path[PROV_PATH_MAX];

    if (step >= sizeof steps / sizeof steps[0])
        return BBT_NOTFOUND;
    if (steps[step].whole)
        (void)snprintf(path, sizeof path, "%s", steps[step].whole);
    else if (kserve2_path(m, steps[step].suffix, steps[step].tail, path, err) != BBT_OK)
        return BBT_INVALID;
    prov_http_fini(ret);
    (void)snprintf(ret->method, sizeof ret->method, "GET");
    memcpy(ret->path, path, sizeof path);
    return BBT_OK;
}

/* ---- the model's tensors ---- */

static size_t fixed(long long dim)
{
    return dim > 0 ? (size_t)dim : 0;
}

static enum bbt_rc take_ids(
    struct prov_model *m, const struct decl_list *in, struct bbt_err *err)
{
    const struct decl *ids, *mask;

    if (decl_pick(in, "input_ids", m->tensor.input_ids, "input_ids", &ids, err) != BBT_OK ||
        decl_pick(in, "attention_mask", m->tensor.attention_mask, "attention_mask", &mask, err) !=
            BBT_OK)
        return BBT_INVALID;
    if (!ids)
        return bbt_fail(err, BBT_INVALID,
            "the model declares no input \"input_ids\" (set tensors.input_ids to the name of "
            "its token input)");
    if (!tensor_is_int(ids->type) || ids->rank != 2)
        return decl_refuse(ids, "bbtd sends token ids as INT64 or INT32 [batch,tokens]", err);
    if (mask && (mask->rank != 2 || mask->type == PROV_TYPE_NONE))
        return decl_refuse(mask, "bbtd sends the attention mask as numbers [batch,tokens]", err);
    m->type_ids = ids->type;
    m->type_mask = mask ? mask->type : PROV_TYPE_NONE;
    m->rows_fixed = fixed(ids->shape[0]);
    m->cols_fixed = fixed(ids->shape[1]);
    return BBT_OK;
}

/* Can the prompt travel in this tensor, and in which shape? */
static enum bbt_rc prompt_shape(const struct prov_model *m, const struct decl *p,
    enum prov_prompt_kind *ret, struct bbt_err *err)
{
    if (p->type == PROV_TYPE_NONE || tensor_is_int(p->type) || p->rank < 2 || p->rank > 3)
        return decl_refuse(
            p, "bbtd sends the prompt as reals [L,H], [1,L,H] or [batch,L,H]", err);
    if (!m->use_binary && (p->type == PROV_FP16 || p->type == PROV_BF16))
        return decl_refuse(p,
            "this type cannot travel as JSON and the server does not offer the binary "
            "tensor extension", err);
    if (m->prompt_kind != PROV_PROMPT_AUTO) {
        if ((m->prompt_kind == PROV_PROMPT_FLAT) != (p->rank == 2))
            return decl_refuse(p, "the configured prompt shape has another rank", err);
        *ret = m->prompt_kind;
    } else if (p->rank == 2) {
        *ret = PROV_PROMPT_FLAT;
    } else {
        *ret = p->shape[0] == 1 ? PROV_PROMPT_SHARED : PROV_PROMPT_ROW;
    }
    return BBT_OK;
}

static enum bbt_rc take_prompt(
    struct prov_model *m, const struct decl_list *in, struct bbt_err *err)
{
    const struct decl *p;
    size_t hidden, rows;

    if (decl_pick(in, "prompt_embedding", m->tensor.prompt_embedding, "prompt_embedding", &p,
            err) != BBT_OK)
        return BBT_INVALID;
    m->type_prompt = PROV_TYPE_NONE;
    if (!p)
        return BBT_OK;
    if (prompt_shape(m, p, &m->prompt_wire, err) != BBT_OK)
        return BBT_INVALID;
    rows = m->prompt_wire == PROV_PROMPT_ROW ? fixed(p->shape[0]) : 0;
    if (rows && m->rows_fixed && m->rows_fixed != rows)
        return decl_refuse(p, "the token input has another batch size", err);
    if (rows)
        m->rows_fixed = rows;
    hidden = fixed(p->shape[p->rank - 1]);
    if (m->hidden && hidden && m->hidden != hidden)
        return bbt_fail(err, BBT_INVALID,
            "the prompt is configured with %zu numbers per row, the model takes %zu",
            m->hidden, hidden);
    if (hidden)
        m->hidden = hidden;
    m->prompt_rows_fixed = fixed(p->shape[p->rank - 2]);
    m->type_prompt = p->type;
    return BBT_OK;
}

static enum bbt_rc take_places(
    struct prov_model *m, const struct decl_list *in, struct bbt_err *err)
{
    const struct decl *at, *label;

    if (decl_pick(in, "mask_pos", m->tensor.mask_pos, "mask_pos", &at, err) != BBT_OK ||
        decl_pick(in, "label_ids", m->tensor.label_ids, "label_ids", &label, err) != BBT_OK)
        return BBT_INVALID;
    if (at && (!tensor_is_int(at->type) || at->rank < 1 || at->rank > 2 ||
                  (at->rank == 2 && at->shape[1] > 1)))
        return decl_refuse(
            at, "bbtd sends mask positions as INT64 or INT32 [batch] or [batch,1]", err);
    if (label && (!tensor_is_int(label->type) || label->rank < 1 || label->rank > 2))
        return decl_refuse(label,
            "bbtd sends label ids as INT64 or INT32 [labels] or [batch,labels]", err);
    m->type_mask_pos = at ? at->type : PROV_TYPE_NONE;
    m->rank_mask_pos = at ? (uint8_t)at->rank : 0;
    m->type_label_ids = label ? label->type : PROV_TYPE_NONE;
    m->rank_label_ids = label ? (uint8_t)label->rank : 0;
    m->label_ids_by_row = label && label->rank == 2 && label->shape[0] != 1;
    return BBT_OK;
}

static enum bbt_rc take_logits(
    struct prov_model *m, const struct decl_list *out, struct bbt_err *err)
{
    const struct decl *d;

    if (decl_pick(out, "logits", m->tensor.logits, "logits", &d, err) != BBT_OK)
        return BBT_INVALID;
    if (!d && out->n == 1) {
        d = &out->t[0];
        (void)snprintf(m->tensor.logits, PROV_TENSOR_MAX, "%s", d->name);
    }
    if (!d)
        return bbt_fail(err, BBT_INVALID,
            "the model declares %zu outputs, none of them \"logits\" (set tensors.logits)",
            out->n);
    if (d->type == PROV_TYPE_NONE || tensor_is_int(d->type) || d->rank < 2 || d->rank > 3)
        return decl_refuse(d,
            "bbtd reads logits as reals [batch,labels], [batch,vocabulary] or "
            "[batch,tokens,vocabulary]", err);
    if (m->hidden && fixed(d->shape[d->rank - 1]) == m->hidden)
        return decl_refuse(d,
            "its last dimension is the hidden size: these are hidden states, not scores of "
            "words (deploy the model with its language-model head)", err);
    m->type_logits = d->type;
    if (d->rank == 3)
        m->out = PROV_OUT_TOKEN;
    else if (m->type_label_ids != PROV_TYPE_NONE)
        m->out = PROV_OUT_LABEL;
    else
        m->out = d->shape[1] > 0 ? PROV_OUT_VOCAB : PROV_OUT_OPEN;
    return BBT_OK;
}

static enum bbt_rc take_model(
    struct prov_model *m, const json_t *root, struct bbt_err *err)
{
    struct decl_list in = {0}, out = {0};
    enum bbt_rc rc;

    rc = decl_read(root, "inputs", &in, err);
    if (rc == BBT_OK)
        rc = decl_read(root, "outputs", &out, err);
    if (rc == BBT_OK)
        rc = take_ids(m, &in, err);
    if (rc == BBT_OK)
        rc = take_prompt(m, &in, err);
    if (rc == BBT_OK)
        rc = take_places(m, &in, err);
    if (rc == BBT_OK)
        rc = take_logits(m, &out, err);
    if (rc != BBT_OK)
        return rc;
    if (m->rows_fixed && (!m->batch_max || m->rows_fixed < m->batch_max))
        m->batch_max = m->rows_fixed;
    (void)snprintf(
        m->platform, sizeof m->platform, "%s", json_get_str(root, "platform", ""));
    return BBT_OK;
}

static enum bbt_rc take_embedding(
    struct prov_model *m, const json_t *root, struct bbt_err *err)
{
    struct decl_list in = {0}, out = {0};
    const struct decl *ids;
    enum bbt_rc rc;

    rc = decl_read(root, "inputs", &in, err);
    if (rc == BBT_OK)
        rc = decl_read(root, "outputs", &out, err);
    if (rc != BBT_OK)
        return rc;
    ids = decl_named(&in, m->tensor.input_ids);
    /* Some other model of that name is no error: the job may bring its own numbers. */
    m->has_embedding = ids && tensor_is_int(ids->type) && ids->rank >= 1 && ids->rank <= 2 &&
                       decl_named(&out, "embedding") && decl_named(&out, "mean") &&
                       decl_named(&out, "std");
    if (m->has_embedding) {
        m->type_embed_ids = ids->type;
        m->rank_embed_ids = (uint8_t)ids->rank;
    }
    return BBT_OK;
}

static void take_server(struct prov_model *m, const json_t *root)
{
    const json_t *list = json_object_get(root, "extensions");
    size_t i;
    json_t *v;

    m->use_binary = m->binary == PROV_BINARY_ON;
    json_array_foreach (list, i, v) {
        const char *name = json_is_string(v) ? json_string_value(v) : "";

        if (m->binary == PROV_BINARY_AUTO &&
            (!strcmp(name, "binary_tensor_data") || !strcmp(name, "binary_data")))
            m->use_binary = true;
    }
    (void)snprintf(m->server, sizeof m->server, "%s", json_get_str(root, "name", ""));
    (void)snprintf(m->server_version, sizeof m->server_version, "%s",
        json_get_str(root, "version", ""));
}

/* ---- answers ---- */

/* A status other than 200 where the step needs one. */
static enum bbt_rc refused(const struct prov_reply *r, const char *what, struct bbt_err *err)
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

static bool absent(int status)
{
    return status == 400 || status == 404 || status == 405 || status == 501;
}

static enum bbt_rc parse_object(
    const struct prov_reply *r, const char *what, json_t **ret, struct bbt_err *err)
{
    json_t *root;
    enum bbt_rc rc = json_parse(r->body, r->len, what, &root, err);

    if (rc == BBT_NOMEM)
        return rc;
    if (rc != BBT_OK) {
        if (err)
            err->rc = BBT_CORRUPT;
        return BBT_CORRUPT;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return bbt_fail(err, BBT_CORRUPT, "%s: not a JSON object", what);
    }
    *ret = root;
    return BBT_OK;
}

/* The steps whose answer is a status code. */
static enum bbt_rc take_ready(
    const struct prov_reply *r, bool whole_server, struct bbt_err *err)
{
    if (r->status == 200 || r->status == 204 || r->status == 404 || r->status == 405 ||
        r->status == 501)
        return BBT_OK; /* a proxy may not carry the health calls */
    if (r->status == 400)
        return bbt_fail(
            err, BBT_AGAIN, "the %s is not ready", whole_server ? "server" : "model");
    return refused(r, whole_server ? "health" : "model ready", err);
}

enum bbt_rc kserve2_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err)
{
    static const char *const what[] = {[STEP_SERVER] = "server metadata",
        [STEP_MODEL] = "model metadata", [STEP_EMBEDDING] = "embedding model metadata"};
    json_t *root = NULL;
    enum bbt_rc rc;

    if (step == STEP_HEALTH || step == STEP_READY)
        return take_ready(r, step == STEP_HEALTH, err);
    if (step > STEP_EMBEDDING)
        return bbt_fail(err, BBT_INVALID, "no such step");
    if (step == STEP_EMBEDDING) {
        m->has_embedding = false;
        m->probed = true;
    }
    if (r->status != 200 && !(absent(r->status) && step != STEP_MODEL)) {
        m->probed = false;
        return refused(r, what[step], err);
    }
    if (r->status != 200) {
        if (step == STEP_SERVER)
            take_server(m, NULL);
        return BBT_OK;
    }
    rc = parse_object(r, what[step], &root, err);
    if (rc == BBT_OK && step == STEP_SERVER)
        take_server(m, root);
    else if (rc == BBT_OK && step == STEP_MODEL)
        rc = take_model(m, root, err);
    else if (rc == BBT_OK)
        rc = take_embedding(m, root, err);
    if (rc != BBT_OK)
        m->probed = false;
    json_decref(root);
    return rc;
}
