/* Requests of the kserve2 dialect against messages written from the protocol's documents. */
#include "prov/kserve2.h"
#include "wire.h"

static const struct prov_adapter *kserve2(void)
{
    return prov_adapter_find("kserve2");
}

/* Start line, headers and body of a request are those of the golden file. */
static void expect_request(const char *golden, const struct prov_http *h)
{
    struct wire w;
    char *start = bbt_asprintf("%s %s HTTP/1.1", h->method, h->path);

    wire_load(&w, golden);
    assert_string_equal(w.start, start);
    assert_int_equal(w.headers, h->headers);
    for (size_t i = 0; i < h->headers; i++)
        assert_string_equal(wire_header(&w, h->header[i].name), h->header[i].value);
    if (w.len != h->own.len || memcmp(w.body, h->own.data, w.len))
        fail_msg("%s: the body differs: %.*s", golden, (int)h->own.len, h->own.data);
    wire_fini(&w);
    bbt_free(start);
}

static void expect_encoded(
    const char *golden, const struct prov_model *m, const struct prov_ask *ask)
{
    struct prov_http h = {0};
    struct bbt_err err = {0};

    if (prov_encode(kserve2(), m, ask, &h, &err) != BBT_OK)
        fail_msg("%s: %s", golden, err.msg);
    expect_request(golden, &h);
    prov_http_fini(&h);
}

static void expect_refused(
    const struct prov_model *m, const struct prov_ask *ask, const char *why)
{
    struct prov_http h = {0};
    struct bbt_err err = {0};

    assert_int_equal(prov_encode(kserve2(), m, ask, &h, &err), BBT_INVALID);
    if (!strstr(err.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
    assert_null(h.own.data);
}

static void binary_with_a_prompt_per_row(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    ask.id = "r7g12c3";
    expect_encoded("req-row", &m, &ask);
    m.use_binary = false;
    expect_encoded("req-json", &m, &ask);
}

static void flat_prompt_label_ids_and_parameters(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    m.own_params = true;
    m.type_ids = m.type_mask = m.type_mask_pos = m.type_label_ids = PROV_INT32;
    m.rank_mask_pos = m.rank_label_ids = 1;
    m.prompt_wire = PROV_PROMPT_FLAT;
    expect_encoded("req-flat", &m, &ask);
}

static void shared_half_precision_prompt_and_odd_names(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();
    json_t *more = json_pack("{s:s, s:i}", "note", "a\"b", "top", 1);

    (void)state;
    memcpy(m.name, "a model/\xc3\xa9", 11);
    memcpy(m.version, "3", 2);
    m.own_params = true;
    assert_int_equal(prov_model_params(&m, more, NULL), BBT_OK);
    m.type_prompt = PROV_FP16;
    m.prompt_wire = PROV_PROMPT_SHARED;
    m.type_mask_pos = PROV_TYPE_NONE;
    ask.compose = PROV_PREPEND;
    ask.prompt_at = PROV_AT_EMBEDDING;
    expect_encoded("req-shared", &m, &ask);
    json_decref(more);
    prov_model_fini(&m);
}

static void no_prompt_sends_none(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    ask.prompt = NULL;
    m.own_params = true; /* they speak of the prompt, so they stay away as well */
    expect_encoded("req-manual", &m, &ask);
}

static void rows_of_the_embedding(void **state)
{
    struct prov_model m = wire_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(kserve2()->embed_encode(&m, wire_label, 3, &h, &err), BBT_NOTFOUND);
    m.has_embedding = true;
    m.type_embed_ids = PROV_INT64;
    m.rank_embed_ids = 1;
    assert_int_equal(kserve2()->embed_encode(&m, wire_label, 3, &h, &err), BBT_OK);
    expect_request("req-embed", &h);
    assert_int_equal(kserve2()->embed_encode(&m, wire_label, 0, &h, &err), BBT_INVALID);
    prov_http_fini(&h);
}

/* The document's example at its real size: B=2, L=64, P=50, H=1024. */
static void the_documents_example(void **state)
{
    static const char head[] =
        "{\"id\":\"r7g12c3\",\"inputs\":["
        "{\"name\":\"input_ids\",\"shape\":[2,64],\"datatype\":\"INT64\","
        "\"parameters\":{\"binary_data_size\":1024}},"
        "{\"name\":\"attention_mask\",\"shape\":[2,64],\"datatype\":\"INT64\","
        "\"parameters\":{\"binary_data_size\":1024}},"
        "{\"name\":\"prompt_embedding\",\"shape\":[2,50,1024],\"datatype\":\"FP32\","
        "\"parameters\":{\"binary_data_size\":409600}},"
        "{\"name\":\"mask_pos\",\"shape\":[2,1],\"datatype\":\"INT64\","
        "\"parameters\":{\"binary_data_size\":16}}],"
        "\"outputs\":[{\"name\":\"logits\",\"parameters\":{\"binary_data\":true}}]}";
    static int32_t ids[2 * 64];
    static float prompt[50 * 1024];
    static const int32_t len[2] = {64, 60}, at[2] = {55, 51}, label[2] = {3, 4};
    struct prov_batch batch = {.rows = 2, .cols = 64, .ids = ids, .len = len, .mask_pos = at};
    struct prov_ask ask = {.batch = &batch, .prompt = prompt, .prompt_rows = 50,
        .hidden = 1024, .label_ids = label, .labels = 2, .id = "r7g12c3"};
    struct prov_model m = wire_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    m.hidden = 1024;
    assert_int_equal(prov_encode(kserve2(), &m, &ask, &h, &err), BBT_OK);
    assert_int_equal(h.own.len, sizeof head - 1 + 1024 + 1024 + 409600 + 16);
    assert_memory_equal(h.own.data, head, sizeof head - 1);
    assert_string_equal(h.header[1].name, "Inference-Header-Content-Length");
    assert_int_equal(strtol(h.header[1].value, NULL, 10), sizeof head - 1);
    prov_http_fini(&h);
}

/* A server with a fixed batch of 4 x 10: the example is filled up, not refused. */
static void fixed_sizes_are_filled_up(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};
    int32_t ids[40];
    size_t head;

    (void)state;
    m.rows_fixed = m.batch_max = 4;
    m.cols_fixed = 10;
    m.type_ids = m.type_mask = PROV_INT32;
    m.type_mask_pos = PROV_TYPE_NONE;
    ask.prompt = NULL;
    assert_int_equal(prov_encode(kserve2(), &m, &ask, &h, &err), BBT_OK);
    head = (size_t)strtol(h.header[1].value, NULL, 10);
    assert_int_equal(h.own.len, head + 2 * 4 * 10 * 4);
    assert_non_null(strstr((char *)h.own.data, "\"shape\":[4,10]"));
    memcpy(ids, h.own.data + head, sizeof ids);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[7], 3);
    assert_int_equal(ids[8], 0); /* pad */
    assert_int_equal(ids[15], 3);
    assert_int_equal(ids[16], 0); /* what lay beyond the row's length is not sent */
    assert_memory_equal(ids + 20, ids + 10, 40); /* repeats the last example */
    assert_memory_equal(ids + 30, ids + 10, 40);
    prov_http_fini(&h);
}

