/* Requests, good and hostile, through codec and checks: JSON and binary. */
#include "lmtest.h"

#include "base/alloc.h"
#include "base/json.h"
#include "infer.h"

#include <math.h>

static const struct lmconf bert = {.family = LMCONF_BERT, .hidden = 4, .layers = 1, .heads = 2,
    .inner = 8, .vocab = 50, .types = 2, .positions = 8, .tokens = 8, .eps = 1e-12f};

#define IDS "{\"name\":\"input_ids\",\"shape\":[2,4],\"datatype\":\"INT64\"," \
            "\"data\":[[2,7,4,3],[2,4,3,0]]}"
#define KEEP "{\"name\":\"attention_mask\",\"shape\":[2,4],\"datatype\":\"INT64\"," \
             "\"data\":[1,1,1,1,1,1,1,0]}"
#define POS "{\"name\":\"mask_pos\",\"shape\":[2,1],\"datatype\":\"INT64\",\"data\":[[2],[1]]}"
#define IN(more) "{\"inputs\":[" IDS "," KEEP "," POS more "]}"
#define PROMPT(shape, data) \
    ",{\"name\":\"prompt_embedding\",\"shape\":" shape ",\"datatype\":\"FP32\",\"data\":" data "}"
#define LABELS(shape, data) \
    ",{\"name\":\"label_ids\",\"shape\":" shape ",\"datatype\":\"INT32\",\"data\":" data "}"

static enum bbt_rc ask(const void *body, size_t len, size_t head, struct oip_request *r,
    struct query *q, struct bbt_err *err)
{
    enum bbt_rc rc = oip_request_parse(body, len, head, r, err);

    memset(q, 0, sizeof *q);
    return rc == BBT_OK ? infer_query(r, &bert, q, err) : rc;
}

