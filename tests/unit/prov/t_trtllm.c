/* TensorRT-LLM's backend, by golden messages made from its configuration's template, and by
 * everything that is no answer or no deployment for it. */
#include "prov/trtllm.h"
#include "prov/adapters.h"
#include "talk.h"

static float prompt[WIRE_P * WIRE_H];

/* Start line, headers and every byte of the body. */
static void expect_bytes(
    const char *golden, const struct prov_model *m, const struct prov_ask *ask)
{
    char start[PROV_PATH_MAX + 32];
    struct prov_http h = {0};
    struct bbt_err err = {0};
    struct wire w;

    if (prov_encode(&trtllm_adapter, m, ask, &h, &err) != BBT_OK)
        fail_msg("%s: %s", golden, err.msg);
    wire_load(&w, golden);
    (void)snprintf(start, sizeof start, "%s %s HTTP/1.1", h.method, h.path);
    assert_string_equal(start, w.start);
    assert_int_equal(w.headers, h.headers);
    for (size_t i = 0; i < h.headers; i++)
        assert_string_equal(wire_header(&w, h.header[i].name), h.header[i].value);
    if (w.len != h.own.len || memcmp(w.body, h.own.data, w.len))
        fail_msg("%s: the body differs: %.*s", golden, (int)h.own.len, h.own.data);
    wire_fini(&w);
    prov_http_fini(&h);
}

static void requests(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask ask = talk_ask(prompt, &talk_one);
    json_t *more = json_pack("{s:s}", "note", "x");

    (void)state;
    assert_int_equal(prov_model_params(&m, more, NULL), BBT_OK);
    ask.id = "r7g12c3";
    expect_bytes("trtllm-req", &m, &ask);
    prov_model_fini(&m);
    json_decref(more);
    m = talk_model();
    ask.id = NULL;
    ask.prompt = NULL;
    expect_bytes("trtllm-manual-req", &m, &ask);
    ask.prompt = prompt;
    m.bos_id = -1; /* all tokens behind the prompt */
    m.type_prompt = PROV_BF16;
    m.inputs &= ~(1u << TRTLLM_END_ID | 1u << TRTLLM_BEAM_WIDTH | 1u << TRTLLM_TOP_K);
    expect_bytes("trtllm-bf16-req", &m, &ask);
    m.type_prompt = PROV_FP32;
    m.inputs &= ~(1u << TRTLLM_PAD_ID | 1u << TRTLLM_EXTRA_IDS);
    expect_bytes("trtllm-bare-req", &m, &ask);
}

static void answers(void **state)
{
    struct prov_ask one = talk_ask(prompt, &talk_one);

    (void)state;
    talk_expect_answer(&trtllm_adapter, &one, "trtllm-ans", 11, 1);
    talk_expect_answer(&trtllm_adapter, &one, "trtllm-json-ans", 11, 1);
    talk_expect_answer(&trtllm_adapter, &one, "trtllm-several-ans", 11, 1);
    talk_expect_nomem(&trtllm_adapter, &one, "trtllm-ans");
    one.prompt = NULL;
    talk_expect_answer(&trtllm_adapter, &one, "trtllm-ans", 8, 1);
}

#define OUT(shape, data)                                                                   \
    "{\"outputs\":[{\"name\":\"generation_logits\",\"datatype\":\"FP32\",\"shape\":" shape \
    ",\"data\":[" data "]}]}"
#define TEN "0,1,2,3,4,5,6,7,8,9,"
#define FORTY TEN TEN TEN "0,1,2,3,4,5,6,7,8"

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *body, *why;
    } bad[] = {
        {"", "response"},
        {"{}", "outputs"},
        {"{\"error\":\"out of memory\"}", "out of memory"},
        {"{\"outputs\":[]}", "no output \"generation_logits\""},
        {OUT("[1,1,1,39]", TEN TEN TEN "0,1,2,3,4,5,6,7,8"), "logits of 39 tokens"},
        {OUT("[1,1,2,20]", FORTY ",9"), "not those of one token"},
        {OUT("[2,1,1,20]", FORTY ",9"), "not those of one token"},
        {OUT("[1,2,1,20]", FORTY ",9"), "not those of one token"},
        {OUT("[1,1,40]", FORTY ",9"), "not those of one token"},
        {OUT("[1,1,1,40]", FORTY), "generation_logits"},
        {OUT("[1,1,1,40]", FORTY ",9,9"), "generation_logits"},
        {OUT("[1,1,1,40]", "0,null,2,3,4,5,6,7,8,9," TEN TEN "0,1,2,3,4,5,6,7,8,9"),
            "generation_logits"},
        {OUT("[1,1,1,40]", "0,1e99,2,3,4,5,6,7,8,9," TEN TEN "0,1,2,3,4,5,6,7,8,9"),
            "not finite"},
    };
    struct prov_ask ask = talk_ask(prompt, &talk_one);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        talk_expect_bad(&trtllm_adapter, &ask, bad[i].body, BBT_CORRUPT, bad[i].why);
    ask.batch = &talk_batch;
    talk_expect_bad(&trtllm_adapter, &ask, "{}", BBT_INVALID, "one example");
}