static void a_deployment_that_insists_on_a_prompt_gets_zeros(void **state)
{
    static const uint8_t zeros[WIRE_B * WIRE_P * WIRE_H * 4];
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    ask.prompt = NULL;
    m.need_prompt = true;
    m.type_mask_pos = PROV_TYPE_NONE;
    assert_int_equal(prov_encode(kserve2(), &m, &ask, &h, &err), BBT_OK);
    assert_non_null(strstr((char *)h.own.data, "\"shape\":[2,3,4]"));
    assert_memory_equal(h.own.data + h.own.len - sizeof zeros, zeros, sizeof zeros);
    prov_http_fini(&h);
    ask.compose = PROV_PREPEND; /* zeros in front are not nothing */
    expect_refused(&m, &ask, "without a prompt");
}

/* JSON brings every float back to the bit, the awkward ones too. */
static void json_floats_round_trip(void **state)
{
    static const float odd[WIRE_P * WIRE_H] = {0.1f, -0.0f, 1e-45f, 3.4028235e38f,
        -1.17549435e-38f, 16777217.0f, 0.333333343f, -2.5e-10f, 123456792.0f, 1, 7e7f, 5e-5f};
    struct prov_ask ask = {.batch = &wire_batch, .prompt = odd, .prompt_rows = WIRE_P,
        .hidden = WIRE_H, .label_ids = wire_label, .labels = WIRE_C};
    struct prov_model m = wire_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};
    char *p;

    (void)state;
    m.use_binary = false;
    m.prompt_wire = PROV_PROMPT_FLAT;
    assert_int_equal(prov_encode(kserve2(), &m, &ask, &h, &err), BBT_OK);
    p = strstr((char *)h.own.data, "\"prompt_embedding\"");
    assert_non_null(p);
    p = strstr(p, "\"data\":[");
    assert_non_null(p);
    p += 8;
    for (int i = 0; i < WIRE_P * WIRE_H; i++) {
        float v = strtof(p, &p);

        assert_memory_equal(&v, &odd[i], sizeof v);
        p++;
    }
    prov_http_fini(&h);
}