static void json_form(void **state)
{
    static const char body[] =
        "{\"id\":\"r\\\"1\",\"parameters\":{\"compose\":\"prepend\",\"prompt_at\":\"embedding\"},"
        "\"inputs\":[" IDS "," KEEP "," POS
        PROMPT("[1,2,4]", "[1,2,3,4,-1,0.5,1e-3,8]") LABELS("[3]", "[9,8,49]") "]}";
    struct oip_request r;
    struct query q;
    struct bbt_err err = {0};
    (void)state;

    if (ask(body, strlen(body), OIP_ALL_JSON, &r, &q, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(r.id, "r\"1");
    assert_true(q.rows == 2 && q.cols == 4 && q.ids[1] == 7 && q.ids[4] == 2);
    assert_true(q.keep[6] == 1 && q.keep[7] == 0 && q.len[0] == 4 && q.len[1] == 3);
    assert_true(q.mask_pos[0] == 2 && q.mask_pos[1] == 1);
    assert_true(q.compose == QUERY_PREPEND && q.at == QUERY_EMBEDDING);
    assert_true(q.prompt_sets == 1 && q.prompt_rows == 2 && q.prompt[5] == 0.5f);
    assert_true(q.place[0] == 2 && q.place[3] == 5 && query_span(&q, 1) == 5);
    assert_true(q.label_nr == 3 && q.label_sets == 1 && q.out_cols == 3 && q.labels[2] == 49);
    query_fini(&q);
    oip_request_fini(&r);
}

/* A binary request; `head_add` falsifies the header's length. */
static size_t binary(uint8_t *out, const char *json, const void *tail, size_t tail_len)
{
    size_t n = strlen(json);

    memcpy(out, json, n);
    if (tail_len)
        memcpy(out + n, tail, tail_len);
    return n;
}

#define BIN(name, shape, type, bytes)                                             \
    "{\"name\":\"" name "\",\"shape\":" shape ",\"datatype\":\"" type             \
    "\",\"parameters\":{\"binary_data_size\":" #bytes "}}"
#define BIN3                                                                       \
    "{\"inputs\":[" BIN("input_ids", "[1,4]", "INT32", 16) ","                     \
    BIN("prompt_embedding", "[1,4]", "FP16", 8) ","                                \
    BIN("mask_pos", "[1]", "UINT8", 1) "],\"parameters\":{\"binary_data_output\":true}}"

static const uint8_t tail3[25] = {2, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 0x3c, 0,
    0xc0, 0, 0, 1, 0, 2};

static void binary_form(void **state)
{
    uint8_t body[1024];
    size_t head = binary(body, BIN3, tail3, sizeof tail3);
    struct oip_request r;
    struct query q;
    struct bbt_err err = {0};
    bool bin = false;
    (void)state;

    if (ask(body, head + sizeof tail3, head, &r, &q, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_true(q.ids[0] == 2 && q.ids[1] == 7 && q.ids[2] == 4 && q.mask_pos[0] == 2);
    assert_true(q.prompt[0] == 1.0f && q.prompt[1] == -2.0f && q.prompt[3] == 0x1p-24f);
    assert_true(q.compose == QUERY_ADD && q.at == QUERY_HIDDEN && q.out_cols == 50);
    assert_true(oip_wants(&r, "logits", &bin) && bin);
    query_fini(&q);
    oip_request_fini(&r);
}

static void binary_refusals(void **state)
{
    static const struct {
        const char *json;
        size_t tail;
        long head_add;
        const char *part;
    } bad[] = {
        {BIN3, 24, 0, "ends 1 bytes before"},
        {BIN3, 15, 0, "ends 1 bytes before"},
        {BIN3, 0, 0, "ends 16 bytes before"},
        {BIN3, 25, -1, "request:1:"},
        {BIN3, 25, 1, "request:1:"},
        {BIN3, 25, 26, "Inference-Header-Content-Length is"},
        {"{\"inputs\":[" BIN("input_ids", "[1,2]", "INT32", 8) "]}", 9, 0, "belong to no input"},
        {"{\"inputs\":[" BIN("input_ids", "[1,2]", "INT32", 9) "]}", 9, 0, "is not the 8 bytes"},
        {"{\"inputs\":[" BIN("input_ids", "[1,2]", "INT32", -8) "]}", 8, 0, "is not the 8"},
        {"{\"inputs\":[" BIN("input_ids", "[2147483647,512]", "INT64", 0) "]}", 0, 0,
            "is not the"},
        {"{\"inputs\":[" BIN("input_ids", "[2147483647,2147483647,2147483647]", "INT64", 8) "]}",
            8, 0, "a size that cannot be"},
        {"{\"inputs\":[" BIN("input_ids", "[1,2]", "BYTES", 8) "]}", 8, 0, "'BYTES'"},
    };
    uint8_t body[1024];
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(bad); i++) {
        size_t head = binary(body, bad[i].json, tail3, bad[i].tail);
        struct oip_request r;
        struct query q;
        struct bbt_err err = {0};
        enum bbt_rc rc = ask(body, head + bad[i].tail, (size_t)((long)head + bad[i].head_add),
            &r, &q, &err);

        lmtest_refused((int)rc, BBT_INVALID, err.msg, bad[i].part, bad[i].json);
        query_fini(&q);
        oip_request_fini(&r);
    }
}

static const struct {
    const char *body, *part;
} refused[] = {
    {"", "request:1:"},
    {"{", "request:1:"},
    {"[]", "not a JSON object"},
    {"{}", "'inputs'"},
    {"{\"inputs\":[]}", "'inputs'"},
    {"{\"inputs\":{}}", "'inputs'"},
    {"{\"inputs\":[{}]}", "no 'name'"},
    {"{\"inputs\":[7]}", "no 'name'"},
    {"{\"inputs\":[" POS "," POS "]}", "twice"},
    {"{\"inputs\":[" POS "]}", "input 'input_ids' is missing"},
    {"{\"inputs\":[" IDS "]}", "input 'mask_pos' is missing"},
    {"{\"inputs\":[" IDS "," POS "],\"parameters\":[]}", "'parameters'"},
    {"{\"inputs\":[" IDS "," POS "],\"parameters\":{\"compse\":\"add\"}}", "'compse'"},
    {"{\"inputs\":[" IDS "," POS "],\"parameters\":{\"compose\":\"replace\"}}", "compose"},
    {"{\"inputs\":[" IDS "," POS "],\"parameters\":{\"prompt_at\":7}}", "prompt_at"},
    {"{\"inputs\":[" IDS "," POS "],\"outputs\":[{\"name\":\"hidden\"}]}", "'hidden'"},
    {"{\"inputs\":[" IDS "," POS "],\"outputs\":[{}]}", "no 'name'"},
    {"{\"inputs\":[" IDS "," POS "],\"outputs\":7}", "'outputs'"},
    {IN(PROMPT("[4]", "[1,2,3,4]")), "rank 1"},
    {IN(PROMPT("[1,5]", "[1,2,3,4,5]")), "5 wide"},
    {IN(PROMPT("[3,1,4]", "[1,2,3,4,1,2,3,4,1,2,3,4]")), "3 prompts for 2 rows"},
    {IN(PROMPT("[1,4]", "[1,2,3]")), "3 numbers in 'data'"},
    {IN(PROMPT("[1,4]", "[1,2,3,1e39]")), "not a finite number"},
    {IN(PROMPT("[4,4]", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]")), "no token at position 4"},
    {IN(PROMPT("[3,4]", "[0,0,0,0,0,0,0,0,0,0,0,0]")), "row 1 has no token at position 3"},
    {IN(PROMPT("[0]", "[]")), "rank 1"},
    {IN(LABELS("[0]", "[]")), "label_ids"},
    {IN(LABELS("[1,1,1]", "[1]")), "label_ids"},
    {IN(LABELS("[3,1]", "[1,2,3]")), "label_ids"},
    {IN(LABELS("[1]", "[50]")), "label_ids: element 0 is 50"},
    {IN(LABELS("[1]", "[-1]")), "label_ids: element 0 is -1"},
    {IN(LABELS("[1]", "[1.5]")), "no integer"},
    {IN(LABELS("[1]", "[1e300]")), "no integer"},
    {IN(LABELS("[-1]", "[1]")), "a size that cannot be"},
    {IN(LABELS("[1.0]", "[1]")), "a size that cannot be"},
    {IN(LABELS("[1,1,1,1,1]", "[1]")), "1 to 4 sizes"},
    {IN(",{\"name\":\"label_ids\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}"),
        "an integer type is expected"},
    {IN(",{\"name\":\"prompt_embedding\",\"shape\":[1,4],\"datatype\":\"INT32\","
        "\"data\":[1,2,3,4]}"), "a floating-point type is expected"},
    {IN(",{\"name\":\"label_ids\",\"shape\":[1],\"datatype\":\"INT64\"}"), "neither 'data'"},
    {IN(",{\"name\":\"label_ids\",\"shape\":[1],\"datatype\":\"INT64\","
        "\"d\\u0061ta\":99}"), "neither 'data'"},
    {IN(",{\"name\":\"label_ids\",\"shape\":[1],\"datatype\":\"INT64\","
        "\"parameters\":{\"binary_data_size\":8}}"), "without the header"},
    {IN(",{\"name\":\"prompt_embeding\",\"shape\":[1],\"datatype\":\"FP32\",\"data\":[1]}"),
        "did you mean 'prompt_embedding'"},
    {"{\"inputs\":[" POS ",{\"name\":\"input_ids\",\"shape\":[8],\"datatype\":\"INT64\","
     "\"data\":[1,1,1,1,1,1,1,1]}]}", "rank 1"},
    {"{\"inputs\":[" POS ",{\"name\":\"input_ids\",\"shape\":[2,0],\"datatype\":\"INT64\","
     "\"data\":[]}]}", "empty"},
    {"{\"inputs\":[" POS ",{\"name\":\"input_ids\",\"shape\":[2,1],\"datatype\":\"INT64\","
     "\"data\":[50,1]}]}", "row 0, column 0 is 50"},
    {"{\"inputs\":[" POS ",{\"name\":\"input_ids\",\"shape\":[2,2],\"datatype\":\"INT64\","
     "\"data\":[1,1,1,1]}]}", "mask_pos: row 0 is 2"},
    {"{\"inputs\":[" POS ",{\"name\":\"input_ids\",\"shape\":[2,9],\"datatype\":\"INT64\","
     "\"data\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}]}", "longer than the model's 8"},
    {"{\"inputs\":[" POS ",{\"name\":\"input_ids\",\"shape\":[3,1],\"datatype\":\"INT64\","
     "\"data\":[1,1,1]}]}", "mask_pos does not have the shape"},
    {"{\"inputs\":[" IDS "," POS ",{\"name\":\"attention_mask\",\"shape\":[2,4],"
     "\"datatype\":\"INT64\",\"data\":[1,1,1,1,1,1,1,2]}]}", "element 7 is 2"},
    {"{\"inputs\":[" IDS "," POS ",{\"name\":\"attention_mask\",\"shape\":[2,3],"
     "\"datatype\":\"INT64\",\"data\":[1,1,1,1,1,1]}]}", "another shape"},
    {"{\"inputs\":[" IDS "," POS ",{\"name\":\"attention_mask\",\"shape\":[2,4],"
     "\"datatype\":\"INT64\",\"data\":[1,1,0,1,1,1,1,1]}]}", "mask_pos: row 0 is 2"},
};

static void refusals(void **state)
{
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(refused); i++) {
        struct oip_request r;
        struct query q;
        struct bbt_err err = {0};
        enum bbt_rc rc =
            ask(refused[i].body, strlen(refused[i].body), OIP_ALL_JSON, &r, &q, &err);

        lmtest_refused((int)rc, BBT_INVALID, err.msg, refused[i].part, refused[i].body);
        assert_false(q.too_large);
        query_fini(&q);
        oip_request_fini(&r);
    }
}

/* With the prompt in front as word embeddings the positions run out sooner. */
static void prompt_takes_positions(void **state)
{
    static const char *const at[] = {"hidden", "embedding"};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct oip_request r;
        struct query q;
        struct bbt_err err = {0};
        char body[1500];
        enum bbt_rc rc;

        (void)snprintf(body, sizeof body,
            "{\"parameters\":{\"compose\":\"prepend\",\"prompt_at\":\"%s\"},\"inputs\":["
            IDS "," POS PROMPT("[5,4]", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]") "]}",
            at[i]);
        rc = ask(body, strlen(body), OIP_ALL_JSON, &r, &q, &err);
        if (i == 0)
            assert_int_equal(rc, BBT_OK);
        else
            lmtest_refused((int)rc, BBT_INVALID, err.msg, "prompt included", body);
        query_fini(&q);
        oip_request_fini(&r);
    }
}

static void too_large(void **state)
{
    static const size_t shapes[][3] = { /* rows, columns, labels */
        {QUERY_ROWS_MAX + 1, 1, 1}, {1, QUERY_TOKENS_MAX + 1, 1}, {1024, 257, 1},
        {1024, 2, 16385}};
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(shapes); i++) {
        struct query q = {.rows = shapes[i][0], .cols = shapes[i][1],
            .label_nr = shapes[i][2], .label_sets = 1, .labels = bbt_calloc(1, 4)};
        struct bbt_err err = {0};

        assert_int_equal(query_check(&q, &bert, &err), BBT_INVALID);
        assert_true(q.too_large);
        query_fini(&q);
    }
}

