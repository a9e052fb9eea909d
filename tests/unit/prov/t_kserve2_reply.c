/* Answers of the kserve2 dialect: every output shape gives the same numbers, everything that
 * is not the answer gives an error. */
#include "prov/kserve2.h"
#include "prov/kserve2_stream.h"
#include "prov/reader.h"
#include "base/json.h"
#include "wire.h"

static const struct prov_adapter *kserve2(void)
{
    return prov_adapter_find("kserve2");
}

/* Score of word v in row b, as tools/golden_kserve2.py defines it. */
static float logit(int b, int v)
{
    return (float)(b * 40 + v - 50) / 4;
}

static void expect_answer(
    const char *golden, const struct prov_model *m, const struct prov_ask *ask)
{
    struct wire w;
    struct prov_reply r;
    struct prov_answer a = {0};
    struct bbt_err err = {0};

    wire_load(&w, golden);
    r = wire_reply(&w);
    if (wire_decode(kserve2(), m, ask, &r, &a, &err) != BBT_OK)
        fail_msg("%s: %s", golden, err.msg);
    assert_int_equal(a.rows, WIRE_B);
    assert_int_equal(a.labels, WIRE_C);
    for (int b = 0; b < WIRE_B; b++)
        for (int c = 0; c < WIRE_C; c++)
            if (a.logit[b * WIRE_C + c] != logit(b, wire_label[c]))
                fail_msg("%s: row %d label %d is %g", golden, b, c,
                    (double)a.logit[b * WIRE_C + c]);
    assert_int_equal(a.tokens_out, 0);
    assert_int_equal(a.tokens_in,
        14 + (ask->compose == PROV_PREPEND ? WIRE_B * WIRE_P : 0));
    prov_answer_fini(&a);
    wire_fini(&w);
}

static void every_output_shape(void **state)
{
    static const char *const golden[] = {"ans-label", "ans-label-id", "ans-label-json",
        "ans-vocab", "ans-vocab-fp64", "ans-vocab-fp16", "ans-vocab-bf16", "ans-vocab-json",
        "ans-vocab-nested", "ans-vocab-gathered", "ans-token", "ans-token-nested",
        "ans-several"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    ask.id = "r7g12c3";
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++)
        expect_answer(golden[i], &m, &ask);
    ask.compose = PROV_PREPEND;
    expect_answer("ans-token-prepend", &m, &ask);
}

static void the_rows_of_the_embedding(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_model m = wire_model();
    struct prov_embed e = {0};
    struct prov_reply r;
    struct bbt_err err = {0};
    struct wire w;

    (void)state;
    (void)wire_ask(prompt);
    wire_load(&w, "ans-embed");
    r = wire_reply(&w);
    if (kserve2()->embed_decode(&m, 3, &r, &e, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(e.rows, 3);
    assert_int_equal(e.hidden, WIRE_H);
    assert_memory_equal(e.row, prompt, sizeof prompt);
    assert_true(e.mean == -0.0078125 && e.std == 0.125);
    prov_embed_fini(&e);
    assert_int_equal(kserve2()->embed_decode(&m, 2, &r, &e, &err), BBT_CORRUPT);
    m.hidden = 5;
    assert_int_equal(kserve2()->embed_decode(&m, 3, &r, &e, &err), BBT_CORRUPT);
    assert_null(e.row);
    wire_fini(&w);
}

/* ---- garbage ---- */

struct bad {
    const char *head;        /* body's JSON part, or the whole body */
    const char *head_length; /* header value; NULL: none; "": the true one */
    size_t tail;             /* zero bytes behind the head */
    enum bbt_rc rc;
    const char *why;
};

#define OUT(shape, rest) \
    "{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":" shape "," rest "}]}"
#define RAW(n) "\"parameters\":{\"binary_data_size\":" n "}"