static void questions_that_cannot_be_put(void **state)
{
    static const int32_t no_len[WIRE_B] = {8, 0}, bad_len[WIRE_B] = {9, 6};
    static const int32_t bad_at[WIRE_B] = {5, 6}, bad_label[WIRE_C] = {9, -1, 1};
    float prompt[WIRE_P * WIRE_H];
    const struct prov_ask good = wire_ask(prompt);
    struct prov_ask ask = good;
    struct prov_batch batch = wire_batch;
    struct prov_model m = wire_model();

    (void)state;
    m.batch_max = 1;
    expect_refused(&m, &ask, "takes at most 1");
    m.batch_max = 0;
    m.prompt_rows_fixed = 50;
    expect_refused(&m, &ask, "takes exactly 50");
    m.prompt_rows_fixed = 0;
    ask.hidden = 5;
    expect_refused(&m, &ask, "numbers per row");
    ask = good;
    prompt[3] = __builtin_nanf("");
    expect_refused(&m, &ask, "not finite");
    prompt[3] = __builtin_inff();
    expect_refused(&m, &ask, "not finite");
    prompt[3] = 0;
    m.type_prompt = PROV_TYPE_NONE;
    expect_refused(&m, &ask, "no input for a soft prompt");
    m.type_prompt = PROV_FP32;
    m.cols_fixed = 7;
    expect_refused(&m, &ask, "takes exactly 7");
    m.cols_fixed = 0;
    ask.label_ids = bad_label;
    expect_refused(&m, &ask, "label 1");
    ask = good;
    ask.batch = &batch;
    batch.len = no_len;
    expect_refused(&m, &ask, "example 1");
    batch.len = bad_len;
    expect_refused(&m, &ask, "example 0");
    batch = wire_batch;
    batch.mask_pos = bad_at;
    expect_refused(&m, &ask, "mask outside");
    batch.mask_pos = NULL;
    expect_refused(&m, &ask, "position of the mask");
    batch = wire_batch;
    batch.rows = 0;
    expect_refused(&m, &ask, "empty");
    batch = wire_batch;
    m.body_max = 300;
    expect_refused(&m, &ask, "over the limit");
    m.body_max = 1 << 20;
    m.probed = false;
    expect_refused(&m, &ask, "not been probed");
}

/* Sizes whose product does not fit must not become a small allocation. */
static void huge_shapes_are_refused(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    m.rows_fixed = SIZE_MAX / 4;
    expect_refused(&m, &ask, "too large");
    m.rows_fixed = 1u << 24;
    expect_refused(&m, &ask, "over the limit");
    m.rows_fixed = 0;
    m.hidden = 0;
    ask.hidden = SIZE_MAX / 2;
    expect_refused(&m, &ask, "empty");
}

static void every_failed_allocation_is_reported(void **state)
{
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();
    struct prov_http h = {0};
    enum bbt_rc rc = BBT_NOMEM;
    long n = 0;

    (void)state;
    ask.id = "r7g12c3";
    for (; rc != BBT_OK; n++) {
        struct bbt_err err = {0};

        bbt_alloc_fault(n, 0);
        rc = prov_encode(kserve2(), &m, &ask, &h, &err);
        bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || rc == BBT_NOMEM);
        assert_true(rc == BBT_OK || (!h.own.data && err.msg[0]));
        assert_true(n < 100);
    }
    assert_true(n > 1);
    prov_http_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_with_a_prompt_per_row),
        cmocka_unit_test(flat_prompt_label_ids_and_parameters),
        cmocka_unit_test(shared_half_precision_prompt_and_odd_names),
        cmocka_unit_test(no_prompt_sends_none),
        cmocka_unit_test(rows_of_the_embedding),
        cmocka_unit_test(the_documents_example),
        cmocka_unit_test(fixed_sizes_are_filled_up),
        cmocka_unit_test(a_deployment_that_insists_on_a_prompt_gets_zeros),
        cmocka_unit_test(json_floats_round_trip),
        cmocka_unit_test(questions_that_cannot_be_put),
        cmocka_unit_test(huge_shapes_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