static void response_text(void **state)
{
    const float logits[4] = {1.5f, -2, 0.1f, 1e-30f};
    struct oip_out out[2] = {
        {"logits", logits, 2, {2, 2}, false}, {"std", logits, 1, {1}, true}};
    struct bbt_buf b;
    size_t head = 0;
    (void)state;

    buf_init(&b, 4096);
    assert_int_equal(oip_response("m", "a\"b", out, 1, &b, &head, NULL), BBT_OK);
    assert_true(head == OIP_ALL_JSON);
    assert_string_equal((const char *)b.data,
        "{\"model_name\":\"m\",\"id\":\"a\\\"b\",\"model_version\":\"1\",\"outputs\":[{\"name\":"
        "\"logits\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1.5,-2,0.100000001,"
        "1e-30]}]}");
    buf_fini(&b);
    buf_init(&b, 4096);
    assert_int_equal(oip_response("m", NULL, out, 2, &b, &head, NULL), BBT_OK);
    assert_int_equal(b.len, head + 4);
    assert_memory_equal(b.data + head, logits, 4);
    assert_non_null(strstr((const char *)b.data, "\"binary_data_size\":4"));
    buf_fini(&b);
    buf_init(&b, 100);
    assert_int_equal(oip_response("m", NULL, out, 1, &b, &head, NULL), BBT_INVALID);
    buf_fini(&b);
}

