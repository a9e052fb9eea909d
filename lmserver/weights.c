#include "weights.h"

#include "base/alloc.h"
#include "num/safetens.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 160

struct weights_keep {
    struct safetens *file;
    float **own; /* converted tensors */
    size_t own_nr, own_max;
};

/* What is being loaded. The first failure sticks: later calls do nothing. */
struct loading {
    struct weights *w;
    const char *dir;
    enum bbt_rc rc;
    struct bbt_err *err;
};

void weights_free(struct weights *w)
{
    if (!w)
        return;
    if (w->keep) {
        for (size_t i = 0; i < w->keep->own_nr; i++)
            bbt_free(w->keep->own[i]);
        bbt_free(w->keep->own);
        safetens_free(w->keep->file);
    }
    bbt_free(w->keep);
    bbt_free(w->layer);
    bbt_free(w);
}

/* Memory that lives as long as the weights; NULL after a failure. */
static float *own_floats(struct loading *ld, size_t count)
{
    struct weights_keep *k = ld->w->keep;
    float *p = NULL;

    if (ld->rc != BBT_OK)
        return NULL;
    if (k->own_nr < k->own_max)
        p = bbt_alloc_array(count, sizeof *p);
    if (p)
        k->own[k->own_nr++] = p;
    else
        ld->rc = bbt_fail(ld->err, BBT_NOMEM, "no memory for %zu weights", count);
    return p;
}

static void shape_text(const size_t *shape, size_t rank, char *out, size_t room)
{
    size_t at = 0;

    out[0] = 0;
    for (size_t i = 0; i < rank && at < room; i++)
        at += (size_t)snprintf(out + at, room - at, "%s%zu", i ? ", " : "", shape[i]);
}

/* The tensor of that name and shape (cols 0: a vector), or NULL and the failure. */
static const struct safetens_item *find(
    struct loading *ld, const char *name, size_t rows, size_t cols)
{
    const struct safetens_item *it = safetens_find(ld->w->keep->file, name);
    char is[100];

    if (!it) {
        ld->rc = bbt_fail(
            ld->err, BBT_INVALID, "%s: tensor '%s' is missing", ld->dir, name);
        return NULL;
    }
    if (it->rank == (cols ? 2 : 1) && it->shape[0] == rows && (!cols || it->shape[1] == cols))
        return it;
    shape_text(it->shape, it->rank, is, sizeof is);
    if (cols)
        ld->rc = bbt_fail(ld->err, BBT_INVALID,
            "%s: tensor '%s' has the shape [%s], config.json asks for [%zu, %zu]", ld->dir,
            name, is, rows, cols);
    else
        ld->rc = bbt_fail(ld->err, BBT_INVALID,
            "%s: tensor '%s' has the shape [%s], config.json asks for [%zu]", ld->dir, name,
            is, rows);
    return NULL;
}

static void check_finite(struct loading *ld, const char *name, const float *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(p[i])) {
            ld->rc = bbt_fail(ld->err, BBT_INVALID,
                "%s: tensor '%s' holds a number that is not finite (element %zu)", ld->dir,
                name, i);
            return;
        }
}

/* Converts a tensor to `out`. */
static void fetch_to(
    struct loading *ld, const char *name, size_t rows, size_t cols, float *out)
{
    const struct safetens_item *it;

    if (ld->rc != BBT_OK)
        return;
    it = find(ld, name, rows, cols);
    if (!it)
        return;
    ld->rc = safetens_floats(it, out, ld->err);
    if (ld->rc == BBT_OK)
        check_finite(ld, name, out, it->count);
}

/* A tensor as it lies in the file, or a converted copy. */
static const float *fetch(struct loading *ld, const char *name, size_t rows, size_t cols)
{
    const struct safetens_item *it;
    const float *p;
    float *copy;

    if (ld->rc != BBT_OK)
        return NULL;
    it = find(ld, name, rows, cols);
    if (!it)
        return NULL;
    p = safetens_peek(it);
    if (p) {
        check_finite(ld, name, p, it->count);
        return p;
    }
    copy = own_floats(ld, it->count);
    if (copy)
        fetch_to(ld, name, rows, cols, copy);
    return copy;
}

