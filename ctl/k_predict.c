/* k_predict.c -- bbtctl predict: new texts, labelled with the tuned prompt. */
#include "cmd.h"

#include "base/alloc.h"
#include "base/file.h"
#include "client.h"
#include "fmt.h"
#include "jobs.h"
#include "text/dataset.h"

#include <stdio.h>
#include <string.h>

#define CHUNK_TEXTS 1000
#define CHUNK_BYTES (1u << 20) /* of texts in one request; JSON may make six of one */
#define LABELS_MAX 30

/* ---- texts ---- */

/* A text a line; empty ones are skipped. */
static int add_lines(const struct ctl *c, const struct bbt_buf *b, json_t *texts)
{
    const char *at = b->len ? (const char *)b->data : "", *end = at + b->len;

    for (size_t n = 1; at < end; n++) {
        const char *nl = memchr(at, '\n', (size_t)(end - at)), *stop = nl ? nl : end;
        size_t len = (size_t)(stop - at);
        json_t *text;

        if (len && at[len - 1] == '\r')
            len--;
        text = len ? json_stringn(at, len) : NULL;
        if (len && (!text || memchr(at, '\0', len))) {
            json_decref(text);
            return ctl_fail(c, CTL_SPEC, "line %zu: no UTF-8 text", n);
        }
        if (text)
            (void)json_array_append_new(texts, text);
        at = nl ? nl + 1 : end;
    }
    return CTL_OK;
}

static int add_rows(
    const struct ctl *c, const struct bbt_buf *b, const char *path, json_t *texts)
{
    struct dataset *d = NULL;
    struct bbt_err err = {0};
    enum bbt_rc rc = dataset_parse(b->len ? (const void *)b->data : "", b->len,
        dataset_format_guess(path), NULL, path, &d, &err);

    if (rc != BBT_OK)
        return ctl_fail(c, rc == BBT_INVALID ? CTL_SPEC : CTL_FAIL, "%s", err.msg);
    for (size_t i = 0; i < d->n; i++)
        (void)json_array_append_new(texts,
            d->rows[i].text_b
                ? json_pack("{s:s, s:s}", "text", d->rows[i].text_a, "text_b",
                      d->rows[i].text_b)
                : json_string(d->rows[i].text_a));
    dataset_free(d);
    return CTL_OK;
}

static bool is_lines(const char *path)
{
    const char *dot = strrchr(path, '.');

    return strcmp(path, "/dev/stdin") == 0 || (dot && strcmp(dot, ".txt") == 0);
}

static int add_file(const struct ctl *c, const char *path, json_t *texts)
{
    struct bbt_err err = {0};
    struct bbt_buf b;
    int code;

    if (!is_lines(path) && dataset_format_guess(path) == DATASET_FORMAT_NR)
        return ctl_fail(c, CTL_USAGE,
            "--file %s: unknown kind of file; name it .txt, .tsv, .csv or .jsonl", path);
    buf_init(&b, DATASET_BYTES_MAX);
    if (file_read(path, &b, &err) != BBT_OK)
        code = ctl_fail_err(c, &err);
    else
        code = is_lines(path) ? add_lines(c, &b, texts) : add_rows(c, &b, path, texts);
    buf_fini(&b);
    return code;
}

static int read_texts(const struct ctl *c, const struct opt_args *a, json_t *texts)
{
    const char *word = a->pos_n > 1 ? a->pos[1] : NULL, *file = opt_text(a, "file", NULL);
    int code;

    if (word && file)
        return ctl_fail(c, CTL_USAGE, "predict takes a text or --file, not both");
    if (!word && !file)
        return ctl_fail(c, CTL_USAGE, "predict which text? Give one, - for standard input, or "
                                      "--file FILE");
    if (word && strcmp(word, "-") != 0) {
        if (json_array_append_new(texts, json_string(word)) == 0)
            return CTL_OK;
        return ctl_fail(c, CTL_USAGE, "the text is no UTF-8");
    }
    code = add_file(c, file ? file : "/dev/stdin", texts);
    if (code == CTL_OK && json_array_size(texts) == 0)
        return ctl_fail(c, CTL_NOTHING, "there is no text");
    return code;
}

/* ---- asking ---- */

static size_t bytes_of(const json_t *text)
{
    return json_is_string(text) ? json_string_length(text)
                                : strlen(json_get_str(text, "text", "")) +
            strlen(json_get_str(text, "text_b", ""));
}