/* Each allocation fails once, jansson's included: BBT_NOMEM, nothing leaks. */
static void memory_runs_out(void **state)
{
    static const char body[] = IN(PROMPT("[1,4]", "[1,2,3,4]") LABELS("[2]", "[9,8]"));
    const float logits[4] = {1, 2, 3, 4};
    long k;
    (void)state;

    for (k = 0; k < 2000; k++) {
        struct oip_request r;
        struct query q;
        struct bbt_err err = {0};
        struct bbt_buf b;
        size_t head;
        enum bbt_rc rc;

        buf_init(&b, 4096);
        (void)bbt_alloc_fault(k, 0);
        rc = ask(body, strlen(body), OIP_ALL_JSON, &r, &q, &err);
        if (rc == BBT_OK)
            rc = infer_answer("m", &r, &q, logits, &b, &head, &err);
        (void)bbt_alloc_fault(-1, 0);
        query_fini(&q);
        oip_request_fini(&r);
        buf_fini(&b);
        if (rc == BBT_OK)
            break;
        if (rc != BBT_NOMEM)
            fail_msg("allocation %ld: class %d '%s'", k, rc, err.msg);
    }
    assert_true(k > 20 && k < 2000);
}

static int route_json(void **state)
{
    (void)state;
    json_use_alloc();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_form),
        cmocka_unit_test(binary_form),
        cmocka_unit_test(binary_refusals),
        cmocka_unit_test(refusals),
        cmocka_unit_test(prompt_takes_positions),
        cmocka_unit_test(too_large),
        cmocka_unit_test(response_text),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, route_json, NULL);
}
