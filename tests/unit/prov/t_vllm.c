/* vLLM, by golden messages made from its documentation, and by everything that is no answer. */
#include "prov/adapters.h"
#include "prov/startup.h"
#include "prov/vllm.h"
#include "talk.h"

static float prompt[WIRE_P * WIRE_H];

static void requests(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask one = talk_ask(prompt, &talk_one), all = talk_ask(prompt, &talk_batch);

    (void)state;
    talk_expect_request(&vllm_adapter, &m, &one, "vllm-chat-req");
    one.prompt = NULL;
    talk_expect_request(&vllm_adapter, &m, &one, "vllm-chat-manual-req");
    all.compose = PROV_ADD;
    talk_expect_request(&vllm_embeds_adapter, &m, &all, "vllm-embeds-add-req");
}

/* P7: nobody adds a first token to embeddings: its row is sent, before the soft ones. */
static void p7_first_token_then_prompt_then_text(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask all = talk_ask(prompt, &talk_batch);

    (void)state;
    talk_expect_request(&vllm_embeds_adapter, &m, &all, "vllm-embeds-req");
}

static void answers(void **state)
{
    struct prov_ask one = talk_ask(prompt, &talk_one), all = talk_ask(prompt, &talk_batch);

    (void)state;
    talk_expect_answer(&vllm_adapter, &one, "vllm-chat-ans", 21, 1);
    talk_expect_answer(&vllm_embeds_adapter, &all, "vllm-embeds-ans", 20, 2);
    talk_expect_nomem(&vllm_adapter, &one, "vllm-chat-ans");
    talk_expect_nomem(&vllm_embeds_adapter, &all, "vllm-embeds-ans");
}

#define CHAT(top) \
    "{\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[{\"top_logprobs\":[" top "]}]}}]}"
#define TOP(id, lp) "{\"token\":\"token_id:" id "\",\"logprob\":" lp "}"
#define CHOICE(index, top) \
    "{\"index\":" index ",\"logprobs\":{\"top_logprobs\":[{" top "}]}}"
#define ROWS(choices) "{\"choices\":[" choices "]}"
#define FULL "\"token_id:9\":-1,\"token_id:30\":-2,\"token_id:1\":-3"

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *body;
        enum bbt_rc rc;
        const char *why;
    } chat[] = {
        {"", BBT_CORRUPT, "response"},
        {"<html>502</html>", BBT_CORRUPT, "response"},
        {"7", BBT_CORRUPT, "neither"},
        {"{}", BBT_CORRUPT, "0 choices for 1"},
        {"{\"error\":{\"message\":\"engine dead\"}}", BBT_CORRUPT, "engine dead"},
        {"{\"object\":\"error\",\"message\":\"queue full\"}", BBT_CORRUPT, "queue full"},
        {"{\"choices\":[]}", BBT_CORRUPT, "0 choices"},
        {"{\"choices\":[{\"index\":1}]}", BBT_CORRUPT, "numbered"},
        {"{\"choices\":[{\"index\":0,\"logprobs\":null}]}", BBT_INVALID, "no log-prob"},
        {CHAT(""), BBT_CORRUPT, "label 0"},
        {CHAT(TOP("9", "-1") "," TOP("30", "-2")), BBT_CORRUPT, "label 2"},
        {CHAT(TOP("9", "NaN")), BBT_CORRUPT, "response"},
        {CHAT(TOP("9", "1e999")), BBT_CORRUPT, "response"},
        {CHAT(TOP("9", "-1e300")), BBT_CORRUPT, "not a finite"},
        {CHAT(TOP("9", "null")), BBT_CORRUPT, "not a finite"},
        {CHAT(TOP("9", "\"-1\"")), BBT_CORRUPT, "not a finite"},
        {CHAT(TOP("90", "-1") "," TOP("30", "-1") "," TOP("1", "-1")), BBT_CORRUPT, "label 0"},
        {CHAT(TOP("9", "-9999") "," TOP("30", "-9999.0") "," TOP("1", "-9999")), BBT_CORRUPT,
            "probability 0"},
    }, rows[] = {
        {ROWS(CHOICE("0", FULL)), BBT_CORRUPT, "1 choices for 2"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("0", FULL)), BBT_CORRUPT, "numbered"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("2", FULL)), BBT_CORRUPT, "numbered"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("-1", FULL)), BBT_CORRUPT, "numbered"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("\"1\"", FULL)), BBT_CORRUPT, "numbered"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("1", FULL) "," CHOICE("2", FULL)), BBT_CORRUPT,
            "3 choices"},
        {ROWS(CHOICE("0", FULL) ",{\"index\":1,\"logprobs\":{\"top_logprobs\":[]}}"),
            BBT_INVALID, "no log-prob"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("1", "\"token_id:9\":-1")), BBT_CORRUPT,
            "label 1 for example 1"},
        {ROWS(CHOICE("0", FULL) "," CHOICE("1", "\"token_id:9\":null")), BBT_CORRUPT,
            "not a finite"},
    };
    struct prov_ask one = talk_ask(prompt, &talk_one), all = talk_ask(prompt, &talk_batch);

    (void)state;
    for (size_t i = 0; i < sizeof chat / sizeof chat[0]; i++)
        talk_expect_bad(&vllm_adapter, &one, chat[i].body, chat[i].rc, chat[i].why);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        talk_expect_bad(&vllm_embeds_adapter, &all, rows[i].body, rows[i].rc, rows[i].why);
}

