/* talk.h -- the golden question of the dialects of JSON and text, and what to expect of an
 * adapter. Numbers and texts as in tools/golden_dialogs.py. */
#ifndef TEST_PROV_TALK_H
#define TEST_PROV_TALK_H

#include "wire.h"

#include "base/json.h"

#include <math.h>

static const char *const talk_text[WIRE_B] = {"the film is a \"delight\" .\n\tIt was",
    "nicht \xc3\xbc"
    "bel \\ \xe6\x97\xa5\xe6\x9c\xac . It was"};
static const char *const talk_word[WIRE_C] = {" good", " bad", " s\xc3\xb6"};
static const struct prov_batch talk_batch = {
    .rows = WIRE_B, .cols = WIRE_L, .ids = wire_ids, .len = wire_len, .text = talk_text};
static const struct prov_batch talk_one = {
    .rows = 1, .cols = WIRE_L, .ids = wire_ids, .len = wire_len, .text = talk_text};

static inline struct prov_ask talk_ask(float *prompt, const struct prov_batch *batch)
{
    struct prov_ask ask = wire_ask(prompt);

    ask.batch = batch;
    ask.compose = PROV_PREPEND;
    ask.prompt_at = PROV_AT_EMBEDDING;
    ask.label_text = talk_word;
    return ask;
}

static inline bool talk_row(const void *arg, int32_t id, float *ret)
{
    (void)arg;
    for (int h = 0; h < WIRE_H; h++)
        ret[h] = (float)id + (float)h / 4;
    return id < 50;
}

static inline struct prov_model talk_model(void)
{
    struct prov_model m;

    prov_model_init(&m);
    memcpy(m.name, "m", 2);
    m.hidden = WIRE_H;
    m.bos_id = 2;
    m.slot_id = 99;
    m.token_row = talk_row;
    m.vocab = 40; /* of trtllm, as its start-up would leave it */
    m.inputs = UINT32_MAX;
    m.use_binary = true;
    m.type_prompt = PROV_FP16;
    memcpy(m.tensor.input_ids, "input_ids", 10);
    memcpy(m.tensor.prompt_embedding, "prompt_embedding_table", 23);
    memcpy(m.tensor.logits, "generation_logits", 18);
    m.probed = true;
    return m;
}

