/* Start-up of the kserve2 dialect: what each kind of server teaches, what cannot serve. */
#include "base/json.h"
#include "prov/kserve2.h"
#include "wire.h"

enum { SERVER, HEALTH, MODEL, READY, EMBEDDING, STEPS };

static struct prov_model fresh(void)
{
    struct prov_model m;

    prov_model_init(&m);
    memcpy(m.name, "m", 2);
    return m;
}

static enum bbt_rc take(struct prov_model *m, unsigned step, int status, const char *body,
    struct bbt_err *err)
{
    struct prov_reply r = {
        .status = status, .body = (const uint8_t *)body, .len = body ? strlen(body) : 0};

    return kserve2_adapter.probe_take(m, step, &r, err);
}

static enum bbt_rc take_golden(
    struct prov_model *m, unsigned step, const char *golden, struct bbt_err *err)
{
    struct wire w;
    struct prov_reply r;
    enum bbt_rc rc;

    wire_load(&w, golden);
    r = wire_reply(&w);
    rc = kserve2_adapter.probe_take(m, step, &r, err);
    wire_fini(&w);
    return rc;
}

/* All steps: the golden files for server and model, an embedding model or none. */
static void probe(
    struct prov_model *m, const char *server, const char *model, const char *embedding)
{
    struct bbt_err err = {0};

    if (take_golden(m, SERVER, server, &err) != BBT_OK ||
        take(m, HEALTH, 200, NULL, &err) != BBT_OK ||
        take_golden(m, MODEL, model, &err) != BBT_OK ||
        take(m, READY, 200, NULL, &err) != BBT_OK)
        fail_msg("%s: %s", model, err.msg);
    assert_false(m->probed);
    if (embedding)
        assert_int_equal(take_golden(m, EMBEDDING, embedding, &err), BBT_OK);
    else
        assert_int_equal(take(m, EMBEDDING, 404, "{\"error\":\"no\"}", &err), BBT_OK);
    assert_true(m->probed);
}

static void steps_and_their_paths(void **state)
{
    static const char *const path[STEPS] = {"/v2", "/v2/health/ready",
        "/v2/models/a%2Fb/versions/7", "/v2/models/a%2Fb/versions/7/ready",
        "/v2/models/a%2Fb-embedding"};
    struct prov_model m = fresh();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    memcpy(m.name, "a/b", 4);
    memcpy(m.version, "7", 2);
    for (unsigned i = 0; i < STEPS; i++) {
        assert_int_equal(kserve2_adapter.probe_next(&m, i, &h, &err), BBT_OK);
        assert_string_equal(h.method, "GET");
        assert_string_equal(h.path, path[i]);
        assert_int_equal(h.own.len, 0);
    }
    assert_int_equal(kserve2_adapter.probe_next(&m, STEPS, &h, &err), BBT_NOTFOUND);
    m.name[0] = '\0';
    assert_int_equal(kserve2_adapter.probe_next(&m, MODEL, &h, &err), BBT_INVALID);
    memset(m.name, '/', sizeof m.name - 1); /* three bytes each: fits */
    assert_int_equal(kserve2_adapter.probe_next(&m, READY, &h, &err), BBT_OK);
    prov_http_fini(&h);
}

static void triton(void **state)
{
    struct prov_model m = fresh();

    (void)state;
    probe(&m, "meta-triton-server", "meta-triton", NULL);
    assert_true(m.use_binary);
    assert_string_equal(m.server, "triton");
    assert_string_equal(m.server_version, "2.47.0");
    assert_string_equal(m.platform, "onnxruntime_onnx");
    assert_int_equal(m.type_ids, PROV_INT64);
    assert_int_equal(m.type_mask, PROV_INT64);
    assert_int_equal(m.type_prompt, PROV_FP32);
    assert_int_equal(m.prompt_wire, PROV_PROMPT_ROW);
    assert_int_equal(m.prompt_rows_fixed, 50);
    assert_int_equal(m.hidden, 1024);
    assert_int_equal(m.rank_mask_pos, 2);
    assert_int_equal(m.type_label_ids, PROV_TYPE_NONE);
    assert_int_equal(m.out, PROV_OUT_VOCAB);
    assert_int_equal(m.rows_fixed, 0);
    assert_false(m.has_embedding);
}

static void mlserver(void **state)
{
    struct prov_model m = fresh();

    (void)state;
    m.batch_max = 16;
    probe(&m, "meta-mlserver-server", "meta-mlserver", NULL);
    assert_false(m.use_binary);
    assert_int_equal(m.prompt_wire, PROV_PROMPT_SHARED);
    assert_int_equal(m.prompt_rows_fixed, 0);
    assert_string_equal(m.tensor.logits, "scores"); /* the only output */
    assert_int_equal(m.out, PROV_OUT_OPEN);
    assert_int_equal(m.batch_max, 16);
}