static const struct bad bads[] = {
    {"", NULL, 0, BBT_CORRUPT, "response"},
    {"<html><body>502 Bad Gateway</body></html>", NULL, 0, BBT_CORRUPT, "response"},
    {"null", NULL, 0, BBT_CORRUPT, "error inside"},
    {"[1,2]", NULL, 0, BBT_CORRUPT, "error inside"},
    {"{\"error\":\"model crashed\"}", NULL, 0, BBT_CORRUPT, "model crashed"},
    {"{}", NULL, 0, BBT_CORRUPT, "no list of outputs"},
    {"{\"outputs\":[]}", NULL, 0, BBT_CORRUPT, "no output \"logits\""},
    {"{\"outputs\":[7]}", NULL, 0, BBT_CORRUPT, "without a shape"},
    {"{\"id\":\"other\",\"outputs\":[]}", NULL, 0, BBT_CORRUPT, "is for \"other\""},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,6"), NULL, 0, BBT_CORRUPT, "response"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5]"), NULL, 0, BBT_CORRUPT, "shape that goes with"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,6,7]"), NULL, 0, BBT_CORRUPT, "shape that goes with"},
    {OUT("[2,3]", "\"data\":[[1,2],[3,4],[5,6]]"), NULL, 0, BBT_CORRUPT, "shape that goes"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,NaN]"), NULL, 0, BBT_CORRUPT, "not finite"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,null]"), NULL, 0, BBT_CORRUPT, "not finite"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,-Infinity]"), NULL, 0, BBT_CORRUPT, "not finite"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,1e39]"), NULL, 0, BBT_CORRUPT, "not finite"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,\"6\"]"), NULL, 0, BBT_CORRUPT, "not a number"},
    {OUT("[2,3]", "\"data\":[1,2,3,4,5,true]"), NULL, 0, BBT_CORRUPT, "not a number"},
    {OUT("[2,3]", "\"data\":{}"), NULL, 0, BBT_CORRUPT, "without data"},
    {OUT("[2,3]", "\"data\":99"), NULL, 0, BBT_CORRUPT, "without data"},
    {OUT("[2,3]", "\"data\":-1"), NULL, 0, BBT_CORRUPT, "without data"},
    {OUT("[2,3]", RAW("24")), NULL, 0, BBT_CORRUPT, "no Inference-Header"},
    {OUT("[2,3]", RAW("24")), "", 23, BBT_CORRUPT, "ends before"},
    {OUT("[2,3]", RAW("24")), "", 25, BBT_CORRUPT, "left over"},
    {OUT("[2,3]", RAW("20")), "", 20, BBT_CORRUPT, "size is not that of its shape"},
    {OUT("[2,3]", RAW("-24")), "", 24, BBT_CORRUPT, "binary_data_size"},
    {OUT("[2,3]", RAW("\"24\"")), "", 24, BBT_CORRUPT, "binary_data_size"},
    {OUT("[2,3]", RAW("24") ",\"data\":[1,2,3,4,5,6]"), "", 24, BBT_CORRUPT,
        "binary_data_size"},
    {OUT("[2,3]", RAW("18446744073709551615")), "", 24, BBT_CORRUPT, "response"},
    {OUT("[2,3]", RAW("9223372036854775807")), "", 24, BBT_CORRUPT, "size is not that"},
    {OUT("[2,3]", RAW("24")), "99999", 24, BBT_CORRUPT, "not within the body"},
    {OUT("[2,3]", RAW("24")), "-5", 24, BBT_CORRUPT, "not within the body"},
    {OUT("[2,3]", RAW("24")), "98765432109876543210", 24, BBT_CORRUPT, "not within"},
    {OUT("[2,3]", RAW("24")), "12x", 24, BBT_CORRUPT, "not within the body"},
    {OUT("[2,3]", RAW("24")), "10", 24, BBT_CORRUPT, "response"},
    {OUT("[4294967296,4294967296,4]", RAW("0")), "", 0, BBT_CORRUPT, "too large"},
    {OUT("[2305843009213693953,8]", RAW("32")), "", 32, BBT_CORRUPT, "too large"},
    {OUT("[2,3.0]", RAW("24")), "", 24, BBT_CORRUPT, "no size"},
    {OUT("[2,-1]", RAW("24")), "", 24, BBT_CORRUPT, "no size"},
    {OUT("[]", RAW("24")), "", 24, BBT_CORRUPT, "without a shape"},
    {OUT("[6]", RAW("24")), "", 24, BBT_CORRUPT, "two or three dimensions"},
    {OUT("[1,1,2,3]", RAW("24")), "", 24, BBT_CORRUPT, "two or three dimensions"},
    {OUT("[1,6]", RAW("24")), "", 24, BBT_CORRUPT, "number of examples"},
    {OUT("[3,2]", RAW("24")), "", 24, BBT_CORRUPT, "number of examples"},
    {OUT("[2,7]", RAW("56")), "", 56, BBT_CORRUPT, "column is missing"},
    {OUT("[2,30]", RAW("240")), "", 240, BBT_CORRUPT, "column is missing"},
    {OUT("[2,7,32]", RAW("1792")), "", 1792, BBT_CORRUPT, "number of tokens"},
    {OUT("[2,11,32]", RAW("2816")), "", 2816, BBT_CORRUPT, "number of tokens"},
    {OUT("[2,4]", RAW("32")), "", 32, BBT_INVALID, "hidden states"},
    {OUT("[2,8,4]", RAW("256")), "", 256, BBT_INVALID, "hidden states"},
    {"{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"INT64\",\"shape\":[2,3]," RAW("48")
     "}]}", "", 48, BBT_CORRUPT, "holds no reals"},
    {"{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"BYTES\",\"shape\":[2,3]," RAW("24")
     "}]}", "", 24, BBT_CORRUPT, "holds no reals"},
    {"{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3]," RAW("24")
     "},{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3]," RAW("24") "}]}",
        "", 48, BBT_CORRUPT, "twice"},
    /* Two tensors that both want the same 24 bytes. */
    {"{\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2,3]," RAW("24")
     "},{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3]," RAW("24") "}]}",
        "", 24, BBT_CORRUPT, "ends before"},
    /* What is not wanted has its length, too. */
    {"{\"outputs\":[{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[1]," RAW(
         "9223372036854775807") "},{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
     RAW("24") "}]}", "", 48, BBT_CORRUPT, "ends before"},
    /* Numbers before or without what is needed to read them. */
    {"{\"outputs\":[{\"data\":[1,2,3,4,5],\"name\":\"logits\",\"datatype\":\"FP32\","
     "\"shape\":[2,3]}]}", NULL, 0, BBT_CORRUPT, "shape that goes with"},
    {"{\"outputs\":[{\"data\":[1,2,3,4,5,6,7],\"name\":\"logits\",\"datatype\":\"FP32\","
     "\"shape\":[2,3]}]}", NULL, 0, BBT_CORRUPT, "shape that goes with"},
    {"{\"outputs\":[{\"data\":[1,2,3,4,5,6],\"name\":\"logits\",\"datatype\":\"INT32\","
     "\"shape\":[2,3]}]}", NULL, 0, BBT_CORRUPT, "holds no reals"},
    {"{\"outputs\":[{\"data\":[1,2,3,4,5,6],\"name\":\"logits\",\"datatype\":\"FP32\"}]}",
        NULL, 0, BBT_CORRUPT, "without a shape"},
    {"{\"outputs\":[{\"data\":[1],\"shape\":[1],\"name\":\"x\"},{\"name\":\"logits\","
     "\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":0}]}", NULL, 0, BBT_CORRUPT,
        "shape that goes with"},
    {"{\"x\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
     "\"data\":[1,2,3,4,5,6]}],\"outputs\":[]}", NULL, 0, BBT_CORRUPT, "no output"},
    {"{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
     "\"data\":[1,2,3,4,5,6]},{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
     "\"data\":[1,2,3,4,5,6]}]}", NULL, 0, BBT_CORRUPT, "twice"},
    {"{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
     "\"data\":[1,2,3,4,5,6]},{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
     "\"data\":0}]}", NULL, 0, BBT_CORRUPT, "twice"},
    {"{\"outputs\":[],\"outputs\":[]}", NULL, 0, BBT_CORRUPT, "response"},
};

