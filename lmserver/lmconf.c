#include "lmconf.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

const char *lmconf_family_name(enum lmconf_family f)
{
    return f == LMCONF_ROBERTA ? "roberta" : "bert";
}

/* An integer of `from`..`to`. A fallback below `from` means that the key must be there. */
static enum bbt_rc get_size(const json_t *doc, const char *name, const char *key,
    const long long range[2], long long fallback, size_t *ret, struct bbt_err *err)
{
    const json_t *v = json_object_get(doc, key);
    long long n = fallback;

    if (!v && fallback < range[0])
        return bbt_fail(err, BBT_INVALID, "%s: '%s' is missing", name, key);
    if (v && !json_is_null(v)) {
        if (!json_is_integer(v))
            return bbt_fail(err, BBT_INVALID, "%s: '%s' is not an integer", name, key);
        n = json_integer_value(v);
    }
    if (n < range[0] || n > range[1])
        return bbt_fail(err, BBT_INVALID, "%s: '%s' is %lld, expected %lld to %lld", name,
            key, n, range[0], range[1]);
    *ret = (size_t)n;
    return BBT_OK;
}

static enum bbt_rc get_sizes(
    const json_t *doc, const char *name, struct lmconf *c, struct bbt_err *err)
{
    const long long roberta = c->family == LMCONF_ROBERTA;
    const struct {
        const char *key;
        long long range[2], fallback;
        size_t *ret;
    } sizes[] = {
        {"hidden_size", {1, 65536}, 0, &c->hidden},
        {"num_hidden_layers", {1, 1024}, 0, &c->layers},
        {"num_attention_heads", {1, 4096}, 0, &c->heads},
        {"intermediate_size", {1, 1 << 20}, 0, &c->inner},
        {"vocab_size", {1, 1 << 24}, 0, &c->vocab},
        {"max_position_embeddings", {1, 1 << 20}, 0, &c->positions},
        {"type_vocab_size", {1, 1 << 16}, roberta ? 1 : 2, &c->types},
        {"pad_token_id", {0, (1 << 24) - 1}, roberta ? 1 : 0, &c->pad},
    };
    enum bbt_rc rc;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rc = get_size(doc, name, sizes[i].key, sizes[i].range, sizes[i].fallback,
            sizes[i].ret, err);
        if (rc != BBT_OK)
            return rc;
    }
    if (c->hidden % c->heads)
        return bbt_fail(err, BBT_INVALID,
            "%s: 'hidden_size' %zu is not a multiple of 'num_attention_heads' %zu", name,
            c->hidden, c->heads);
    if (c->pad >= c->vocab)
        return bbt_fail(err, BBT_INVALID, "%s: 'pad_token_id' %zu lies outside the "
            "vocabulary of %zu", name, c->pad, c->vocab);
    c->first_pos = roberta ? c->pad + 1 : 0;
    if (c->first_pos >= c->positions)
        return bbt_fail(err, BBT_INVALID,
            "%s: 'max_position_embeddings' %zu leaves no position behind the padding's",
            name, c->positions);
    c->tokens = c->positions - c->first_pos;
    return BBT_OK;
}

/* The settings that decide what is computed, and that we know in one form only. */
static enum bbt_rc check_kind(
    const json_t *doc, const char *name, struct lmconf *c, struct bbt_err *err)
{
    const char *type = json_get_str(doc, "model_type", "");
    const char *act = json_get_str(doc, "hidden_act", "gelu");
    const char *pos = json_get_str(doc, "position_embedding_type", "absolute");
    double eps = json_get_num(doc, "layer_norm_eps", 1e-12);

    if (!strcmp(type, "bert"))
        c->family = LMCONF_BERT;
    else if (!strcmp(type, "roberta") || !strcmp(type, "xlm-roberta") ||
             !strcmp(type, "camembert"))
        c->family = LMCONF_ROBERTA;
    else
        return bbt_fail(err, BBT_INVALID,
            "%s: 'model_type' is '%.60s'; served are bert and roberta", name, type);
    if (strcmp(act, "gelu"))
        return bbt_fail(err, BBT_INVALID,
            "%s: 'hidden_act' is '%.60s'; served is gelu (with erf)", name, act);
    if (strcmp(pos, "absolute"))
        return bbt_fail(err, BBT_INVALID,
            "%s: 'position_embedding_type' is '%.60s'; served is absolute", name, pos);
    if (json_get_bool(doc, "is_decoder", 0))
        return bbt_fail(err, BBT_INVALID, "%s: 'is_decoder' is set; served are masked "
            "language models", name);
    if (!((float)eps > 0 && eps < 1)) /* 1e-60 would divide by nothing */
        return bbt_fail(
            err, BBT_INVALID, "%s: 'layer_norm_eps' is not between 0 and 1", name);
    c->eps = (float)eps;
    c->tied = json_get_bool(doc, "tie_word_embeddings", 1);
    return BBT_OK;
}

enum bbt_rc lmconf_parse(const void *text, size_t len, const char *name,
    struct lmconf *ret, struct bbt_err *err)
{
    struct lmconf c = {0};
    json_t *doc = NULL;
    enum bbt_rc rc;

    rc = json_parse(text, len, name, &doc, err);
    if (rc == BBT_OK && !json_is_object(doc))
        rc = bbt_fail(err, BBT_INVALID, "%s: not a JSON object", name);
    if (rc == BBT_OK)
        rc = check_kind(doc, name, &c, err);
    if (rc == BBT_OK)
        rc = get_sizes(doc, name, &c, err);
    if (rc == BBT_OK)
        *ret = c;
    json_decref(doc);
    return rc;
}

enum bbt_rc lmconf_load(const char *dir, struct lmconf *ret, struct bbt_err *err)
{
    char *path = bbt_asprintf("%s/config.json", dir);
    struct bbt_buf text;
    enum bbt_rc rc;

    buf_init(&text, LMCONF_BYTES_MAX);
    rc = path ? file_read(path, &text, err)
              : bbt_fail(err, BBT_NOMEM, "no memory to read %s", dir);
    if (rc == BBT_OK)
        rc = lmconf_parse(text.data, text.len, path, ret, err);
    buf_fini(&text);
    bbt_free(path);
    return rc;
}
