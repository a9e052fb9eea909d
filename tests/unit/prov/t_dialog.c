/* What the dialects of JSON and text share, piece by piece. */
#include "prov/dialog.h"
#include "prov/canary.h"
#include "talk.h"

static float prompt[WIRE_P * WIRE_H];

static void a_status_says_what_to_do(void **state)
{
    static const struct {
        int status;
        enum bbt_rc rc;
    } t[] = {{400, BBT_INVALID}, {401, BBT_DENIED}, {403, BBT_DENIED}, {404, BBT_INVALID},
        {408, BBT_AGAIN}, {422, BBT_INVALID}, {429, BBT_AGAIN}, {500, BBT_AGAIN},
        {501, BBT_INVALID}, {503, BBT_AGAIN}, {529, BBT_AGAIN}, {302, BBT_INVALID}};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        const char *body = "{\"detail\":\"because\"}";
        struct prov_reply r = {
            .status = t[i].status, .body = (const uint8_t *)body, .len = strlen(body)};
        struct bbt_err err = {0};

        assert_int_equal(dialog_refused(&r, "step", &err), t[i].rc);
        assert_non_null(strstr(err.msg, "because"));
    }
}

/* A bound where the server does not count, never less than what was sent. */
static void tokens_are_counted_or_bounded(void **state)
{
    static const struct {
        const char *json;
        uint64_t in, out;
    } t[] = {
        {"{\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,"
         "\"prompt_tokens_details\":null}}", 7, 2},
        {"{\"usage\":{\"prompt_tokens\":7}}", 7, 0},
        {"{\"usage\":null}", 14 + 2 * 3, 0},
        {"{\"usage\":{\"prompt_tokens\":-7,\"completion_tokens\":\"2\"}}", 14 + 2 * 3, 0},
        {"{}", 14 + 2 * 3, 0},
    };
    struct prov_ask ask = talk_ask(prompt, &wire_batch);

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        json_t *root = talk_json(t[i].json, strlen(t[i].json));
        struct prov_answer a = {0};

        dialog_usage(root, &ask, &a);
        assert_int_equal(a.tokens_in, t[i].in);
        assert_int_equal(a.tokens_out, t[i].out);
        json_decref(root);
    }
    ask = talk_ask(prompt, &talk_batch);
    ask.prompt = NULL;
    {
        struct prov_answer a = {0};

        dialog_usage(NULL, &ask, &a);
        assert_int_equal(a.tokens_in, strlen(talk_text[0]) + strlen(talk_text[1]));
    }
}

/* P9: what a list of the likeliest leaves out is not probability 0: it stands at the list's
 * least and is counted. */
static void p9_absent_labels_are_counted(void **state)
{
    static const float least[2] = {-5, -6};
    struct prov_ask ask = talk_ask(prompt, &talk_batch);
    struct prov_answer a = {0};
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(dialog_answer(&ask, &a, NULL), BBT_OK);
    for (size_t c = 0; c < 3; c++)
        dialog_put(&a, 0, c, -1.5);
    dialog_put(&a, 0, 0, -0.5); /* said twice: the first counts */
    dialog_put(&a, 1, 1, -2);
    assert_int_equal(dialog_finish(&a, NULL, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "label 0 for example 1"));
    assert_int_equal(dialog_finish(&a, least, &err), BBT_OK);
    assert_int_equal(a.censored, 2);
    assert_true(a.logit[0] == -1.5f && a.logit[3] == -6 && a.logit[4] == -2 && a.logit[5] == -6);
    prov_answer_fini(&a);
    assert_int_equal(dialog_answer(&ask, &a, NULL), BBT_OK);
    for (size_t c = 0; c < 3; c++)
        dialog_put(&a, 0, c, -1.5);
    assert_int_equal(dialog_finish(&a, least, &err), BBT_OK); /* row 1 has none at all */
    assert_int_equal(a.censored, 3);
    assert_true(a.logit[3] == -6 && a.logit[4] == -6 && a.logit[5] == -6);
    prov_answer_fini(&a);
    assert_int_equal(dialog_answer(&ask, &a, NULL), BBT_OK);
    dialog_put(&a, 0, 0, -9999); /* told, and nothing but the floor */
    assert_int_equal(dialog_finish(&a, least, &err), BBT_CORRUPT);
    prov_answer_fini(&a);
}

/* The trial prompts differ in the order of their rows, and A is asked twice. */
static void trial_prompts(void **state)
{
    const struct prov_adapter *a = prov_adapter_find("vllm");
    struct prov_model m = talk_model();
    struct prov_http h[3];

    (void)state;
    memset(h, 0, sizeof h);
    m.probed = false;
    for (unsigned s = 0; s < 3; s++)
        assert_int_equal(canary_next(a, &m, s, &h[s], NULL), BBT_OK);
    assert_int_equal(h[0].own.len, h[2].own.len);
    assert_memory_equal(h[0].own.data, h[2].own.data, h[0].own.len);
    assert_int_equal(h[0].own.len, h[1].own.len);
    assert_memory_not_equal(h[0].own.data, h[1].own.data, h[0].own.len);
    assert_int_equal(canary_next(a, &m, 3, &h[0], NULL), BBT_OK); /* the plain text */
    assert_int_equal(canary_next(a, &m, 4, &h[0], NULL), BBT_NOTFOUND);
    m.hidden = 0;
    assert_int_equal(canary_next(a, &m, 0, &h[0], NULL), BBT_NOTFOUND);
    for (unsigned s = 0; s < 3; s++)
        prov_http_fini(&h[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_says_what_to_do),
        cmocka_unit_test(tokens_are_counted_or_bounded),
        cmocka_unit_test(p9_absent_labels_are_counted),
        cmocka_unit_test(trial_prompts),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