/* The server writes -9999 for minus infinity: very unlikely, and no more is known. */
static void unlikely_labels_stand_at_the_floor(void **state)
{
    static const double want[3] = {-700, -2, -700};
    struct prov_ask one = talk_ask(prompt, &talk_one);

    (void)state;
    talk_expect_good(&vllm_adapter, &one,
        CHAT(TOP("9", "-9999.0") "," TOP("30", "-2") "," TOP("1", "-9999")), want);
}

static void questions_that_cannot_be_put(void **state)
{
    static const float longer[6 * WIRE_H];
    struct prov_model m = talk_model();
    struct prov_ask one = talk_ask(prompt, &talk_one), all = talk_ask(prompt, &talk_batch);
    struct prov_ask ask = all;

    (void)state;
    talk_expect_refused(&vllm_adapter, &m, &all, "one per request");
    ask.compose = PROV_ADD;
    ask.prompt = longer;
    ask.prompt_rows = 6; /* behind the first token of six */
    talk_expect_refused(&vllm_embeds_adapter, &m, &ask, "example 1 has 6 tokens");
    one.compose = PROV_ADD;
    talk_expect_refused(&vllm_adapter, &m, &one, "before the text only");
    one = talk_ask(prompt, &talk_one);
    one.prompt_at = PROV_AT_HIDDEN;
    talk_expect_refused(&vllm_adapter, &m, &one, "input embedding only");
    m.context_max = 11;
    talk_expect_refused(&vllm_embeds_adapter, &m, &all, "takes 10");
    m = talk_model();
    m.token_row = NULL;
    talk_expect_refused(&vllm_embeds_adapter, &m, &all, "embedding matrix");
    m = talk_model();
    m.probed = false;
    talk_expect_refused(&vllm_adapter, &m, &all, "not been probed");
    talk_expect_refused(&vllm_embeds_adapter, &m, &all, "not been probed");
    m.probed = true;
    m.body_max = 900;
    talk_expect_refused(&vllm_embeds_adapter, &m, &all, "over the limit");
    m.body_max = 1500;
    talk_expect_refused(&vllm_embeds_adapter, &m, &all, "over the limit of 1500");
}

