/* asker.c -- the dialects' adapters as a filter: one question on the command line's file, HTTP
 * messages on the pipes, the answer at the end. The test is the network between it and a server.
 *
 *   out: "ask METHOD PATH HEADERS BYTES\n", a line "Name: value" per header, the body
 *   in:  "STATUS HEADERS BYTES\n", the same
 *   out: "end BYTES\n" and a JSON document: {"rc", "why", "server", ..., "logit": [[...]]}
 *
 * The question: {"adapter", "model": {...}, "table": FILE, "ids": [[...]], "mask_pos": [...],
 * "text": [...], "prompt": [[...]], "compose", "labels": [...], "label_text": [...],
 * "tokens": TEXT}. Every member but adapter and model may be absent. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "prov/prov.h"
#include "prov/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SIDE 64       /* examples, labels */
#define HEADERS 32
#define PIECE 61      /* bytes that an answer is fed in: no boundary falls where it would help */

struct asker {
    const struct prov_adapter *a;
    struct prov_model m;
    struct prov_ask ask;
    struct prov_batch batch;
    struct bbt_buf table; /* float32 rows of the embedding */
    int32_t *ids, len[SIDE], mask_pos[SIDE], label[SIDE];
    const char *text[SIDE], *label_text[SIDE];
    float *prompt;
    json_t *question, *result;
};

struct message {
    int status;
    size_t headers;
    char name[HEADERS][64], value[HEADERS][256];
    uint8_t *body;
    size_t len;
};

static void die(const char *why)
{
    (void)fprintf(stderr, "asker: %s\n", why);
    exit(2);
}

static const char *message_header(const void *arg, const char *name)
{
    const struct message *in = arg;

    for (size_t i = 0; i < in->headers; i++)
        if (!strcasecmp(in->name[i], name))
            return in->value[i];
    return NULL;
}

/* Sends a request and waits for its answer. */
static void exchange(const struct prov_http *h, struct message *in)
{
    char line[512];

    (void)printf("ask %s %s %zu %zu\n", h->method, h->path, h->headers, h->body_len);
    for (size_t i = 0; i < h->headers; i++)
        (void)printf("%s: %s\n", h->header[i].name, h->header[i].value);
    for (size_t i = 0; i < h->slices; i++)
        (void)fwrite(h->slice[i].p, 1, h->slice[i].n, stdout);
    (void)fflush(stdout);
    *in = (struct message){0};
    if (!fgets(line, sizeof line, stdin) ||
        sscanf(line, "%d %zu %zu", &in->status, &in->headers, &in->len) != 3 ||
        in->headers > HEADERS)
        die("no answer on the pipe");
    for (size_t i = 0; i < in->headers; i++)
        if (!fgets(line, sizeof line, stdin) ||
            sscanf(line, "%63[^:]: %255[^\n]", in->name[i], in->value[i]) != 2)
            die("no header on the pipe");
    in->body = bbt_alloc(in->len + 1);
    if (!in->body || fread(in->body, 1, in->len, stdin) != in->len)
        die("no body on the pipe");
}

static struct prov_reply reply_of(const struct message *in)
{
    return (struct prov_reply){.status = in->status, .header = message_header, .arg = in,
        .body = in->body, .len = in->len};
}

/* ---- the question ---- */

static bool row_of(const void *arg, int32_t id, float *ret)
{
    const struct asker *s = arg;
    size_t bytes = s->m.hidden * sizeof *ret;

    if (id < 0 || ((size_t)id + 1) * bytes > s->table.len)
        return false;
    memcpy(ret, s->table.data + (size_t)id * bytes, bytes);
    return true;
}

static void read_model(struct asker *s, const json_t *v)
{
    struct bbt_err err = {0};
    const char *binary = json_get_str(v, "binary", "auto");

    prov_model_init(&s->m);
    (void)snprintf(s->m.name, sizeof s->m.name, "%s", json_get_str(v, "name", "m"));
    s->m.hidden = (size_t)json_get_int(v, "hidden", 0);
    s->m.bos_id = (int32_t)json_get_int(v, "bos_id", -1);
    s->m.slot_id = (int32_t)json_get_int(v, "slot_id", -1);
    s->m.vocab = (size_t)json_get_int(v, "vocab", 0);
    s->m.top = (size_t)json_get_int(v, "top", 0);
    s->m.own_params = json_get_bool(v, "own_params", 0);
    s->m.need_prompt = json_get_bool(v, "need_prompt", 0);
    s->m.embed_type = (enum prov_type)json_get_int(v, "embed_type", PROV_FP32);
    if (!strcmp(binary, "off"))
        s->m.binary = PROV_BINARY_OFF;
    if (prov_model_params(&s->m, json_object_get(v, "params"), &err) != BBT_OK)
        die(err.msg);
}

