/* llama.cpp's server, by golden messages made from its README, and by everything that is no
 * answer. */
#include "prov/adapters.h"
#include "talk.h"

static float prompt[WIRE_P * WIRE_H];

static struct prov_ask plain(const struct prov_batch *batch)
{
    struct prov_ask ask = talk_ask(prompt, batch);

    ask.prompt = NULL;
    ask.label_text = NULL;
    return ask;
}

/* P10: the prompt cache, on by default, changes numbers; the golden request has it off. */
static void p10_requests_and_answers(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask one = plain(&talk_one);
    struct prov_http h = {0};

    (void)state;
    talk_expect_request(&llamacpp_adapter, &m, &one, "llamacpp-req");
    talk_expect_answer(&llamacpp_adapter, &one, "llamacpp-ans", 16, 1);
    talk_expect_nomem(&llamacpp_adapter, &one, "llamacpp-ans");
    assert_int_equal(llamacpp_adapter.tokens_encode(&m, " good", &h, NULL), BBT_OK);
    talk_expect_http(&h, "llamacpp-tokens-req");
    prov_http_fini(&h);
}

#define TOP(list) "{\"completion_probabilities\":[{\"top_logprobs\":[" list "]}]}"
#define T(id, lp) "{\"id\":" id ",\"logprob\":" lp "}"

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *body;
        enum bbt_rc rc;
        const char *why;
    } t[] = {
        {"", BBT_CORRUPT, "response"},
        {"{}", BBT_INVALID, "no log-prob"},
        {"{\"error\":{\"code\":500,\"message\":\"slot gone\"}}", BBT_CORRUPT, "slot gone"},
        {TOP(""), BBT_INVALID, "no log-prob"},
        {TOP(T("9", "null")), BBT_CORRUPT, "not a finite"},
        {TOP(T("9", "-Infinity")), BBT_CORRUPT, "response"},
        {"{\"truncated\":true,\"completion_probabilities\":[]}", BBT_INVALID, "context"},
    };
    struct prov_ask one = plain(&talk_one), all = plain(&talk_batch);

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        talk_expect_bad(&llamacpp_adapter, &one, t[i].body, t[i].rc, t[i].why);
    talk_expect_bad(&llamacpp_adapter, &all, TOP(T("9", "-1")), BBT_CORRUPT, "several");
}

/* P9, and the list's other name. */
static void p9_labels_outside_the_list(void **state)
{
    static const double want[3] = {-1, -6, -6}, alike[3] = {-4, -4, -4};
    struct prov_ask one = plain(&talk_one);

    (void)state;
    talk_expect_good(&llamacpp_adapter, &one,
        "{\"probs\":[{\"top_logprobs\":[" T("9", "-1") "," T("77", "-6") "]}]}", want);
    /* none of them; an id is a number; the token that is a zero byte */
    talk_expect_good(&llamacpp_adapter, &one,
        "{\"probs\":[{\"top_logprobs\":[" T("90", "-1") "," T("\"9\"", "-2")
        ",{\"id\":4,\"token\":\"\\u0000\",\"logprob\":-4}]}]}", alike);
}

/* The list names the byte 0 as well, in a vocabulary of bytes; a backslash is no such name. */
static void a_token_nul_is_no_fault(void **state)
{
    struct prov_ask one = plain(&talk_one);
    const double want[] = {-1, -2, -3};

    (void)state;
    talk_expect_good(&llamacpp_adapter, &one,
        "{\"content\":\"\\u0000\",\"completion_probabilities\":[{\"top_logprobs\":["
        "{\"id\":4,\"token\":\"\\u0000\",\"logprob\":-0.5}," T("9", "-1") "," T("30", "-2") ","
        "{\"id\":1,\"token\":\"\\\\u0000\",\"logprob\":-3}]}]}",
        want);
    talk_expect_bad(&llamacpp_adapter, &one, "{\"content\":\"\\u0000\\u000", BBT_CORRUPT,
        "response");
}

static void questions_that_cannot_be_put(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask all = plain(&talk_batch), soft = talk_ask(prompt, &talk_one);

    (void)state;
    talk_expect_refused(&llamacpp_adapter, &m, &soft, "takes text only");
    talk_expect_refused(&llamacpp_adapter, &m, &all, "one per request");
    m.probed = false;
    talk_expect_refused(&llamacpp_adapter, &m, &all, "not been probed");
}

static void start_up(void **state)
{
    struct prov_model m = talk_model();
    struct prov_http h = {0};
    json_t *bad = json_pack("{s:b}", "cache_prompt", 1);
    struct bbt_err err = {0};

    (void)state;
    m.probed = false;
    assert_int_equal(llamacpp_adapter.probe_next(&m, 0, &h, NULL), BBT_OK);
    assert_int_equal(llamacpp_adapter.probe_next(&m, 1, &h, NULL), BBT_OK);
    assert_int_equal(llamacpp_adapter.probe_next(&m, 3, &h, NULL), BBT_OK);
    assert_string_equal(h.path, "/completion");
    assert_int_equal(llamacpp_adapter.probe_next(&m, 4, &h, NULL), BBT_NOTFOUND);
    assert_int_equal(talk_take(&llamacpp_adapter, &m, 0, 503,
                         "{\"error\":{\"code\":503,\"message\":\"Loading model\"}}", &err),
        BBT_AGAIN);
    assert_non_null(strstr(err.msg, "Loading model"));
    assert_int_equal(talk_take(&llamacpp_adapter, &m, 0, 200, "{\"status\":\"ok\"}", NULL),
        BBT_OK);
    assert_int_equal(talk_take(&llamacpp_adapter, &m, 1, 404, "", NULL), BBT_INVALID);
    assert_false(m.probed);
    assert_int_equal(
        talk_take(&llamacpp_adapter, &m, 1, 200, "{\"tokens\":[64]}", NULL), BBT_OK);
    assert_true(!m.probed && m.has_tokens && m.batch_max == 1);
    assert_int_equal(talk_take(&llamacpp_adapter, &m, 2, 200, TOP(T("0", "-1")), NULL), BBT_OK);
    assert_int_equal(talk_take(&llamacpp_adapter, &m, 3, 200, TOP(T("0", "-1")), NULL), BBT_OK);
    assert_true(m.probed);
    assert_int_equal(prov_model_params(&m, bad, NULL), BBT_OK);
    assert_int_equal(talk_take(&llamacpp_adapter, &m, 0, 200, "", &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "cache_prompt"));
    json_decref(bad);
    prov_http_fini(&h);
    prov_model_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p10_requests_and_answers),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(p9_labels_outside_the_list),
        cmocka_unit_test(a_token_nul_is_no_fault),
        cmocka_unit_test(questions_that_cannot_be_put),
        cmocka_unit_test(start_up),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
