#include "fakedial.h"

#include "base/alloc.h"
#include "base/json.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 512

struct tokens {
    int32_t id[TOKENS_MAX];
    size_t n;
};

static int32_t piece_of(const char *word, size_t len)
{
    for (size_t i = 0; i < FAKELM_VOCAB; i++)
        if (strlen(fakelm_piece(i)) == len && strncmp(fakelm_piece(i), word, len) == 0)
            return (int32_t)i;
    return 1; /* [UNK] */
}

static void put(struct tokens *t, int32_t id)
{
    if (t->n < TOKENS_MAX)
        t->id[t->n++] = id;
}

/* Words between blanks. One that is not known is two tokens. */
static void tokenise(const char *text, struct tokens *t)
{
    while (*text) {
        size_t len = strcspn(text, " \n");
        int32_t id = piece_of(text, len);

        if (len)
            put(t, id);
        if (len && id == 1)
            put(t, id);
        text += len + (text[len] != '\0');
    }
}

static void say(struct fakelm_reply *ret, json_t *v)
{
    char *text = json_print(v);

    if (!text || buf_puts(&ret->body, text) != BBT_OK)
        abort();
    bbt_free(text);
    json_decref(v);
}

static void refuse(struct fakelm_reply *ret, int status, const char *why)
{
    ret->status = status;
    say(ret, json_pack("{s:{s:s}}", "error", "message", why));
}

/* Log-probabilities of the whole vocabulary. */
static void judge(const struct fakelm *m, const float *row, const struct tokens *t,
    double ret[FAKELM_VOCAB])
{
    double sum = 0;

    for (size_t k = 0; k < FAKELM_VOCAB; k++) {
        ret[k] = (double)fakelm_score(m, row, t->id, t->n, k);
        if (k >= FAKELM_LABEL && k < FAKELM_LABEL + FAKELM_CLASSES)
            ret[k] += 4; /* words that the template asks for */
        sum += exp(ret[k]);
    }
    for (size_t k = 0; k < FAKELM_VOCAB; k++)
        ret[k] -= log(sum);
}

static void count(struct fakelm *m, const char *id, struct fakelm_reply *ret)
{
    m->asked++;
    (void)snprintf(ret->id, sizeof ret->id, "%.47s", id);
    if (*id)
        fakelm_count(m, id)->served++;
}

/* One row out of all: later ones weigh more, so that their order matters. */
static bool soft_row(const json_t *rows, float ret[FAKELM_HIDDEN])
{
    double weight = 0;
    json_t *row;
    size_t r;

    for (size_t i = 0; i < FAKELM_HIDDEN; i++)
        ret[i] = 0;
    json_array_foreach (rows, r, row) {
        double w = 1 + 0.5 * (double)r;

        if (json_array_size(row) != FAKELM_HIDDEN)
            return false;
        for (size_t i = 0; i < FAKELM_HIDDEN; i++)
            ret[i] += (float)(w * json_number_value(json_array_get(row, i)));
        weight += w;
    }
    for (size_t i = 0; i < FAKELM_HIDDEN && weight > 0; i++)
        ret[i] /= (float)weight;
    return weight > 0;
}

