/* wire.h -- golden HTTP messages for the tests of src/prov: start line, headers, body. */
#ifndef TEST_PROV_WIRE_H
#define TEST_PROV_WIRE_H

#include "unit.h"

#include "base/alloc.h"
#include "base/file.h"
#include "prov/prov.h"
#include "prov/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct wire {
    struct bbt_buf file;
    char *start; /* start line */
    struct {
        char *name, *value;
    } header[8];
    size_t headers;
    uint8_t *body;
    size_t len;
};

static inline const char *wire_header(const void *arg, const char *name)
{
    const struct wire *w = arg;

    for (size_t i = 0; i < w->headers; i++)
        if (!strcasecmp(w->header[i].name, name))
            return w->header[i].value;
    return NULL;
}

/* Splits the bytes in w->file. */
static inline void wire_split(struct wire *w)
{
    char *p = (char *)w->file.data, *end;

    w->start = p;
    w->headers = 0;
    for (;;) {
        end = strstr(p, "\r\n");
        assert_non_null(end);
        *end = '\0';
        if (p == end)
            break;
        if (p != w->start) {
            w->header[w->headers].name = p;
            p = strchr(p, ':');
            assert_non_null(p);
            *p = '\0';
            w->header[w->headers++].value = p + 2;
        }
        p = end + 2;
    }
    w->body = (uint8_t *)end + 2;
    w->len = w->file.len - (size_t)(w->body - w->file.data);
}

static inline void wire_load(struct wire *w, const char *name)
{
    const char *root = getenv("BBT_TESTS");
    char *path = bbt_asprintf("%s/golden/prov/%s.http", root ? root : "tests", name);
    struct bbt_err err = {0};

    memset(w, 0, sizeof *w);
    buf_init(&w->file, 1u << 20);
    if (file_read(path, &w->file, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    wire_split(w);
    bbt_free(path);
}

static inline void wire_fini(struct wire *w)
{
    buf_fini(&w->file);
}

static inline struct prov_reply wire_reply(const struct wire *w)
{
    return (struct prov_reply){.status = (int)strtol(w->start + strlen("HTTP/1.1 "), NULL, 10),
        .header = wire_header,
        .arg = w,
        .body = w->body,
        .len = w->len};
}

/* ---- decoding ---- */

/* In pieces of 1 .. `most` bytes, each gone once it was fed. */
static inline enum bbt_rc wire_decode_in(const struct prov_adapter *a,
    const struct prov_model *m, const struct prov_ask *ask, const struct prov_reply *r,
    size_t most, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_reader rd = {0};
    uint32_t seed = (uint32_t)most;

    prov_reader_begin(&rd, a, m, ask, r);
    for (size_t at = 0, n; at < r->len; at += n) {
        uint8_t *copy;

        seed = seed * 1664525u + 1013904223u;
        n = 1 + (seed >> 8) % most;
        n = n < r->len - at ? n : r->len - at;
        copy = bbt_alloc(n); /* exact, so that ASan sees a read past it */
        assert_non_null(copy);
        memcpy(copy, r->body + at, n);
        prov_reader_feed(&rd, copy, n);
        bbt_free(copy);
    }
    return prov_reader_finish(&rd, ret, err);
}

/* As prov_decode(); how the bytes are cut makes no difference: to the code, the sentence, the
 * numbers. */
static inline enum bbt_rc wire_decode(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, const struct prov_reply *r, struct prov_answer *ret,
    struct bbt_err *err)
{
    static const size_t most[] = {1, 2, 3, 7, 50, 400};
    struct bbt_err own = {0};
    enum bbt_rc rc = prov_decode(a, m, ask, r, ret, &own);

    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        struct prov_answer got = {0};
        struct bbt_err why = {0};

        assert_int_equal(wire_decode_in(a, m, ask, r, most[i], &got, &why), rc);
        assert_string_equal(why.msg, own.msg);
        if (rc == BBT_OK) {
            assert_int_equal(got.tokens_in, ret->tokens_in);
            assert_int_equal(got.tokens_out, ret->tokens_out);
            assert_int_equal(got.censored, ret->censored);
            assert_memory_equal(
                got.logit, ret->logit, got.rows * got.labels * sizeof *got.logit);
        }
        prov_answer_fini(&got);
    }
    if (err)
        *err = own;
    return rc;
}

/* ---- the golden files' question ---- */

#define WIRE_B 2
#define WIRE_L 8
#define WIRE_P 3
#define WIRE_H 4
#define WIRE_C 3

static const int32_t wire_ids[WIRE_B * WIRE_L] = {
    2, 5, 6, 7, 11, 4, 12, 3, 2, 5, 6, 7, 4, 3, -7, -7}; /* -7: must not be sent */
static const int32_t wire_len[WIRE_B] = {8, 6};
static const int32_t wire_mask[WIRE_B] = {5, 4};
static const int32_t wire_label[WIRE_C] = {9, 30, 1};
static const struct prov_batch wire_batch = {
    .rows = WIRE_B, .cols = WIRE_L, .ids = wire_ids, .len = wire_len, .mask_pos = wire_mask};

/* `prompt` holds WIRE_P x WIRE_H. */
static inline struct prov_ask wire_ask(float *prompt)
{
    for (int i = 0; i < WIRE_P * WIRE_H; i++)
        prompt[i] = (float)((i * 7) % 11 - 5) / 8;
    return (struct prov_ask){.batch = &wire_batch,
        .prompt = prompt,
        .prompt_rows = WIRE_P,
        .hidden = WIRE_H,
        .label_ids = wire_label,
        .labels = WIRE_C};
}

/* A model as the start-up probe would leave it: INT64 ids and mask, one prompt per row,
 * mask position [B,1], no label ids, binary. */
static inline struct prov_model wire_model(void)
{
    struct prov_model m;

    prov_model_init(&m);
    memcpy(m.name, "m", 2);
    memcpy(m.tensor.input_ids, "input_ids", 10);
    memcpy(m.tensor.attention_mask, "attention_mask", 15);
    memcpy(m.tensor.prompt_embedding, "prompt_embedding", 17);
    memcpy(m.tensor.mask_pos, "mask_pos", 9);
    memcpy(m.tensor.label_ids, "label_ids", 10);
    memcpy(m.tensor.logits, "logits", 7);
    m.own_params = false;
    m.probed = m.use_binary = true;
    m.type_ids = m.type_mask = m.type_mask_pos = PROV_INT64;
    m.type_prompt = m.type_logits = PROV_FP32;
    m.rank_mask_pos = 2;
    m.prompt_wire = PROV_PROMPT_ROW;
    m.hidden = WIRE_H;
    return m;
}

#endif