/* P5: a wrong width or a number that is not finite may bring a server down. */
static void p5_width_and_numbers_are_checked_here(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask one = talk_ask(prompt, &talk_one);

    (void)state;
    m.hidden = 5;
    talk_expect_refused(&vllm_adapter, &m, &one, "takes 5");
    m.hidden = 0;
    talk_expect_refused(&vllm_adapter, &m, &one, "takes 0");
    m = talk_model();
    prompt[7] = NAN;
    talk_expect_refused(&vllm_adapter, &m, &one, "not finite");
    prompt[7] = 70000;
    m.embed_type = PROV_FP16;
    talk_expect_refused(&vllm_adapter, &m, &one, "FP16 cannot hold");
    (void)talk_ask(prompt, &talk_one);
}

static void p16_reserved_text_is_refused(void **state)
{
    static const char *const text[1] = {"say <prompt_embeds> twice"};
    struct prov_batch b = talk_one;
    struct prov_model m = talk_model();
    struct prov_ask one = talk_ask(prompt, &b);

    (void)state;
    b.text = text;
    talk_expect_refused(&vllm_adapter, &m, &one, "drop the example");
    b.text = NULL;
    talk_expect_refused(&vllm_adapter, &m, &one, "no text");
}

static char *body_of(const struct prov_adapter *a, const struct prov_ask *ask)
{
    struct prov_model m = talk_model();
    struct prov_http h = {0};
    char *body;

    assert_int_equal(prov_encode(a, &m, ask, &h, NULL), BBT_OK);
    body = (char *)buf_take(&h.own, NULL);
    prov_http_fini(&h);
    return body;
}

static json_t *member_of(const struct prov_adapter *a, const struct prov_ask *ask,
    const char *name)
{
    char *body = body_of(a, ask);
    json_t *root = talk_json(body, strlen(body)), *v;

    v = json_incref(json_object_get(root, name));
    json_decref(root);
    bbt_free(body);
    return v;
}

/* P1: what one candidate leaves in the server's cache cannot be another's; and the same
 * question is the same bytes, for our own cache. */
static void p1_a_salt_for_every_prompt(void **state)
{
    struct prov_ask one = talk_ask(prompt, &talk_one);
    json_t *a, *again, *b;

    (void)state;
    a = member_of(&vllm_adapter, &one, "cache_salt");
    one.id = "other-id";
    again = member_of(&vllm_adapter, &one, "cache_salt");
    prompt[11] += 0.5f;
    b = member_of(&vllm_adapter, &one, "cache_salt");
    assert_true(json_is_string(a) && json_equal(a, again) && !json_equal(a, b));
    json_decref(a);
    json_decref(again);
    json_decref(b);
}

/* P2: a penalty from the model's own configuration has killed engines together with rows. */
static void p2_penalties_are_switched_off_by_name(void **state)
{
    static const char *const name[] = {
        "repetition_penalty", "presence_penalty", "frequency_penalty"};
    static const struct prov_adapter *const a[] = {&vllm_adapter, &vllm_embeds_adapter};
    struct prov_ask one = talk_ask(prompt, &talk_one);

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        json_t *v = member_of(a[i / 3], &one, name[i % 3]);

        assert_true(json_is_number(v) && json_number_value(v) == (i % 3 ? 0 : 1));
        json_decref(v);
    }
}

/* ---- start-up ---- */

#define MODELS "{\"data\":[{\"id\":\"m\",\"max_model_len\":512}]}"
#define TRIAL(lp) CHAT("{\"token\":\"token_id:0\",\"logprob\":" lp "}," TOP("1", "-3"))