static void score(struct fakelm *m, const json_t *q, struct fakelm_reply *ret)
{
    const json_t *labels = json_object_get(q, "label_token_ids"),
                 *items = json_object_get(q, "items"), *query = json_object_get(q, "query");
    json_t *out = json_array(), *item, *v;
    float row[FAKELM_HIDDEN];
    bool soft = soft_row(json_object_get(q, "query_embed_overrides"), row);
    size_t i, k, tokens = 0;

    json_array_foreach (items, i, item) {
        json_t *scores = json_array();
        double lp[FAKELM_VOCAB];
        struct tokens t = {.n = 0};

        json_array_foreach (query, k, v)
            if (json_integer_value(v) != FAKEDIAL_SLOT)
                put(&t, (int32_t)json_integer_value(v));
        json_array_foreach (item, k, v)
            put(&t, (int32_t)json_integer_value(v));
        judge(m, soft ? row : NULL, &t, lp);
        json_array_foreach (labels, k, v)
            (void)json_array_append_new(
                scores, json_real(exp(lp[json_integer_value(v) % FAKELM_VOCAB])));
        (void)json_array_append_new(out, scores);
        tokens += t.n;
    }
    say(ret, json_pack("{s:o, s:{s:I}}", "scores", out, "usage", "prompt_tokens",
                 (json_int_t)tokens));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* The five likeliest, with the space of a word's beginning. */
static json_t *top_of(const double lp[FAKELM_VOCAB])
{
    json_t *top = json_object();
    double sorted[FAKELM_VOCAB];
    char word[40];

    memcpy(sorted, lp, sizeof sorted);
    qsort(sorted, FAKELM_VOCAB, sizeof *sorted, by_value);
    for (size_t k = 0; k < FAKELM_VOCAB; k++) {
        (void)snprintf(word, sizeof word, " %s", fakelm_piece(k));
        if (lp[k] >= sorted[4])
            (void)json_object_set_new(top, word, json_real(lp[k]));
    }
    return top;
}

static void complete(struct fakelm *m, const json_t *q, struct fakelm_reply *ret)
{
    json_t *choices = json_array(), *prompt;
    size_t i;

    json_array_foreach (json_object_get(q, "prompt"), i, prompt) {
        double lp[FAKELM_VOCAB];
        struct tokens t = {.n = 0};

        tokenise(json_string_value(prompt), &t);
        judge(m, NULL, &t, lp);
        (void)json_array_append_new(choices,
            json_pack("{s:I, s:{s:[o]}}", "index", (json_int_t)i, "logprobs", "top_logprobs",
                top_of(lp)));
    }
    say(ret, json_pack("{s:o}", "choices", choices));
}

static void tell_tokens(const json_t *q, struct fakelm_reply *ret)
{
    json_t *list = json_array();
    struct tokens t = {.n = 0};

    if (json_get_bool(q, "add_special_tokens", 1))
        put(&t, FAKEDIAL_BOS);
    tokenise(json_get_str(q, "prompt", ""), &t);
    for (size_t i = 0; i < t.n; i++)
        (void)json_array_append_new(list, json_integer(t.id[i]));
    say(ret, json_pack("{s:o}", "tokens", list));
}

static void post(struct fakelm *m, const char *path, const char *id, const json_t *q,
    struct fakelm_reply *ret)
{
    size_t rows = json_array_size(json_object_get(q, "items")) +
        json_array_size(json_object_get(q, "prompt"));

    if (m->rows_max && rows > m->rows_max) {
        refuse(ret, 413, "too many rows");
        return;
    }
    if (strcmp(path, "/v1/tokenize") == 0) {
        m->tokenised++;
        tell_tokens(q, ret);
    } else if (strcmp(path, "/v1/score") == 0) {
        count(m, id, ret);
        score(m, q, ret);
    } else if (strcmp(path, "/v1/completions") == 0) {
        count(m, id, ret);
        complete(m, q, ret);
    } else {
        refuse(ret, 404, "no such call");
    }
}

void fakedial_serve(struct fakelm *m, const char *method, const char *path, const char *id,
    const void *body, size_t len, struct fakelm_reply *ret)
{
    json_t *q = NULL;

    *ret = (struct fakelm_reply){.status = 200, .head_len = -1};
    buf_init(&ret->body, 1u << 24);
    if (strcmp(method, "GET") == 0 && strcmp(path, "/health") == 0)
        return;
    if (strcmp(method, "GET") == 0 && strcmp(path, "/v1/models") == 0) {
        say(ret, json_pack("{s:[{s:s, s:i}]}", "data", "id", "sim", "max_model_len", 256));
        return;
    }
    if (json_parse(body, len, "request", &q, NULL) != BBT_OK) {
        refuse(ret, 400, "no JSON");
        return;
    }
    post(m, path, id, q, ret);
    json_decref(q);
}