static void openvino_with_fixed_sizes(void **state)
{
    struct prov_model m = fresh();

    (void)state;
    m.batch_max = 16;
    m.binary = PROV_BINARY_ON;
    probe(&m, "meta-mlserver-server", "meta-ovms", NULL);
    assert_true(m.use_binary); /* configured, whatever the server says of itself */
    assert_int_equal(m.type_ids, PROV_INT32);
    assert_int_equal(m.rows_fixed, 4);
    assert_int_equal(m.cols_fixed, 128);
    assert_int_equal(m.batch_max, 4);
    assert_int_equal(m.prompt_wire, PROV_PROMPT_FLAT);
    assert_int_equal(m.type_mask_pos, PROV_TYPE_NONE);
    assert_int_equal(m.out, PROV_OUT_TOKEN);
}

static void bbt_lm(void **state)
{
    struct prov_model m = fresh();

    (void)state;
    m.binary = PROV_BINARY_OFF;
    probe(&m, "meta-triton-server", "meta-bbt-lm", "meta-embedding");
    assert_false(m.use_binary);
    assert_int_equal(m.type_label_ids, PROV_INT64);
    assert_int_equal(m.rank_label_ids, 1);
    assert_int_equal(m.out, PROV_OUT_LABEL);
    assert_true(m.has_embedding);
    assert_int_equal(m.rank_embed_ids, 1);
}

static void another_model_of_that_name_is_no_embedding(void **state)
{
    struct prov_model m = fresh();
    struct bbt_err err = {0};

    (void)state;
    probe(&m, "meta-triton-server", "meta-bbt-lm", "meta-bbt-lm");
    assert_false(m.has_embedding);
    assert_int_equal(take(&m, EMBEDDING, 503, "", &err), BBT_AGAIN);
    assert_false(m.probed);
}