static const char *one_header(const void *arg, const char *name)
{
    return strcasecmp(name, "Inference-Header-Content-Length") ? NULL : arg;
}

static void expect_bad(
    const struct bad *b, const struct prov_model *m, const struct prov_ask *ask)
{
    size_t head = strlen(b->head), len = head + b->tail;
    char *true_length = bbt_asprintf("%zu", head);
    uint8_t *body = bbt_calloc(1, len); /* exact, so that ASan sees a read past it */
    struct prov_answer a = {0};
    struct bbt_err err = {0};
    struct prov_reply r = {.status = 200, .header = one_header, .body = body, .len = len};
    enum bbt_rc rc;

    memcpy(body, b->head, head);
    r.arg = b->head_length && !b->head_length[0] ? true_length : b->head_length;
    rc = wire_decode(kserve2(), m, ask, &r, &a, &err);
    if (rc != b->rc || err.rc != b->rc || !strstr(err.msg, b->why))
        fail_msg("%s: rc %s, \"%s\" and not \"%s\"", b->head, bbt_rc_name(rc), err.msg,
            b->why);
    assert_null(a.logit);
    bbt_free(body);
    bbt_free(true_length);
}

static void garbage_is_never_an_answer(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    ask.id = "r7g12c3";
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++)
        expect_bad(&bads[i], &m, &ask);
}