static void questions_that_cannot_be_put(void **state)
{
    static const int32_t past[1] = {40};
    struct prov_model m = talk_model();
    struct prov_ask one = talk_ask(prompt, &talk_one), ask = one;
    struct prov_batch b = talk_one;

    (void)state;
    ask.batch = &talk_batch;
    talk_expect_refused(&trtllm_adapter, &m, &ask, "one per request");
    ask = one;
    ask.compose = PROV_ADD;
    talk_expect_refused(&trtllm_adapter, &m, &ask, "before the text only");
    ask = one;
    ask.prompt_at = PROV_AT_HIDDEN;
    talk_expect_refused(&trtllm_adapter, &m, &ask, "input embedding only");
    ask = one;
    b.ids = past; /* would be the prompt's first row */
    b.cols = 1;
    b.len = past;
    ask.batch = &b;
    talk_expect_refused(&trtllm_adapter, &m, &ask, "no tokens or too many");
    b.len = (const int32_t[]){1};
    talk_expect_refused(&trtllm_adapter, &m, &ask, "token 40 of an example is past");
    ask = one;
    ask.label_ids = (const int32_t[]){9, 40, 1};
    talk_expect_refused(&trtllm_adapter, &m, &ask, "token 40 of a label is past");
    ask = one;
    ask.hidden = WIRE_H - 1;
    talk_expect_refused(&trtllm_adapter, &m, &ask, "3 numbers per row");
    m.prompt_rows_fixed = 5;
    talk_expect_refused(&trtllm_adapter, &m, &one, "takes exactly 5");
    m = talk_model();
    m.vocab = 0;
    talk_expect_refused(&trtllm_adapter, &m, &one, "vocab_size");
    m = talk_model();
    m.type_prompt = PROV_TYPE_NONE;
    talk_expect_refused(&trtllm_adapter, &m, &one, "max_prompt_embedding_table_size");
    m = talk_model();
    m.body_max = 300;
    talk_expect_refused(&trtllm_adapter, &m, &one, "over the limit of 300");
    m = talk_model();
    m.probed = false;
    talk_expect_refused(&trtllm_adapter, &m, &one, "not been probed");
    m = talk_model();
    prompt[5] = 65520; /* FP16 ends at 65504 */
    talk_expect_refused(&trtllm_adapter, &m, &one, "too large for FP16");
    m.type_prompt = PROV_FP32;
    prompt[5] = INFINITY;
    talk_expect_refused(&trtllm_adapter, &m, &one, "not finite");
    (void)wire_ask(prompt);
}

/* Another prompt has other ids for its rows, the same one the same: the KV cache's key. */
static void p1_a_table_of_its_own_for_every_prompt(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask ask = talk_ask(prompt, &talk_one);
    struct prov_part part[3] = {{.pieces = 0}};
    static const uint8_t none[8];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        prompt[0] = i == 1 ? 0.25f : 0.5f;
        assert_int_equal(trtllm_adapter.part_prompt(&m, &ask, &part[i], NULL), BBT_OK);
        assert_int_equal(part[i].piece[1].n, 8 * WIRE_P);
    }
    assert_memory_equal(part[0].bytes.data, part[2].bytes.data, part[0].bytes.len);
    for (size_t row = 0; row < WIRE_P; row++) {
        size_t at = part[0].piece[1].at + 8 * row;

        assert_memory_not_equal(part[0].bytes.data + at, none, 8);
        assert_memory_not_equal(part[0].bytes.data + at, part[1].bytes.data + at, 8);
        assert_memory_equal(
            part[0].bytes.data + at, part[0].bytes.data + part[0].piece[1].at, 8);
    }
    for (size_t i = 0; i < 3; i++)
        prov_part_fini(&part[i]);
    (void)wire_ask(prompt);
}