static void statuses(void **state)
{
    static const struct {
        unsigned step;
        int status;
        enum bbt_rc rc;
    } t[] = {
        {SERVER, 404, BBT_OK}, /* no such call: then no extension either */
        {SERVER, 401, BBT_DENIED}, {SERVER, 500, BBT_AGAIN}, {SERVER, 429, BBT_AGAIN},
        {HEALTH, 200, BBT_OK}, {HEALTH, 400, BBT_AGAIN}, {HEALTH, 503, BBT_AGAIN},
        {HEALTH, 403, BBT_DENIED}, {HEALTH, 404, BBT_OK},
        {MODEL, 404, BBT_INVALID}, {MODEL, 400, BBT_INVALID}, {MODEL, 401, BBT_DENIED},
        {MODEL, 503, BBT_AGAIN}, {MODEL, 501, BBT_INVALID}, {MODEL, 302, BBT_INVALID},
        {READY, 200, BBT_OK}, {READY, 400, BBT_AGAIN}, {READY, 502, BBT_AGAIN},
        {EMBEDDING, 400, BBT_OK}, {EMBEDDING, 403, BBT_DENIED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_model m = fresh();
        struct bbt_err err = {0};

        if (take(&m, t[i].step, t[i].status, "{\"error\":\"its words\"}", &err) != t[i].rc)
            fail_msg("step %u status %d: %s", t[i].step, t[i].status, err.msg);
        if (t[i].rc == BBT_INVALID || t[i].rc == BBT_DENIED)
            assert_non_null(strstr(err.msg, "its words"));
    }
}

#define IN1 "{\"name\":\"input_ids\",\"datatype\":\"INT64\",\"shape\":[-1,-1]}"
#define OUT1 "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[-1,-1]}"
#define META(in, out) "{\"inputs\":[" in "],\"outputs\":[" out "]}"
#define T(n, k, s) "{\"name\":\"" n "\",\"datatype\":\"" k "\",\"shape\":" s "}"

static void deployments_that_cannot_serve(void **state)
{
    static const struct {
        const char *body;
        enum bbt_rc rc;
        const char *why;
    } t[] = {
        {"<html>", BBT_CORRUPT, "model metadata"},
        {"[]", BBT_CORRUPT, "not a JSON object"},
        {"{}", BBT_CORRUPT, "\"inputs\""},
        {"{\"inputs\":[]}", BBT_CORRUPT, "\"outputs\""},
        {META("", OUT1), BBT_INVALID, "set tensors.input_ids"},
        {META("7", OUT1), BBT_CORRUPT, "no usable name"},
        {META(T("input_ids", "INT64", "7"), OUT1), BBT_CORRUPT, "no shape"},
        {META(T("input_ids", "INT64", "[-2,4]"), OUT1), BBT_CORRUPT, "no size"},
        {META(T("input_ids", "INT64", "[9999999999,4]"), OUT1), BBT_CORRUPT, "no size"},
        {META(T("input_ids", "BYTES", "[-1,1]"), OUT1), BBT_INVALID, "BYTES [-1,1]"},
        {META(T("input_ids", "INT64", "[-1]"), OUT1), BBT_INVALID, "token ids as"},
        {META(IN1 "," T("attention_mask", "BYTES", "[-1,-1]"), OUT1), BBT_INVALID, "mask"},
        {META(IN1 "," T("prompt_embedding", "INT64", "[-1,50,8]"), OUT1), BBT_INVALID,
            "as reals"},
        {META(IN1 "," T("prompt_embedding", "FP32", "[8]"), OUT1), BBT_INVALID, "as reals"},
        {META(IN1 "," T("prompt_embedding", "FP16", "[-1,50,8]"), OUT1), BBT_INVALID,
            "cannot travel as JSON"},
        {META(T("input_ids", "INT64", "[4,-1]") "," T("prompt_embedding", "FP32", "[8,50,8]"),
             OUT1), BBT_INVALID, "another batch size"},
        {META(IN1 "," T("mask_pos", "INT64", "[-1,2]"), OUT1), BBT_INVALID, "mask positions"},
        {META(IN1 "," T("label_ids", "FP32", "[-1]"), OUT1), BBT_INVALID, "label ids"},
        {META(IN1, ""), BBT_INVALID, "declares 0 outputs"},
        {META(IN1, T("a", "FP32", "[-1,4]") "," T("b", "FP32", "[-1,4]")), BBT_INVALID,
            "declares 2 outputs"},
        {META(IN1, T("logits", "INT64", "[-1,4]")), BBT_INVALID, "logits as reals"},
        {META(IN1, T("logits", "FP32", "[-1]")), BBT_INVALID, "logits as reals"},
        {META(IN1 "," T("prompt_embedding", "FP32", "[50,8]"), T("logits", "FP32", "[-1,8]")),
            BBT_INVALID, "hidden states"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_model m = fresh();
        struct bbt_err err = {0};

        if (take(&m, MODEL, 200, t[i].body, &err) != t[i].rc || !strstr(err.msg, t[i].why))
            fail_msg("%s: \"%s\" and not \"%s\"", t[i].body, err.msg, t[i].why);
        assert_int_equal(err.rc, t[i].rc);
    }
}

/* The authors' own export calls hidden states "logits". */
static void hidden_states_are_refused(void **state)
{
    struct prov_model m = fresh();
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(take_golden(&m, MODEL, "meta-hidden", &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "hidden states"));
}

static void configuration_against_metadata(void **state)
{
    struct prov_model m = fresh();
    struct bbt_err err = {0};

    (void)state;
    memcpy(m.tensor.logits, "logit", 6);
    assert_int_equal(take_golden(&m, MODEL, "meta-bbt-lm", &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "did you mean \"logits\""));
    m = fresh();
    m.hidden = 5;
    assert_int_equal(take_golden(&m, MODEL, "meta-bbt-lm", &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "5 numbers per row, the model takes 4"));
    m = fresh();
    m.prompt_kind = PROV_PROMPT_ROW;
    assert_int_equal(take_golden(&m, MODEL, "meta-bbt-lm", &err), BBT_OK);
    assert_int_equal(m.prompt_wire, PROV_PROMPT_ROW);
    m = fresh();
    m.prompt_kind = PROV_PROMPT_FLAT;
    assert_int_equal(take_golden(&m, MODEL, "meta-bbt-lm", &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "another rank"));
}

static void failed_allocations_are_reported(void **state)
{
    enum bbt_rc rc = BBT_NOMEM;
    long n = 0;

    (void)state;
    for (; rc != BBT_OK; n++) {
        struct prov_model m = fresh();
        struct wire w;
        struct prov_reply r;

        wire_load(&w, "meta-bbt-lm");
        r = wire_reply(&w);
        bbt_alloc_fault(n, 0);
        rc = kserve2_adapter.probe_take(&m, MODEL, &r, NULL);
        bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || rc == BBT_NOMEM);
        wire_fini(&w);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_and_their_paths),
        cmocka_unit_test(triton),
        cmocka_unit_test(mlserver),
        cmocka_unit_test(openvino_with_fixed_sizes),
        cmocka_unit_test(bbt_lm),
        cmocka_unit_test(another_model_of_that_name_is_no_embedding),
        cmocka_unit_test(statuses),
        cmocka_unit_test(deployments_that_cannot_serve),
        cmocka_unit_test(hidden_states_are_refused),
        cmocka_unit_test(configuration_against_metadata),
        cmocka_unit_test(failed_allocations_are_reported),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