static void start_up(void **state)
{
    struct prov_model m = talk_model();
    struct prov_tokens t = {0};
    struct prov_http h = {0};
    struct prov_reply r;
    struct wire w;

    (void)state;
    m.probed = false;
    for (unsigned s = 0; s < 8; s++)
        assert_int_equal(vllm_adapter.probe_next(&m, s, &h, NULL), BBT_OK);
    assert_int_equal(vllm_adapter.probe_next(&m, 8, &h, NULL), BBT_NOTFOUND);
    assert_int_equal(vllm_adapter.probe_next(&m, 1, &h, NULL), BBT_OK);
    assert_string_equal(h.path, "/v1/models");
    assert_int_equal(vllm_adapter.tokens_encode(&m, " good", &h, NULL), BBT_OK);
    talk_expect_http(&h, "vllm-tokens-req");
    assert_int_equal(talk_take(&vllm_adapter, &m, 0, 200, "", NULL), BBT_OK);
    wire_load(&w, "vllm-models");
    r = wire_reply(&w);
    assert_int_equal(vllm_adapter.probe_take(&m, 1, &r, NULL), BBT_OK);
    assert_int_equal(m.context_max, 4096);
    assert_int_equal(m.batch_max, 1);
    assert_string_equal(m.server, "vllm");
    wire_fini(&w);
    wire_load(&w, "vllm-tokens");
    r = wire_reply(&w);
    assert_int_equal(vllm_adapter.probe_take(&m, 2, &r, NULL), BBT_OK);
    assert_true(m.has_tokens && !m.probed);
    assert_int_equal(vllm_adapter.tokens_decode(&r, &t, NULL), BBT_OK);
    assert_true(t.n == 2 && t.id[0] == 64 && t.id[1] == 7);
    prov_tokens_fini(&t);
    wire_fini(&w);
    m.bos_id = -1;
    assert_int_equal(talk_take(&vllm_adapter, &m, 3, 404, "", NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 3, 200, "{\"tokens\":[64,7]}", NULL), BBT_OK);
    assert_int_equal(m.bos_id, -1); /* nothing was put before */
    assert_int_equal(talk_take(&vllm_adapter, &m, 3, 200, "{\"tokens\":[64,7,2]}", NULL), BBT_OK);
    assert_int_equal(m.bos_id, -1); /* only behind */
    assert_int_equal(talk_take(&vllm_adapter, &m, 3, 200, "{\"tokens\":[5,64,7]}", NULL), BBT_OK);
    assert_int_equal(m.bos_id, 5); /* P7 */
    assert_int_equal(talk_take(&vllm_adapter, &m, 3, 200, "{\"tokens\":[6,64,7]}", NULL), BBT_OK);
    assert_int_equal(m.bos_id, 5); /* the configuration's word stands */
    assert_int_equal(talk_take(&vllm_adapter, &m, 4, 200, TRIAL("-1"), NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 5, 200, TRIAL("-2"), NULL), BBT_OK);
    assert_false(m.probed);
    assert_int_equal(talk_take(&vllm_adapter, &m, 6, 200, TRIAL("-1.1"), NULL), BBT_OK);
    assert_false(m.probed);
    assert_int_equal(talk_take(&vllm_adapter, &m, 7, 200, TRIAL("-3"), NULL), BBT_OK);
    assert_true(m.probed);
    assert_int_equal(m.tokens_between, 0);
    prov_http_fini(&h);
}