/* Not a number in a column that nobody asked for is the server's own business. */
static void only_the_labels_must_be_finite(void **state)
{
    struct wire w;
    struct prov_reply r;
    struct prov_answer a = {0};
    struct bbt_err err = {0};
    float prompt[WIRE_P * WIRE_H], nan = __builtin_nanf("");
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();
    uint8_t *data;

    (void)state;
    wire_load(&w, "ans-vocab");
    r = wire_reply(&w);
    data = w.body + w.len - 2 * 32 * 4;
    memcpy(data + 8 * 4, &nan, 4); /* word 8 of row 0 */
    assert_int_equal(wire_decode(kserve2(), &m, &ask, &r, &a, &err), BBT_OK);
    prov_answer_fini(&a);
    memcpy(data + (32 + 30) * 4, &nan, 4); /* word 30, a label, of row 1 */
    assert_int_equal(wire_decode(kserve2(), &m, &ask, &r, &a, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "not finite"));
    wire_fini(&w);
}

/* Members of an object come in any order: numbers may be there before their shape is. */
static void numbers_before_their_shape(void **state)
{
    static const char *const body[] = {
        "{\"outputs\":[{\"data\":[1,2,3,[4,\"]\"]],\"name\":\"x\",\"shape\":[9]},"
        "{\"data\":[[1,2,3],[4,5,-6.5]],\"datatype\":\"FP32\",\"name\":\"logits\","
        "\"shape\":[2,3]}]}",
        "{\"outputs\":[{\"shape\":[2,3],\"data\":[1,2,3,4,5,-6.5],\"datatype\":\"FP32\","
        "\"name\":\"logits\"}],\"id\":\"r7g12c3\"}"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    ask.id = "r7g12c3";
    for (size_t i = 0; i < 2; i++) {
        struct prov_reply r = {
            .status = 200, .body = (const uint8_t *)body[i], .len = strlen(body[i])};
        struct prov_answer a = {0};
        struct bbt_err err = {0};

        if (wire_decode(kserve2(), &m, &ask, &r, &a, &err) != BBT_OK)
            fail_msg("%s", err.msg);
        assert_true(a.logit[0] == 1 && a.logit[4] == 5 && a.logit[5] == -6.5f);
        prov_answer_fini(&a);
    }
}

/* 64 MB of scores, of which six are kept: what is taken of memory is for these. */
static void scores_of_the_whole_vocabulary_pass_through(void **state)
{
    static const char head[] =
        "{\"outputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,8,1000000],"
        "\"parameters\":{\"binary_data_size\":64000000}}]}";
    static const int32_t label[3] = {999999, 0, 12345};
    static uint8_t piece[65536];
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();
    char length[24];
    struct prov_reply r = {.status = 200, .header = one_header, .arg = length};
    struct prov_reader rd = {0};
    struct prov_answer a = {0};

    (void)state;
    ask.label_ids = label;
    (void)snprintf(length, sizeof length, "%zu", sizeof head - 1);
    prov_reader_begin(&rd, kserve2(), &m, &ask, &r);
    prov_reader_feed(&rd, head, sizeof head - 1);
    for (size_t at = 0; at < 64000000;) { /* number i is i */
        size_t n = 65535 < 64000000 - at ? 65535 : 64000000 - at; /* cuts within numbers */

        for (size_t i = at / 4; i <= (at + n) / 4; i++) {
            float v = (float)(i % 16777216);
            uint8_t bytes[4];

            memcpy(bytes, &v, 4);
            for (size_t k = 0; k < 4; k++)
                if (i * 4 + k >= at && i * 4 + k < at + n)
                    piece[i * 4 + k - at] = bytes[k];
        }
        prov_reader_feed(&rd, piece, n);
        at += n;
    }
    assert_int_equal(rd.body.room, 0);
    assert_int_equal(prov_reader_finish(&rd, &a, NULL), BBT_OK);
    for (int b = 0; b < 2; b++)
        for (int c = 0; c < 3; c++)
            assert_true(a.logit[b * 3 + c] ==
                        (float)((b * 8 + wire_mask[b]) * 1000000 + label[c]));
    prov_answer_fini(&a);
}

/* Two labels may share a word; each gets its column. */
static void labels_in_any_order_and_twice(void **state)
{
    static const int32_t label[3] = {30, 1, 30};
    static const char *const golden[] = {"ans-vocab", "ans-vocab-json"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    ask.label_ids = label;
    for (int g = 0; g < 2; g++) {
        struct wire w;
        struct prov_reply r;
        struct prov_answer a = {0};
        struct bbt_err err = {0};

        wire_load(&w, golden[g]);
        r = wire_reply(&w);
        assert_int_equal(wire_decode(kserve2(), &m, &ask, &r, &a, &err), BBT_OK);
        for (int i = 0; i < 6; i++)
            assert_true(a.logit[i] == logit(i / 3, label[i % 3]));
        prov_answer_fini(&a);
        wire_fini(&w);
    }
}

/* A body cut at any byte, with its header telling the truth about the JSON part. */
static void every_truncation_is_an_error(void **state)
{
    static const char *const golden[] = {"ans-vocab", "ans-label-json", "ans-several"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    for (int g = 0; g < 3; g++) {
        struct wire w;

        wire_load(&w, golden[g]);
        for (size_t len = 0; len < w.len; len++) {
            struct prov_reply r = wire_reply(&w);
            struct prov_answer a = {0};
            uint8_t *copy = bbt_alloc(len);

            memcpy(copy, w.body, len);
            r.body = copy;
            r.len = len;
            assert_int_equal(wire_decode(kserve2(), &m, &ask, &r, &a, NULL), BBT_CORRUPT);
            bbt_free(copy);
        }
        wire_fini(&w);
    }
}

static void failed_allocations_leave_nothing(void **state)
{
    static const char *const golden[] = {"ans-vocab", "ans-vocab-nested"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    for (int g = 0; g < 2; g++) {
        enum bbt_rc rc = BBT_NOMEM;
        struct wire w;
        long n = 0;

        wire_load(&w, golden[g]);
        for (; rc != BBT_OK; n++) {
            struct prov_reply r = wire_reply(&w);
            struct prov_answer a = {0};
            struct bbt_err err = {0};

            bbt_alloc_fault(n, 0);
            rc = prov_decode(kserve2(), &m, &ask, &r, &a, &err);
            bbt_alloc_fault(-1, 0);
            if (rc != BBT_OK && rc != BBT_NOMEM)
                fail_msg("allocation %ld of %s: %s", n, golden[g], err.msg);
            assert_true(rc == BBT_OK || !a.logit);
            prov_answer_fini(&a);
            assert_true(n < 1000);
        }
        assert_true(n > 3);
        wire_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_output_shape),
        cmocka_unit_test(the_rows_of_the_embedding),
        cmocka_unit_test(garbage_is_never_an_answer),
        cmocka_unit_test(only_the_labels_must_be_finite),
        cmocka_unit_test(numbers_before_their_shape),
        cmocka_unit_test(scores_of_the_whole_vocabulary_pass_through),
        cmocka_unit_test(labels_in_any_order_and_twice),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(failed_allocations_leave_nothing),
    };

    json_use_alloc(); /* failures inside jansson too */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
