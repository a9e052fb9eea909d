#include "fakelm.h"

#include "base/alloc.h"
#include "base/json.h"
#include "num/rng.h"
#include "tensors.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_TARGET 201
#define STREAM_BIAS 202
#define STREAM_TASTE 203
#define STREAM_EMBED 204

static const char *const pieces[FAKELM_VOCAB] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
    "good", "bad", "fair", "warm", "bright", "joy", "gem", "laugh", "smile", "sweet", "gold",
    "cold", "dull", "tears", "mess", "slow", "grim", "sour", "lead", "even", "plain", "tepid",
    "usual", "middling", "grey", "level", "bland", "it", "was", "the", "a", "film", "very",
    "and", ".", ":", "story"};

const char *fakelm_piece(size_t id)
{
    return pieces[id];
}

void fakelm_init(struct fakelm *m, uint64_t seed)
{
    *m = (struct fakelm){.seed = seed, .binary = true, .labels = true, .prompt_rank = 2};
    m->room = 1024;
    m->count = bbt_calloc(m->room, sizeof *m->count);
    assert(m->count);
}

void fakelm_fini(struct fakelm *m)
{
    bbt_free(m->count);
    *m = (struct fakelm){0};
}

void fakelm_target(const struct fakelm *m, float *ret)
{
    for (size_t i = 0; i < FAKELM_HIDDEN; i++)
        ret[i] = (float)(0.6 * rng_normal(m->seed, STREAM_TARGET, i));
}

void fakelm_folder(const char *dir)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/vocab.txt", dir);
    f = fopen(path, "w");
    assert(f);
    for (size_t i = 0; i < FAKELM_VOCAB; i++)
        (void)fprintf(f, "%s\n", pieces[i]);
    (void)fclose(f);
    (void)snprintf(path, sizeof path, "%s/config.json", dir);
    f = fopen(path, "w");
    assert(f);
    (void)fputs("{\"model_type\": \"bert\", \"max_position_embeddings\": 64}\n", f);
    (void)fclose(f);
}

/* ---- counting ---- */

static uint64_t hash_text(const char *s)
{
    uint64_t h = 1469598103934665603u;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

static struct fakelm_count *slot_of(struct fakelm_count *count, size_t room, const char *id)
{
    size_t at = hash_text(id) % room;

    while (count[at].id[0] && strcmp(count[at].id, id) != 0)
        at = (at + 1) % room;
    return &count[at];
}

struct fakelm_count *fakelm_count(struct fakelm *m, const char *id)
{
    struct fakelm_count *c;

    if (m->counts * 2 > m->room) {
        struct fakelm_count *more = bbt_calloc(2 * m->room, sizeof *more);

        assert(more);
        for (size_t i = 0; i < m->room; i++)
            if (m->count[i].id[0])
                *slot_of(more, 2 * m->room, m->count[i].id) = m->count[i];
        bbt_free(m->count);
        m->count = more;
        m->room *= 2;
    }
    c = slot_of(m->count, m->room, id);
    if (!c->id[0]) {
        m->counts++;
        (void)snprintf(c->id, sizeof c->id, "%.47s", id);
    }
    return c;
}

/* ---- the model ---- */

struct view {
    const struct fakelm *m;
    float mean[FAKELM_HIDDEN]; /* of the prompt's rows; 0 without prompt */
    double q;
};

static void look_at_prompt(const struct fakelm *m, const struct tensor_in *p, struct view *v)
{
    float target[FAKELM_HIDDEN];
    double far = 0;
    size_t rows;

    *v = (struct view){.m = m, .q = 0.15};
    if (!p || p->count < FAKELM_HIDDEN || m->flaw.ignores_prompt)
        return;
    fakelm_target(m, target);
    rows = p->shape[p->rank - 2];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < FAKELM_HIDDEN; i++)
            v->mean[i] += (float)p->v[r * FAKELM_HIDDEN + i] / (float)rows;
    for (size_t i = 0; i < FAKELM_HIDDEN; i++)
        far += (double)(v->mean[i] - target[i]) * (double)(v->mean[i] - target[i]);
    v->q = exp(-far / FAKELM_HIDDEN);
}

/* The class whose words a row has most of. */
static size_t class_of(const double *ids, size_t len)
{
    size_t n[FAKELM_CLASSES] = {0}, best = 0;

    for (size_t i = 0; i < len; i++)
        if (ids[i] >= FAKELM_WORDS && ids[i] < FAKELM_WORDS + 8 * FAKELM_CLASSES)
            n[((size_t)ids[i] - FAKELM_WORDS) / 8]++;
    for (size_t c = 1; c < FAKELM_CLASSES; c++)
        if (n[c] > n[best])
            best = c;
    return best;
}