static inline json_t *talk_json(const void *body, size_t len)
{
    json_t *v = NULL;
    struct bbt_err err = {0};

    if (json_parse(body, len, "body", &v, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return v;
}

static inline void talk_expect_http(const struct prov_http *h, const char *golden)
{
    char start[PROV_PATH_MAX + 32];
    struct wire w;
    json_t *got, *want;

    wire_load(&w, golden);
    (void)snprintf(start, sizeof start, "%s %s HTTP/1.1", h->method, h->path);
    assert_string_equal(start, w.start);
    assert_string_equal(h->header[0].name, "Content-Type");
    assert_string_equal(h->header[0].value, "application/json");
    got = talk_json(h->own.data, h->own.len);
    want = talk_json(w.body, w.len);
    if (!json_equal(got, want))
        fail_msg("%s: the request is\n%s", golden, (char *)h->own.data);
    json_decref(got);
    json_decref(want);
    wire_fini(&w);
}

static inline void talk_expect_request(const struct prov_adapter *a,
    const struct prov_model *m, const struct prov_ask *ask, const char *golden)
{
    struct prov_http h = {0};
    struct bbt_err err = {0};

    if (prov_encode(a, m, ask, &h, &err) != BBT_OK)
        fail_msg("%s: %s", golden, err.msg);
    talk_expect_http(&h, golden);
    prov_http_fini(&h);
}

/* The question is refused, with `why` in the sentence and nothing left in the request. */
static inline void talk_expect_refused(const struct prov_adapter *a,
    const struct prov_model *m, const struct prov_ask *ask, const char *why)
{
    struct prov_http h = {0};
    struct bbt_err err = {0};

    assert_int_equal(prov_encode(a, m, ask, &h, &err), BBT_INVALID);
    if (!strstr(err.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
    assert_null(h.own.data);
}

static inline enum bbt_rc talk_decode(const struct prov_adapter *a, const struct prov_ask *ask,
    const char *body, struct prov_answer *ret, struct bbt_err *err)
{
    struct prov_model m = talk_model();
    struct prov_reply r = {.status = 200, .body = (const uint8_t *)body, .len = strlen(body)};

    return wire_decode(a, &m, ask, &r, ret, err);
}

/* The body is no answer: the code and the sentence. */
static inline void talk_expect_bad(const struct prov_adapter *a, const struct prov_ask *ask,
    const char *body, enum bbt_rc rc, const char *why)
{
    struct prov_answer got = {0};
    struct bbt_err err = {0};
    enum bbt_rc is = talk_decode(a, ask, body, &got, &err);

    if (is != rc || err.rc != rc || !strstr(err.msg, why))
        fail_msg("%s\ngives %s: \"%s\"", body, bbt_rc_name(is), err.msg);
    assert_null(got.logit);
}

/* The body is an answer; the labels of all rows follow in `want`. */
static inline void talk_expect_good(const struct prov_adapter *a, const struct prov_ask *ask,
    const char *body, const double *want)
{
    struct prov_answer got = {0};
    struct bbt_err err = {0};

    if (talk_decode(a, ask, body, &got, &err) != BBT_OK)
        fail_msg("%s\n%s", body, err.msg);
    for (size_t i = 0; i < ask->batch->rows * ask->labels; i++)
        if (fabs((double)got.logit[i] - want[i]) > 1e-5)
            fail_msg("%s\nnumber %zu is %g", body, i, (double)got.logit[i]);
    prov_answer_fini(&got);
}

/* A golden answer: (row * 40 + label - 200) / 4. */
static inline void talk_expect_answer(const struct prov_adapter *a, const struct prov_ask *ask,
    const char *golden, uint64_t tokens_in, uint64_t tokens_out)
{
    struct prov_model m = talk_model();
    struct prov_answer got = {0};
    struct bbt_err err = {0};
    struct prov_reply r;
    struct wire w;

    wire_load(&w, golden);
    r = wire_reply(&w);
    if (wire_decode(a, &m, ask, &r, &got, &err) != BBT_OK)
        fail_msg("%s: %s", golden, err.msg);
    for (size_t i = 0; i < ask->batch->rows * WIRE_C; i++) {
        float want = (float)((int)(i / WIRE_C) * 40 + wire_label[i % WIRE_C] - 200) / 4;

        if (got.logit[i] != want)
            fail_msg("%s: number %zu is %g", golden, i, (double)got.logit[i]);
    }
    assert_int_equal(got.tokens_in, tokens_in);
    assert_int_equal(got.tokens_out, tokens_out);
    assert_int_equal(got.censored, 0);
    prov_answer_fini(&got);
    wire_fini(&w);
}

/* One start-up step with a body of that status. */
static inline enum bbt_rc talk_take(const struct prov_adapter *a, struct prov_model *m,
    unsigned step, int status, const char *body, struct bbt_err *err)
{
    struct prov_reply r = {
        .status = status, .body = (const uint8_t *)body, .len = strlen(body)};

    return a->probe_take(m, step, &r, err);
}

/* Memory fails at every point of encode and decode: BBT_NOMEM and nothing leaks (asan). */
static inline void talk_expect_nomem(const struct prov_adapter *a, const struct prov_ask *ask,
    const char *golden)
{
    struct prov_model m = talk_model();
    enum bbt_rc rc = BBT_NOMEM;
    struct prov_reply r;
    struct wire w;

    wire_load(&w, golden);
    r = wire_reply(&w);
    for (long n = 0; rc == BBT_NOMEM; n++) {
        struct prov_http h = {0};

        bbt_alloc_fault(n, 0);
        rc = prov_encode(a, &m, ask, &h, NULL);
        bbt_alloc_fault(-1, 0);
        prov_http_fini(&h);
        assert_true(n < 1000);
    }
    assert_int_equal(rc, BBT_OK);
    rc = BBT_NOMEM;
    for (long n = 0; rc == BBT_NOMEM; n++) {
        struct prov_answer got = {0};

        bbt_alloc_fault(n, 0);
        rc = prov_decode(a, &m, ask, &r, &got, NULL);
        bbt_alloc_fault(-1, 0);
        prov_answer_fini(&got);
        assert_true(n < 1000);
    }
    assert_int_equal(rc, BBT_OK);
    wire_fini(&w);
}

#endif