/* ---- start-up ---- */

static enum bbt_rc take_golden(
    struct prov_model *m, unsigned step, const char *golden, struct bbt_err *err)
{
    struct prov_reply r;
    struct wire w;
    enum bbt_rc rc;

    wire_load(&w, golden);
    r = wire_reply(&w);
    rc = trtllm_adapter.probe_take(m, step, &r, err);
    wire_fini(&w);
    return rc;
}

static struct prov_model fresh(void)
{
    struct prov_model m;

    prov_model_init(&m);
    memcpy(m.name, "m", 2);
    m.hidden = WIRE_H;
    m.vocab = 40;
    return m;
}

static void expect_path(const struct prov_model *m, unsigned step, const char *path)
{
    struct prov_http h = {0};

    assert_int_equal(trtllm_adapter.probe_next(m, step, &h, NULL), BBT_OK);
    assert_string_equal(h.path, path);
    prov_http_fini(&h);
}

#define LOGITS(a, b)                                                                       \
    OUT("[1,1,1,40]", #a "," #b ",2,3,4,5,6,7,8,9," TEN TEN "0,1,2,3,4,5,6,7,8,9")

static void start_up(void **state)
{
    struct prov_model m = fresh(), plain = fresh();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    expect_path(&m, 0, "/v2");
    expect_path(&m, 2, "/v2/models/m");
    assert_int_equal(take_golden(&m, 0, "meta-triton-server", NULL), BBT_OK);
    assert_int_equal(talk_take(&trtllm_adapter, &m, 1, 400, "", NULL), BBT_AGAIN);
    assert_int_equal(talk_take(&trtllm_adapter, &m, 1, 200, "", NULL), BBT_OK);
    assert_int_equal(take_golden(&m, 2, "trtllm-meta", &err), BBT_OK);
    assert_int_equal(m.type_prompt, PROV_FP16);
    assert_int_equal(m.inputs, (1u << TRTLLM_INPUTS << 1) - 1);
    assert_string_equal(m.platform, "tensorrt_llm");
    assert_int_equal(talk_take(&trtllm_adapter, &m, 3, 200, "", NULL), BBT_OK);
    assert_false(m.probed); /* trial questions are due: A, B, A */
    for (unsigned step = 4; step < 7; step++)
        expect_path(&m, step, "/v2/models/m/infer");
    assert_int_equal(trtllm_adapter.probe_next(&m, 7, &h, NULL), BBT_NOTFOUND);
    assert_int_equal(talk_take(&trtllm_adapter, &m, 4, 200, LOGITS(0, 1), NULL), BBT_OK);
    assert_int_equal(
        talk_take(&trtllm_adapter, &m, 5, 200, LOGITS(0, 1), &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "ignores")); /* or a cache that mixes tables up */
    assert_int_equal(talk_take(&trtllm_adapter, &m, 5, 200, LOGITS(0, 2), NULL), BBT_OK);
    assert_int_equal(talk_take(&trtllm_adapter, &m, 6, 200, LOGITS(0, 1), NULL), BBT_OK);
    assert_true(m.probed);
    plain.hidden = 0; /* for baselines: nothing soft is tried */
    assert_int_equal(take_golden(&plain, 2, "trtllm-meta", NULL), BBT_OK);
    assert_int_equal(talk_take(&trtllm_adapter, &plain, 3, 200, "", NULL), BBT_OK);
    assert_true(plain.probed);
    assert_int_equal(trtllm_adapter.probe_next(&plain, 4, &h, NULL), BBT_NOTFOUND);
}

#define T(name, type, shape) \
    "{\"name\":\"" name "\",\"datatype\":\"" type "\",\"shape\":" shape "}"
#define ONE(name) T(name, "INT32", "[-1,1]")
#define IDS T("input_ids", "INT32", "[-1,-1]")
#define LEAST \
    IDS "," ONE("input_lengths") "," ONE("request_output_len") "," \
    T("return_generation_logits", "BOOL", "[-1,1]")
#define META(in, out) "{\"inputs\":[" in "],\"outputs\":[" out "]}"
#define SCORES(v) T("generation_logits", "FP32", "[-1,-1,-1," v "]")
#define TABLE(type, shape) \
    LEAST "," ONE("prompt_vocab_size") "," T("prompt_embedding_table", type, shape)

static void deployments_that_cannot_serve(void **state)
{
    static const struct {
        const char *body, *why; /* NULL: it can */
    } meta[] = {
        {META(LEAST, SCORES("40")), NULL}, /* baselines alone */
        {META(LEAST, SCORES("-1")), NULL},
        {META(TABLE("BF16", "[-1,3,4]"), SCORES("48")), NULL},
        {META(TABLE("BF16", "[-1,3,5]"), SCORES("48")), "the model takes 5"},
        {META(TABLE("INT32", "[-1,3,4]"), SCORES("48")), "a table of FP16, BF16 or FP32"},
        {META(TABLE("FP16", "[3,4]"), SCORES("48")), "a table of FP16, BF16 or FP32"},
        {META("", SCORES("40")), "no input \"input_ids\""},
        {META(T("input_ids", "INT64", "[-1,-1]"), SCORES("40")), "INT32 [1,tokens]"},
        {META(IDS, SCORES("40")), "no input \"input_lengths\""},
        {META(LEAST, ""), "gather_generation_logits"},
        {META(LEAST, SCORES("39")), "have 39 columns"},
        {META(LEAST, T("generation_logits", "FP32", "[-1,40]")), "[1,beam,steps,vocabulary]"},
        {META(LEAST "," T("end_id", "UINT32", "[-1,1]"), SCORES("40")), "INT32 [1,1]"},
        {META(LEAST "," T("prompt_table_extra_ids", "INT32", "[-1,-1]"), SCORES("40")),
            "UINT64"},
    };
    struct bbt_err err;

    (void)state;
    for (size_t i = 0; i < sizeof meta / sizeof meta[0]; i++) {
        struct prov_model m = fresh();
        enum bbt_rc rc;

        err = (struct bbt_err){0};
        rc = talk_take(&trtllm_adapter, &m, 2, 200, meta[i].body, &err);
        if (rc != (meta[i].why ? BBT_INVALID : BBT_OK) ||
            (meta[i].why && !strstr(err.msg, meta[i].why)))
            fail_msg("%s\ngives %s: \"%s\"", meta[i].body, bbt_rc_name(rc), err.msg);
    }
    {
        struct prov_model m = fresh();

        assert_int_equal(
            talk_take(&trtllm_adapter, &m, 2, 404, "{\"error\":\"unknown\"}", &err),
            BBT_INVALID);
        assert_int_equal(talk_take(&trtllm_adapter, &m, 2, 401, "", &err), BBT_DENIED);
        assert_int_equal(talk_take(&trtllm_adapter, &m, 2, 200, "[]", &err), BBT_CORRUPT);
        m.binary = PROV_BINARY_OFF;
        assert_int_equal(talk_take(&trtllm_adapter, &m, 2, 200, "{}", &err), BBT_INVALID);
        m = fresh();
        m.vocab = 0;
        assert_int_equal(talk_take(&trtllm_adapter, &m, 2, 200, "{}", &err), BBT_INVALID);
        assert_non_null(strstr(err.msg, "vocab_size"));
    }
}

/* The backend's template declares about sixty inputs, most of them for other uses. */
static void a_deployment_with_many_inputs(void **state)
{
    struct prov_model m = fresh();
    struct bbt_err err = {0};
    struct bbt_buf b;

    (void)state;
    buf_init(&b, 1u << 16);
    assert_int_equal(buf_put(&b, "{\"inputs\":[", 11), BBT_OK);
    for (int i = 0; i < 100; i++) {
        char *more = bbt_asprintf(T("more_%d", "BYTES", "[-1,1]") ",", i);

        assert_int_equal(buf_put(&b, more, strlen(more)), BBT_OK);
        bbt_free(more);
    }
    assert_int_equal(buf_put(&b, LEAST "],\"outputs\":[" SCORES("40") "]}",
                         sizeof LEAST "],\"outputs\":[" SCORES("40") "]}"), BBT_OK);
    if (talk_take(&trtllm_adapter, &m, 2, 200, (char *)b.data, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(answers),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(questions_that_cannot_be_put),
        cmocka_unit_test(p1_a_table_of_its_own_for_every_prompt),
        cmocka_unit_test(start_up),
        cmocka_unit_test(deployments_that_cannot_serve),
        cmocka_unit_test(a_deployment_with_many_inputs),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