static float score(const struct view *v, const double *ids, size_t len, size_t token)
{
    size_t c = (token + FAKELM_CLASSES * 2 - FAKELM_LABEL) % FAKELM_CLASSES;
    double s = 1.5 * rng_normal(v->m->seed, STREAM_BIAS, token);
    uint64_t h = token;

    if (c == class_of(ids, len))
        s += 4.0 * v->q;
    for (size_t i = 0; i < FAKELM_HIDDEN; i++)
        s += 0.05 * (double)v->mean[i] *
            rng_normal(v->m->seed, STREAM_TASTE, token * FAKELM_HIDDEN + i);
    for (size_t i = 0; i < len; i++)
        h = h * 1000003u + (uint64_t)ids[i];
    s += 0.4 * (rng_uniform(v->m->seed, STREAM_TASTE, h | (uint64_t)1 << 63) - 0.5);
    if (v->m->flaw.noisy)
        s += 0.001 * (double)(v->m->asked * (token % 4));
    return (float)(s + v->m->flaw.drift * (double)v->m->asked);
}

float fakelm_score(
    const struct fakelm *m, const float *row, const int32_t *ids, size_t len, size_t token)
{
    double prompt[FAKELM_HIDDEN], *wide = bbt_alloc_array(len, sizeof *wide);
    struct tensor_in p = {
        .shape = {1, FAKELM_HIDDEN}, .rank = 2, .count = FAKELM_HIDDEN, .v = prompt};
    struct view v;
    float s;

    assert(wide);
    for (size_t i = 0; row && i < FAKELM_HIDDEN; i++)
        prompt[i] = (double)row[i];
    for (size_t i = 0; i < len; i++)
        wide[i] = ids[i];
    look_at_prompt(m, row ? &p : NULL, &v);
    s = score(&v, wide, len, token);
    bbt_free(wide);
    return s;
}

static void say(struct fakelm_reply *ret, int status, const char *text)
{
    ret->status = status;
    if (buf_puts(&ret->body, text) != BBT_OK)
        abort();
}

static void answer_infer(struct fakelm *m, const struct tensors *t, struct fakelm_reply *ret)
{
    const struct tensor_in *ids = tensors_find(t, "input_ids"),
                           *mask = tensors_find(t, "attention_mask"),
                           *label = tensors_find(t, "label_ids");
    size_t rows, cols, width;
    struct view v;
    float *out;

    if (!ids || ids->rank != 2 || !mask || (m->labels && !label)) {
        ret->status = 400;
        return;
    }
    rows = ids->shape[0];
    cols = ids->shape[1];
    if (m->rows_max && rows > m->rows_max) {
        say(ret, 413, "{\"error\":\"too many rows\"}");
        return;
    }
    width = m->labels ? label->count : FAKELM_VOCAB;
    out = bbt_alloc_array(rows * width, sizeof *out);
    assert(out);
    look_at_prompt(m, tensors_find(t, "prompt_embedding"), &v);
    for (size_t r = 0; r < rows; r++) {
        size_t len = 0;

        while (len < cols && mask->v[r * cols + len] > 0)
            len++;
        ret->tokens += len;
        for (size_t k = 0; k < width; k++)
            out[r * width + k] =
                score(&v, ids->v + r * cols, len, label ? (size_t)label->v[k] : k);
    }
    m->asked++;
    (void)snprintf(ret->id, sizeof ret->id, "%.47s", t->id);
    if (t->id[0])
        fakelm_count(m, t->id)->served++;
    tensors_reply(t, &(struct tensor_out){"logits", {rows, width}, 2, out}, 1, ret);
    bbt_free(out);
}

static void answer_embedding(
    struct fakelm *m, const struct tensors *t, struct fakelm_reply *ret)
{
    const struct tensor_in *ids = tensors_find(t, "input_ids");
    size_t n = ids ? ids->count : 0;
    float *rows = bbt_alloc_array(n * FAKELM_HIDDEN, sizeof *rows), mean = 0, std = 1;
    struct tensor_out out[3] = {{"embedding", {n, FAKELM_HIDDEN}, 2, rows},
        {"mean", {1}, 1, &mean}, {"std", {1}, 1, &std}};

