#include "num/embmat.h"

#include "base/alloc.h"
#include "num/safetens.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INDEX_NAME "model.safetensors.index.json"

struct embmat {
    struct safetens *st;
    const struct safetens_item *item;
    size_t rows, cols;
    double mean, std;
};

/* By family, the usual first: Llama, Qwen, Mistral, Gemma; GPT-2; OPT; GPT-NeoX; BLOOM, Falcon;
 * vision-language wrappers; BERT, RoBERTa; T5. */
static const char *const usual[] = {"model.embed_tokens.weight", "embed_tokens.weight",
    "transformer.wte.weight", "wte.weight", "model.decoder.embed_tokens.weight",
    "decoder.embed_tokens.weight", "gpt_neox.embed_in.weight",
    "transformer.word_embeddings.weight", "word_embeddings.weight",
    "language_model.model.embed_tokens.weight", "model.language_model.embed_tokens.weight",
    "embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight",
    "roberta.embeddings.word_embeddings.weight", "shared.weight"};

static enum bbt_rc open_files(const char *path, struct safetens **ret, struct bbt_err *err)
{
    size_t len = strlen(path), tail = strlen(INDEX_NAME);
    enum bbt_rc rc;
    struct stat st;
    char *dir;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return safetens_open_dir(path, ret, err);
    if (len < tail || strcmp(path + len - tail, INDEX_NAME) != 0)
        return safetens_open(path, ret, err);
    dir = bbt_asprintf("%.*s.", (int)(len - tail), path);
    rc = dir ? safetens_open_dir(dir, ret, err)
             : bbt_fail(err, BBT_NOMEM, "no memory for a path");
    bbt_free(dir);
    return rc;
}

static enum bbt_rc find(
    struct embmat *m, const char *path, const char *tensor, struct bbt_err *err)
{
    const struct safetens_item *it = tensor ? safetens_find(m->st, tensor) : NULL;

    for (size_t i = 0; !tensor && !it && i < sizeof usual / sizeof usual[0]; i++)
        it = safetens_find(m->st, usual[i]);
    if (!it)
        return bbt_fail(err, BBT_INVALID,
            "%s: no tensor %s%s%s (it has %zu, the first is \"%s\": name the input embedding "
            "with embeddings_tensor)",
            path, tensor ? "\"" : "with a usual name of an input embedding",
            tensor ? tensor : "", tensor ? "\"" : "", safetens_count(m->st),
            safetens_count(m->st) ? safetens_at(m->st, 0)->name : "");
    if (it->rank != 2 || it->shape[0] == 0 || it->shape[1] == 0 || it->type == SAFETENS_OTHER)
        return bbt_fail(err, BBT_INVALID,
            "%s: tensor \"%s\" is no matrix of floating-point numbers", path, it->name);
    m->item = it;
    m->rows = it->shape[0];
    m->cols = it->shape[1];
    return BBT_OK;
}

static enum bbt_rc read_row(
    const struct embmat *m, size_t row, float *ret, struct bbt_err *err)
{
    struct safetens_item one = *m->item;

    one.len = m->item->len / m->rows;
    one.bytes = m->item->bytes + row * one.len;
    one.count = m->cols;
    one.shape[0] = 1;
    return safetens_floats(&one, ret, err);
}

/* Sums around the first entry: no cancellation where the mean is far from 0. */
static enum bbt_rc measure(struct embmat *m, const char *path, struct bbt_err *err)
{
    float *row = bbt_alloc_array(m->cols, sizeof *row);
    double about = 0, sum = 0, squares = 0, n = (double)m->rows * (double)m->cols;
    enum bbt_rc rc = row ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for a row");

    for (size_t r = 0; r < m->rows && rc == BBT_OK; r++) {
        double s = 0, q = 0;

        rc = read_row(m, r, row, err);
        if (rc == BBT_OK && r == 0)
            about = row[0];
        for (size_t c = 0; c < m->cols && rc == BBT_OK; c++) {
            double d = row[c] - about;

            s += d;
            q += d * d;
        }
        sum += s;
        squares += q;
    }
    bbt_free(row);
    if (rc != BBT_OK)
        return rc;
    if (!isfinite(sum) || !isfinite(squares))
        return bbt_fail(err, BBT_INVALID,
            "%s: tensor \"%s\" holds a number that is not finite", path, m->item->name);
    m->mean = about + sum / n;
    m->std = sqrt(fmax(squares / n - (sum / n) * (sum / n), 0));
    return BBT_OK;
}

enum bbt_rc embmat_open(
    const char *path, const char *tensor, struct embmat **ret, struct bbt_err *err)
{
    struct embmat *m = bbt_calloc(1, sizeof *m);
    enum bbt_rc rc;

    if (!m)
        return bbt_fail(err, BBT_NOMEM, "no memory for the input embedding");
    rc = open_files(path, &m->st, err);
    if (rc == BBT_OK)
        rc = find(m, path, tensor, err);
    if (rc == BBT_OK)
        rc = measure(m, path, err);
    if (rc == BBT_OK)
        *ret = m;
    else
        embmat_free(m);
    return rc;
}

void embmat_free(struct embmat *m)
{
    if (!m)
        return;
    safetens_free(m->st);
    bbt_free(m);
}

size_t embmat_rows(const struct embmat *m)
{
    return m->rows;
}

size_t embmat_cols(const struct embmat *m)
{
    return m->cols;
}

void embmat_stats(const struct embmat *m, double *ret_mean, double *ret_std)
{
    *ret_mean = m->mean;
    *ret_std = m->std;
}

bool embmat_row(const void *arg, int32_t id, float *ret)
{
    const struct embmat *m = arg;

    return id >= 0 && (size_t)id < m->rows && read_row(m, (size_t)id, ret, NULL) == BBT_OK;
}