static void start_up_refusals(void **state)
{
    static const struct {
        unsigned step;
        int status;
        const char *body;
        enum bbt_rc rc;
        const char *why;
    } t[] = {
        {0, 503, "", BBT_AGAIN, "health"},
        {1, 401, "{\"error\":\"Unauthorized\"}", BBT_DENIED, "Unauthorized"},
        {1, 404, "", BBT_INVALID, "404"},
        {1, 200, "{}", BBT_CORRUPT, "no \"data\""},
        {1, 200, "{\"data\":[{\"id\":\"other\"}]}", BBT_INVALID, "it has \"other\""},
        {2, 200, "{\"tokens\":[1.5]}", BBT_CORRUPT, "token"},
        {2, 200, "{\"tokens\":[-1]}", BBT_CORRUPT, "token"},
        {2, 500, "", BBT_AGAIN, "500"},
        {3, 500, "", BBT_AGAIN, "500"},
        {4, 400, "{\"error\":{\"message\":\"must set --enable-prompt-embeds\"}}", BBT_INVALID,
            "must set --enable-prompt-embeds"}, /* P15 */
        {4, 200, CHAT(TOP("1", "-3")), BBT_CORRUPT, "label 0"}, /* P17: field dropped */
        {9, 200, "", BBT_INVALID, "no such step"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_model m = talk_model();
        struct bbt_err err = {0};
        enum bbt_rc rc = talk_take(&vllm_adapter, &m, t[i].step, t[i].status, t[i].body, &err);

        if (rc != t[i].rc || !strstr(err.msg, t[i].why))
            fail_msg("step %u: %s \"%s\"", t[i].step, bbt_rc_name(rc), err.msg);
        assert_false(m.probed);
    }
}

/* P17, P1: the field must make a difference, and the same question must not. */
static void p17_trial_questions(void **state)
{
    struct prov_model m = talk_model();
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(talk_take(&vllm_adapter, &m, 4, 200, TRIAL("-1"), NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 5, 200, TRIAL("-1"), &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "ignores"));
    assert_int_equal(talk_take(&vllm_adapter, &m, 5, 200, TRIAL("-2"), NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 6, 200, TRIAL("-1.9"), &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "prefix cache"));
    assert_false(m.probed);
}

#define COUNTED(n) \
    "{\"usage\":{\"prompt_tokens\":" n "}," \
    "\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[{\"top_logprobs\":[" TOP("0", "-1") \
    "," TOP("1", "-1") "]}]}}]}"

/* P3: a template that joins the parts with a line's end shows in the count. */
static void p3_tokens_between_the_parts(void **state)
{
    struct prov_model m = talk_model();

    (void)state;
    assert_int_equal(talk_take(&vllm_adapter, &m, 4, 200, COUNTED("13"), NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 7, 200, COUNTED("10"), NULL), BBT_OK);
    assert_int_equal(m.tokens_between, 1); /* two rows and one more */
}

static void parameters(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask one = talk_ask(prompt, &talk_one);
    struct prov_http h = {0};
    struct bbt_err err = {0};
    json_t *set = json_pack("{s:i}", "priority", 3), *bad = json_pack("{s:i}", "logprobs", 3);

    (void)state;
    one.id = "r7g12c3";
    assert_int_equal(prov_model_params(&m, set, NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 1, 200, MODELS, NULL), BBT_OK);
    m.probed = true;
    assert_int_equal(prov_encode(&vllm_adapter, &m, &one, &h, NULL), BBT_OK);
    assert_non_null(strstr((char *)h.own.data, ",\"priority\":3}"));
    assert_null(strstr((char *)h.own.data, one.id)); /* equal questions stay equal bytes */
    assert_string_equal(h.header[1].name, "X-Request-Id");
    assert_string_equal(h.header[1].value, "r7g12c3");
    assert_int_equal(prov_model_params(&m, bad, NULL), BBT_OK);
    assert_int_equal(talk_take(&vllm_adapter, &m, 1, 200, MODELS, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "\"logprobs\" is set by bbtd"));
    json_decref(set);
    json_decref(bad);
    prov_http_fini(&h);
    prov_model_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(p7_first_token_then_prompt_then_text),
        cmocka_unit_test(answers),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(unlikely_labels_stand_at_the_floor),
        cmocka_unit_test(questions_that_cannot_be_put),
        cmocka_unit_test(p5_width_and_numbers_are_checked_here),
        cmocka_unit_test(p16_reserved_text_is_refused),
        cmocka_unit_test(p1_a_salt_for_every_prompt),
        cmocka_unit_test(p2_penalties_are_switched_off_by_name),
        cmocka_unit_test(start_up),
        cmocka_unit_test(start_up_refusals),
        cmocka_unit_test(p17_trial_questions),
        cmocka_unit_test(p3_tokens_between_the_parts),
        cmocka_unit_test(parameters),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