/* The texts from `at` that go into one request; at least one. */
static json_t *chunk(const json_t *texts, size_t at)
{
    json_t *some = json_array();
    size_t bytes = 0;

    for (; at < json_array_size(texts) && json_array_size(some) < CHUNK_TEXTS; at++) {
        json_t *t = json_array_get(texts, at);

        bytes += bytes_of(t);
        if (json_array_size(some) > 0 && bytes > CHUNK_BYTES)
            break;
        (void)json_array_append(some, t);
    }
    return some;
}

static int ask(struct ctl *c, long long id, const json_t *some, json_t *items)
{
    json_t *body = json_pack("{s:O}", "texts", some), *got;
    char *text = body ? json_print(body) : NULL, path[64];
    struct client_req q = {.method = "POST", .path = path, .body = text,
        .len = text ? strlen(text) : 0, .slow = true};
    struct client_reply r = {0};
    int code;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld:predict", id);
    code = text ? client_ask(c, &q, &r) : ctl_fail(c, CTL_FAIL, "no memory for a request");
    got = json_object_get(r.json, "items");
    if (code == CTL_OK && json_array_size(got) != json_array_size(some))
        code = ctl_fail(c, CTL_FAIL, "%zu texts were asked about, %zu came back",
            json_array_size(some), json_array_size(got));
    for (size_t i = 0; code == CTL_OK && i < json_array_size(got); i++) {
        json_t *item = json_array_get(got, i);

        (void)json_object_set(item, "text", json_array_get(some, i));
        (void)json_array_append(items, item);
    }
    client_fini(&r);
    bbt_free(text);
    json_decref(body);
    return code;
}

/* ---- showing ---- */

static double probability(const json_t *item, const char *label)
{
    return fmt_number(json_object_get(item, "probabilities"), label);
}

static enum bbt_rc cell_label(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    (void)c;
    return buf_puts(b, json_get_str(p, "label", ""));
}

static enum bbt_rc cell_prob(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    char text[FMT_MAX];

    (void)c;
    fmt_score(probability(p, json_get_str(p, "label", "")), 4, false, text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_probs(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    const char *label;
    json_t *v, *all = json_object_get(p, "probabilities");
    enum bbt_rc rc = BBT_OK;
    size_t n = 0;

    (void)c;
    json_object_foreach(all, label, v)
    {
        if (rc == BBT_OK && n < LABELS_MAX)
            rc = buf_printf(b, "%s%s=%.4f", n ? " " : "", label, json_number_value(v));
        n++;
    }
    return rc == BBT_OK && n > LABELS_MAX ? buf_puts(b, " ...") : rc;
}

static enum bbt_rc cell_text(const struct ctl *c, const json_t *p, struct bbt_buf *b)
{
    const json_t *t = json_object_get(p, "text");

    (void)c;
    if (json_is_string(t))
        return buf_puts(b, json_string_value(t));
    return buf_printf(
        b, "%s | %s", json_get_str(t, "text", ""), json_get_str(t, "text_b", ""));
}

static const struct grid_col cols[] = {
    {"LABEL", cell_label, false, false},
    {"PROB", cell_prob, true, false},
    {"PROBS", cell_probs, false, false},
    {"TEXT", cell_text, false, false},
};
static const struct grid_col cols_short[] = {
    {"LABEL", cell_label, false, false},
    {"PROB", cell_prob, true, false},
    {"TEXT", cell_text, false, false},
};

int k_predict(struct ctl *c, const struct opt_args *a)
{
    bool probs = opt_has(a, "label-probs");
    json_t *job = NULL, *texts = json_array(), *items = json_array();
    int code = read_texts(c, a, texts);

    if (code == CTL_OK)
        code = jobs_one(c, a->pos[0], &job);
    for (size_t at = 0; code == CTL_OK && at < json_array_size(texts);) {
        json_t *some = chunk(texts, at);

        code = ask(c, json_get_int(job, "id", 0), some, items);
        at += json_array_size(some);
        json_decref(some);
    }
    if (code == CTL_OK)
        code = grid_list(c, "PredictionList", probs ? cols : cols_short, probs ? 4 : 3, items);
    json_decref(job);
    json_decref(texts);
    json_decref(items);
    return code;
}