static size_t read_ints(const json_t *list, int32_t *ret, size_t room)
{
    size_t n = json_array_size(list);

    if (n > room)
        die("too many numbers");
    for (size_t i = 0; i < n; i++)
        ret[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static size_t read_texts(const json_t *list, const char **ret)
{
    size_t n = json_array_size(list);

    if (n > SIDE)
        die("too many texts");
    for (size_t i = 0; i < n; i++)
        ret[i] = json_string_value(json_array_get(list, i));
    return n;
}

static void read_batch(struct asker *s)
{
    const json_t *ids = json_object_get(s->question, "ids");
    const json_t *at = json_object_get(s->question, "mask_pos");

    s->batch.rows = read_texts(json_object_get(s->question, "text"), s->text);
    s->batch.text = s->batch.rows ? s->text : NULL;
    s->batch.pad = 1;
    s->batch.len = s->len;
    if (ids) {
        s->batch.rows = json_array_size(ids);
        for (size_t r = 0; r < s->batch.rows && r < SIDE; r++)
            if (json_array_size(json_array_get(ids, r)) > s->batch.cols)
                s->batch.cols = json_array_size(json_array_get(ids, r));
        s->ids = bbt_alloc(SIDE * s->batch.cols * sizeof *s->ids);
        for (size_t i = 0; i < s->batch.rows * s->batch.cols; i++)
            s->ids[i] = s->batch.pad;
        for (size_t r = 0; r < s->batch.rows; r++)
            s->len[r] = (int32_t)read_ints(
                json_array_get(ids, r), s->ids + r * s->batch.cols, s->batch.cols);
        s->batch.ids = s->ids;
    }
    if (at && read_ints(at, s->mask_pos, SIDE) == s->batch.rows)
        s->batch.mask_pos = s->mask_pos;
    s->ask.batch = &s->batch;
    s->ask.labels = read_ints(json_object_get(s->question, "labels"), s->label, SIDE);
    s->ask.label_ids = s->label;
    if (read_texts(json_object_get(s->question, "label_text"), s->label_text))
        s->ask.label_text = s->label_text;
}

static void read_prompt(struct asker *s)
{
    const json_t *rows = json_object_get(s->question, "prompt");
    size_t n = json_array_size(rows), h = json_array_size(json_array_get(rows, 0));

    s->ask.hidden = h ? h : s->m.hidden;
    s->ask.prompt_at =
        json_get_bool(s->question, "at_embedding", 1) ? PROV_AT_EMBEDDING : PROV_AT_HIDDEN;
    s->ask.compose = strcmp(json_get_str(s->question, "compose", "prepend"), "add") != 0
                         ? PROV_PREPEND
                         : PROV_ADD;
    if (!n)
        return;
    s->prompt = bbt_alloc(n * h * sizeof *s->prompt);
    for (size_t i = 0; i < n * h; i++)
        s->prompt[i] =
            (float)json_number_value(json_array_get(json_array_get(rows, i / h), i % h));
    s->ask.prompt = s->prompt;
    s->ask.prompt_rows = n;
}

static void question_read(struct asker *s, const char *path)
{
    const char *table;
    struct bbt_err err = {0};
    struct bbt_buf file;

    buf_init(&file, 16u << 20);
    if (file_read(path, &file, &err) != BBT_OK ||
        json_parse(file.data, file.len, "question", &s->question, &err) != BBT_OK)
        die(err.msg);
    buf_fini(&file);
    s->a = prov_adapter_find(json_get_str(s->question, "adapter", ""));
    if (!s->a)
        die("no such adapter");
    read_model(s, json_object_get(s->question, "model"));
    buf_init(&s->table, 64u << 20);
    table = json_get_str(s->question, "table", NULL);
    if (table) {
        if (file_read(table, &s->table, &err) != BBT_OK)
            die(err.msg);
        s->m.token_row = row_of;
        s->m.token_arg = s;
    }
    read_batch(s);
    read_prompt(s);
}

/* ---- the talk ---- */

static enum bbt_rc probe(struct asker *s, struct bbt_err *err)
{
    for (unsigned step = 0;; step++) {
        struct prov_http h = {0};
        struct message in;
        struct prov_reply r;
        enum bbt_rc rc = s->a->probe_next(&s->m, step, &h, err);

        if (rc != BBT_OK)
            return rc == BBT_NOTFOUND ? BBT_OK : rc;
        exchange(&h, &in);
        prov_http_fini(&h);
        r = reply_of(&in);
        rc = s->a->probe_take(&s->m, step, &r, err);
        bbt_free(in.body);
        if (rc != BBT_OK)
            return rc;
    }
}

static enum bbt_rc tokens(struct asker *s, const char *text, struct bbt_err *err)
{
    struct prov_http h = {0};
    struct prov_tokens got = {0};
    struct message in;
    struct prov_reply r;
    json_t *list = json_array();
    enum bbt_rc rc = BBT_NOTFOUND;

    if (s->a->tokens_encode)
        rc = s->a->tokens_encode(&s->m, text, &h, err);
    if (rc == BBT_OK) {
        exchange(&h, &in);
        r = reply_of(&in);
        rc = s->a->tokens_decode(&r, &got, err);
        bbt_free(in.body);
    }
    for (size_t i = 0; i < got.n; i++)
        json_array_append_new(list, json_integer(got.id[i]));
    json_object_set_new(s->result, "tokens", list);
    prov_tokens_fini(&got);
    prov_http_fini(&h);
    return rc;
}

static void show(struct asker *s, const struct prov_answer *got)
{
    json_t *rows = json_array();

    for (size_t r = 0; r < got->rows; r++) {
        json_t *row = json_array();

        for (size_t c = 0; c < got->labels; c++)
            json_array_append_new(row, json_real((double)got->logit[r * got->labels + c]));
        json_array_append_new(rows, row);
    }
    json_object_set_new(s->result, "logit", rows);
    json_object_set_new(s->result, "censored", json_integer((json_int_t)got->censored));
    json_object_set_new(s->result, "tokens_in", json_integer((json_int_t)got->tokens_in));
    json_object_set_new(s->result, "tokens_out", json_integer((json_int_t)got->tokens_out));
}

static enum bbt_rc question_put(struct asker *s, struct bbt_err *err)
{
    struct prov_http h = {0};
    struct prov_answer got = {0};
    struct prov_reader reader = {0};
    struct prov_reply head;
    struct message in;
    enum bbt_rc rc = prov_encode(s->a, &s->m, &s->ask, &h, err);

    if (rc != BBT_OK)
        return rc;
    exchange(&h, &in);
    prov_http_fini(&h);
    json_object_set_new(s->result, "status", json_integer(in.status));
    if (in.status / 100 == 2) {
        head = (struct prov_reply){
            .status = in.status, .header = message_header, .arg = &in};
        prov_reader_begin(&reader, s->a, &s->m, &s->ask, &head);
        for (size_t at = 0; at < in.len; at += PIECE)
            prov_reader_feed(&reader, in.body + at, in.len - at < PIECE ? in.len - at : PIECE);
        rc = prov_reader_finish(&reader, &got, err);
        if (rc == BBT_OK)
            show(s, &got);
    } else {
        rc = bbt_fail(err, BBT_INVALID, "HTTP %d: %.*s", in.status,
            (int)(in.len < 200 ? in.len : 200), (const char *)in.body);
    }
    prov_answer_fini(&got);
    bbt_free(in.body);
    return rc;
}

static void result_write(struct asker *s, enum bbt_rc rc, const struct bbt_err *err)
{
    json_t *canary = json_array();
    char *text;

    for (size_t i = 0; i < sizeof s->m.canary / sizeof *s->m.canary; i++)
        json_array_append_new(canary, json_real(s->m.canary[i]));
    json_object_set_new(s->result, "rc", json_string(bbt_rc_name(rc)));
    json_object_set_new(s->result, "why", json_string(rc == BBT_OK ? "" : err->msg));
    json_object_set_new(s->result, "probed", json_boolean(s->m.probed));
    json_object_set_new(s->result, "canary", canary);
    json_object_set_new(s->result, "server", json_string(s->m.server));
    json_object_set_new(s->result, "context_max", json_integer((json_int_t)s->m.context_max));
    text = json_print(s->result);
    if (!text)
        die("no memory");
    (void)printf("end %zu\n%s", strlen(text), text);
    (void)fflush(stdout);
    bbt_free(text);
}

int main(int argc, char **argv)
{
    static struct asker s;
    struct bbt_err err = {0};
    const char *text;
    enum bbt_rc rc;

    if (argc != 2)
        die("usage: asker QUESTION.json");
    json_use_alloc();
    question_read(&s, argv[1]);
    s.result = json_object();
    rc = probe(&s, &err);
    text = json_get_str(s.question, "tokens", NULL);
    if (rc == BBT_OK && text)
        rc = tokens(&s, text, &err);
    if (rc == BBT_OK && s.ask.labels)
        rc = question_put(&s, &err);
    result_write(&s, rc, &err);
    json_decref(s.result);
    json_decref(s.question);
    prov_model_fini(&s.m);
    buf_fini(&s.table);
    bbt_free(s.ids);
    bbt_free(s.prompt);
    return 0;
}