    assert(rows);
    ret->tokens += n;
    for (size_t i = 0; i < n; i++)
        rng_fill_normalf(m->seed, STREAM_EMBED, (uint64_t)ids->v[i] * 8, FAKELM_HIDDEN,
            rows + i * FAKELM_HIDDEN);
    tensors_reply(t, out, 3, ret);
    bbt_free(rows);
}

/* ---- routes ---- */

static void say_model(const struct fakelm *m, struct fakelm_reply *ret)
{
    static const char *const prompt[] = {
        [2] = "[-1,%d]", [3] = "[1,-1,%d]", [4] = "[-1,-1,%d]"};
    char shape[32], text[1024];

    if (m->flaw.garbage_metadata) {
        say(ret, 200, "<html><body>It works!</body></html>");
        return;
    }
    (void)snprintf(shape, sizeof shape, prompt[m->prompt_rank],
        m->flaw.says_no_width ? -1 : FAKELM_HIDDEN);
    (void)snprintf(text, sizeof text,
        "{\"name\":\"sim\",\"versions\":[\"1\"],\"platform\":\"fake\",\"inputs\":["
        "{\"name\":\"input_ids\",\"datatype\":\"INT64\",\"shape\":[-1,-1]},"
        "{\"name\":\"attention_mask\",\"datatype\":\"INT64\",\"shape\":[-1,-1]},"
        "{\"name\":\"prompt_embedding\",\"datatype\":\"FP32\",\"shape\":%s},"
        "{\"name\":\"mask_pos\",\"datatype\":\"INT64\",\"shape\":[-1]}%s],"
        "\"outputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[-1,%d]}]}",
        shape,
        m->labels ? ",{\"name\":\"label_ids\",\"datatype\":\"INT64\",\"shape\":[-1]}" : "",
        m->flaw.hidden_states ? FAKELM_HIDDEN
            : m->labels       ? -1
                              : FAKELM_VOCAB);
    say(ret, 200, text);
}

static void get(const struct fakelm *m, const char *path, struct fakelm_reply *ret)
{
    if (strcmp(path, "/v2") == 0)
        say(ret, 200,
            m->binary
                ? "{\"name\":\"fakelm\",\"version\":\"1\",\"extensions\":[\"binary_tensor_data\"]}"
                : "{\"name\":\"fakelm\",\"version\":\"1\",\"extensions\":[]}");
    else if (strcmp(path, "/v2/health/ready") == 0 && m->flaw.not_ready)
        say(ret, 503, "{\"error\":\"loading\"}");
    else if (strcmp(path, "/v2/health/ready") == 0 ||
        strcmp(path, "/v2/models/sim/ready") == 0)
        say(ret, 200, "{}");
    else if (strcmp(path, "/v2/models/sim") == 0)
        say_model(m, ret);
    else if (strcmp(path, "/v2/models/sim-embedding") == 0 && !m->flaw.no_embedding)
        say(ret, 200,
            "{\"name\":\"sim-embedding\",\"inputs\":[{\"name\":\"input_ids\",\"datatype\":"
            "\"INT64\",\"shape\":[-1]}],\"outputs\":[{\"name\":\"embedding\",\"datatype\":"
            "\"FP32\",\"shape\":[-1,6]},{\"name\":\"mean\",\"datatype\":\"FP32\",\"shape\":[1]},"
            "{\"name\":\"std\",\"datatype\":\"FP32\",\"shape\":[1]}]}");
    else
        say(ret, 404, "{\"error\":\"no such thing\"}");
}

void fakelm_serve(struct fakelm *m, const char *method, const char *path, long head_len,
    const void *body, size_t len, struct fakelm_reply *ret)
{
    struct tensors t;

    *ret = (struct fakelm_reply){.status = 200, .head_len = -1};
    buf_init(&ret->body, 1u << 24);
    if (strcmp(method, "GET") == 0) {
        get(m, path, ret);
        return;
    }
    if (!tensors_read(&t, body, len, head_len)) {
        say(ret, 400, "{\"error\":\"not a request of this protocol\"}");
        return;
    }
    if (strcmp(path, "/v2/models/sim/infer") == 0)
        answer_infer(m, &t, ret);
    else if (strcmp(path, "/v2/models/sim-embedding/infer") == 0)
        answer_embedding(m, &t, ret);
    else
        say(ret, 404, "{\"error\":\"no such model\"}");
    tensors_fini(&t);
}