/* `name` and the words that follow it up to NULL, glued together. */
static void glue(char *out, ...) __attribute__((sentinel));
static void glue(char *out, ...)
{
    const char *part;
    size_t at = 0;
    va_list ap;

    va_start(ap, out);
    while ((part = va_arg(ap, const char *)) && at < NAME_MAX_LEN)
        at += (size_t)snprintf(out + at, NAME_MAX_LEN - at, "%s", part);
    va_end(ap);
}

/* Gain and shift of a LayerNorm; older files call them gamma and beta. */
static void fetch_norm(
    struct loading *ld, const char *prefix, const char *part, const float *ret[2])
{
    static const char *const names[2][2] = {{".weight", ".gamma"}, {".bias", ".beta"}};
    char name[NAME_MAX_LEN];

    for (size_t i = 0; i < 2; i++) {
        glue(name, prefix, part, names[i][1], NULL);
        if (!safetens_find(ld->w->keep->file, name))
            glue(name, prefix, part, names[i][0], NULL);
        ret[i] = fetch(ld, name, ld->w->conf.hidden, 0);
    }
}

/* Matrix and bias of a linear layer. */
static void fetch_linear(struct loading *ld, const char *prefix, const char *part,
    const size_t out_in[2], const float **ret_matrix, const float **ret_bias)
{
    char name[NAME_MAX_LEN];

    glue(name, prefix, part, ".weight", NULL);
    *ret_matrix = fetch(ld, name, out_in[0], out_in[1]);
    glue(name, prefix, part, ".bias", NULL);
    *ret_bias = fetch(ld, name, out_in[0], 0);
}

/* Query, key and value in one matrix: one product instead of three. */
static void fetch_qkv(struct loading *ld, const char *prefix, struct weights_layer *l)
{
    static const char *const parts[3] = {"query", "key", "value"};
    size_t h = ld->w->conf.hidden;
    float *m = own_floats(ld, 3 * h * h), *b = own_floats(ld, 3 * h);
    char name[NAME_MAX_LEN];

    for (size_t i = 0; i < 3 && m && b; i++) {
        glue(name, prefix, "attention.self.", parts[i], ".weight", NULL);
        fetch_to(ld, name, h, h, m + i * h * h);
        glue(name, prefix, "attention.self.", parts[i], ".bias", NULL);
        fetch_to(ld, name, h, 0, b + i * h);
    }
    l->qkv = m;
    l->qkv_bias = b;
}

static void fetch_layer(struct loading *ld, size_t nr)
{
    const struct lmconf *c = &ld->w->conf;
    struct weights_layer *l = &ld->w->layer[nr];
    const size_t square[2] = {c->hidden, c->hidden};
    const size_t up[2] = {c->inner, c->hidden}, down[2] = {c->hidden, c->inner};
    char prefix[NAME_MAX_LEN];

    (void)snprintf(prefix, sizeof prefix, "%s.encoder.layer.%zu.",
        lmconf_family_name(c->family), nr);
    fetch_qkv(ld, prefix, l);
    fetch_linear(ld, prefix, "attention.output.dense", square, &l->att, &l->att_bias);
    fetch_norm(ld, prefix, "attention.output.LayerNorm", l->att_norm);
    fetch_linear(ld, prefix, "intermediate.dense", up, &l->up, &l->up_bias);
    fetch_linear(ld, prefix, "output.dense", down, &l->down, &l->down_bias);
    fetch_norm(ld, prefix, "output.LayerNorm", l->down_norm);
}

/* The language-model head. A tied output matrix is the word embedding even where the file
 * repeats it, as in the library that made these names. */
