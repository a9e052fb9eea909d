/* The trial of rows against ids: its requests are the golden ones, its verdict the distance. */
#include "prov/adapters.h"
#include "prov/plain.h"
#include "talk.h"

static const struct prov_adapter *const both[2] = {
    &vllm_embeds_adapter, &sglang_generate_adapter};

static void requests(void **state)
{
    static const char *const golden[2] = {"vllm-embeds-plain-req", "sglang-generate-plain-req"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_model m = talk_model();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct prov_ask ask = talk_ask(prompt, &talk_batch);
        struct prov_http h = {0};

        ask.prompt = NULL;
        assert_int_equal(both[i]->plain_encode(&m, &ask, &h, NULL), BBT_OK);
        if (h.slices != 1 || !h.own.data)
            assert_int_equal(prov_http_join(&h, NULL), BBT_OK);
        talk_expect_http(&h, golden[i]);
        prov_http_fini(&h);
        ask.labels = 0;
        assert_int_equal(both[i]->plain_encode(&m, &ask, &h, NULL), BBT_INVALID);
        assert_null(h.own.data);
    }
}

static void due_where_rows_are_sent(void **state)
{
    struct prov_model m = talk_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    assert_true(plain_due(both[0], &m) && plain_due(both[1], &m));
    assert_false(plain_due(&vllm_adapter, &m) || plain_due(&sglang_score_adapter, &m));
    assert_int_equal(plain_next(&vllm_adapter, &m, 0, &h, NULL), BBT_NOTFOUND);
    assert_int_equal(plain_next(both[0], &m, 2, &h, NULL), BBT_NOTFOUND);
    m.probed = false;
    for (unsigned step = 0; step < 2; step++) {
        assert_int_equal(plain_next(both[0], &m, step, &h, NULL), BBT_OK);
        assert_string_equal(h.path, "/v1/completions");
        prov_http_fini(&h);
    }
    assert_int_equal(talk_take(&vllm_adapter, &m, 9, 200, "", &err), BBT_INVALID);
    m.token_row = NULL;
    assert_int_equal(plain_next(both[0], &m, 0, &h, NULL), BBT_NOTFOUND);
}

/* An answer of SGLang about labels 0 to 7, the last with that log-probability. */
static enum bbt_rc take(struct prov_model *m, unsigned step, const char *last, struct bbt_err *err)
{
    char body[512];
    struct prov_reply r = {.status = 200, .body = (const uint8_t *)body};

    (void)snprintf(body, sizeof body,
        "[{\"meta_info\":{\"output_token_ids_logprobs\":[[[-1,0,null],[-2,1,null],[-3,2,null],"
        "[-4,3,null],[-5,4,null],[-6,5,null],[-7,6,null],[%s,7,null]]]}}]", last);
    r.len = strlen(body);
    return plain_take(both[1], m, step, &r, err);
}

static void p6_rows_and_ids_agree(void **state)
{
    static const struct {
        const char *rows, *ids;
        enum bbt_rc rc;
    } t[] = {{"-8", "-8", BBT_OK}, {"-8", "-8.25", BBT_OK}, {"-8", "-7.75", BBT_OK},
        {"-8", "-9", BBT_INVALID}, {"-8", "-7", BBT_INVALID}, {"-9999", "-8", BBT_INVALID}};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_model m = talk_model();
        struct bbt_err err = {0};

        assert_int_equal(take(&m, 0, t[i].rows, &err), BBT_OK);
        assert_false(m.probed);
        assert_int_equal(take(&m, 1, t[i].ids, &err), t[i].rc);
        assert_int_equal(m.probed, t[i].rc == BBT_OK);
        assert_true(t[i].rc == BBT_OK || strstr(err.msg, "scales them"));
    }
}

static void what_is_no_answer(void **state)
{
    struct prov_model m = talk_model();
    struct prov_reply r = {.status = 400, .body = (const uint8_t *)"", .len = 0};
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(take(&m, 0, "null", &err), BBT_CORRUPT);
    assert_int_equal(take(&m, 2, "-8", &err), BBT_INVALID);
    assert_int_equal(plain_take(both[1], &m, 1, &r, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "400"));
    assert_false(m.probed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(due_where_rows_are_sent),
        cmocka_unit_test(p6_rows_and_ids_agree),
        cmocka_unit_test(what_is_no_answer),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