static void fetch_head(struct loading *ld)
{
    struct weights *w = ld->w;
    const struct lmconf *c = &w->conf;
    const bool roberta = c->family == LMCONF_ROBERTA;
    const char *prefix = roberta ? "lm_head." : "cls.predictions.";
    const size_t square[2] = {c->hidden, c->hidden};
    char name[NAME_MAX_LEN];

    fetch_linear(ld, prefix, roberta ? "dense" : "transform.dense", square, &w->head,
        &w->head_bias);
    fetch_norm(ld, prefix, roberta ? "layer_norm" : "transform.LayerNorm", w->head_norm);
    glue(name, prefix, "decoder.weight", NULL);
    w->out = c->tied ? w->words : fetch(ld, name, c->vocab, c->hidden);
    glue(name, prefix, "bias", NULL);
    if (!safetens_find(w->keep->file, name))
        glue(name, prefix, "decoder.bias", NULL);
    w->out_bias = fetch(ld, name, c->vocab, 0);
}

static void fetch_embeddings(struct loading *ld)
{
    struct weights *w = ld->w;
    const struct lmconf *c = &w->conf;
    char prefix[NAME_MAX_LEN], name[NAME_MAX_LEN];

    glue(prefix, lmconf_family_name(c->family), ".embeddings.", NULL);
    glue(name, prefix, "word_embeddings.weight", NULL);
    w->words = fetch(ld, name, c->vocab, c->hidden);
    glue(name, prefix, "position_embeddings.weight", NULL);
    w->places = fetch(ld, name, c->positions, c->hidden);
    glue(name, prefix, "token_type_embeddings.weight", NULL);
    w->types = fetch(ld, name, c->types, c->hidden);
    fetch_norm(ld, prefix, "LayerNorm", w->norm);
}

/* Two passes: the sum of squares alone would lose the digits of a small deviation. */
static void words_moments(struct weights *w)
{
    size_t n = w->conf.vocab * w->conf.hidden;
    double sum = 0, spread = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)w->words[i];
    w->words_mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = (double)w->words[i] - w->words_mean;

        spread += d * d;
    }
    w->words_std = sqrt(spread / (double)n);
}

static void load(struct loading *ld)
{
    struct weights *w = ld->w;
    size_t most;

    ld->rc = lmconf_load(ld->dir, &w->conf, ld->err);
    if (ld->rc == BBT_OK)
        ld->rc = safetens_open_dir(ld->dir, &w->keep->file, ld->err);
    if (ld->rc != BBT_OK)
        return;
    most = 20 * (w->conf.layers + 1); /* more than the tensors of a layer, and the rest */
    w->keep->own = bbt_calloc(most, sizeof w->keep->own[0]);
    w->layer = bbt_calloc(w->conf.layers, sizeof w->layer[0]);
    if (!w->keep->own || !w->layer) {
        ld->rc = bbt_fail(ld->err, BBT_NOMEM, "no memory for the weights");
        return;
    }
    w->keep->own_max = most;
    fetch_embeddings(ld);
    for (size_t i = 0; i < w->conf.layers; i++)
        fetch_layer(ld, i);
    fetch_head(ld);
    if (ld->rc == BBT_OK)
        words_moments(w);
}

enum bbt_rc weights_load(const char *dir, struct weights **ret, struct bbt_err *err)
{
    struct loading ld = {.dir = dir, .err = err};

    ld.w = bbt_calloc(1, sizeof *ld.w);
    if (ld.w)
        ld.w->keep = bbt_calloc(1, sizeof *ld.w->keep);
    if (ld.w && ld.w->keep)
        load(&ld);
    else
        ld.rc = bbt_fail(err, BBT_NOMEM, "no memory for the weights");
    if (ld.rc == BBT_OK) {
        *ret = ld.w;
        ld.w = NULL;
    }
    weights_free(ld.w);
    return ld.rc;
}
