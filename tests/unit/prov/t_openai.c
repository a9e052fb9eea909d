/* The OpenAI interface, by golden messages made from its documentation, and by everything
 * that is no answer. */
#include "prov/adapters.h"
#include "talk.h"

static float prompt[WIRE_P * WIRE_H];

static struct prov_ask plain(const struct prov_batch *batch)
{
    struct prov_ask ask = talk_ask(prompt, batch);

    ask.prompt = NULL;
    return ask;
}

static void requests_and_answers(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask all = plain(&talk_batch), one = plain(&talk_one);

    (void)state;
    talk_expect_request(&openai_adapter, &m, &all, "openai-req");
    talk_expect_request(&openai_chat_adapter, &m, &one, "openai-chat-req");
    talk_expect_answer(&openai_adapter, &all, "openai-ans", 25, 2);
    talk_expect_answer(&openai_chat_adapter, &one, "openai-chat-ans", 17, 1);
    talk_expect_nomem(&openai_adapter, &all, "openai-ans");
    talk_expect_nomem(&openai_chat_adapter, &one, "openai-chat-ans");
}

#define CHAT(top) \
    "{\"choices\":[{\"index\":0,\"logprobs\":{\"content\":[{\"top_logprobs\":[" top "]}]}}]}"
#define TOKEN(text, lp) "{\"token\":\"" text "\",\"logprob\":" lp "}"
#define BYTES(list, lp) "{\"token\":\"?\",\"bytes\":[" list "],\"logprob\":" lp "}"
#define CHOICE(index, top) \
    "{\"index\":" index ",\"logprobs\":{\"top_logprobs\":[{" top "}]}}"
#define ROWS(a, b) "{\"choices\":[" a "," b "]}"
#define FULL "\" good\":-1,\" bad\":-2,\" s\\u00f6\":-3"

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *body;
        enum bbt_rc rc;
        const char *why;
    } rows[] = {
        {"", BBT_CORRUPT, "response"},
        {"null", BBT_CORRUPT, "neither"},
        {"{\"error\":{\"message\":\"overloaded\"}}", BBT_CORRUPT, "overloaded"},
        {"{\"choices\":[" CHOICE("0", FULL) "]}", BBT_CORRUPT, "1 choices for 2"},
        {ROWS(CHOICE("1", FULL), CHOICE("1", FULL)), BBT_CORRUPT, "numbered"},
        {ROWS(CHOICE("0", FULL), CHOICE("1", "")), BBT_INVALID, "no log-prob"},
        {ROWS(CHOICE("0", FULL), "{\"index\":1,\"logprobs\":null}"), BBT_INVALID, "reasoning"},
        {ROWS(CHOICE("0", FULL), CHOICE("1", "\" good\":\"x\"")), BBT_CORRUPT, "not a finite"},
        {ROWS(CHOICE("0", FULL), CHOICE("1", "\" good\":NaN")), BBT_CORRUPT, "response"},
    }, chat[] = {
        {"{\"choices\":[{\"index\":0,\"logprobs\":null}]}", BBT_INVALID, "reasoning"},
        {CHAT(""), BBT_INVALID, "no log-prob"},
        {CHAT(TOKEN("good", "null")), BBT_CORRUPT, "not a finite"},
        {CHAT(TOKEN("good", "-9999.0") "," TOKEN("bad", "-9999.0")), BBT_CORRUPT, "label 2"},
    };
    struct prov_ask all = plain(&talk_batch), one = plain(&talk_one);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        talk_expect_bad(&openai_adapter, &all, rows[i].body, rows[i].rc, rows[i].why);
    for (size_t i = 0; i < sizeof chat / sizeof chat[0]; i++)
        talk_expect_bad(&openai_chat_adapter, &one, chat[i].body, chat[i].rc, chat[i].why);
}

/* P9: a label outside the list is not impossible: at most as likely as the list's last. */
static void p9_labels_outside_the_list(void **state)
{
    static const double want[3] = {-1, -4.5, -2};
    struct prov_ask one = plain(&talk_one);
    struct prov_answer a = {0};
    const char *body =
        CHAT(TOKEN("x", "-0.5") "," TOKEN("good", "-1") "," BYTES("32,115,195,182", "-2") ","
             TOKEN(" good", "-3") "," TOKEN("y", "-4.5"));

    (void)state;
    talk_expect_good(&openai_chat_adapter, &one, body, want);
    assert_int_equal(talk_decode(&openai_chat_adapter, &one, body, &a, NULL), BBT_OK);
    assert_int_equal(a.censored, 1);
    prov_answer_fini(&a);
}

/* None of them in the list: nothing is known but a bound. Chat compares bytes; on completions
 * the spelling is exact, without its space a word is another token. */
static void p9_no_label_in_the_list(void **state)
{
    static const double one_row[3] = {-1, -1, -1}, two_rows[6] = {-1, -2, -3, -2, -2, -2};
    static const char *const none[] = {CHAT(TOKEN("goods", "-1")),
        CHAT(BYTES("103,111,111", "-1")), CHAT(BYTES("103,111,111,100,33", "-1")),
        CHAT(BYTES("", "-1"))};
    struct prov_ask one = plain(&talk_one), all = plain(&talk_batch);

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        talk_expect_good(&openai_chat_adapter, &one, none[i], one_row);
    talk_expect_good(&openai_adapter, &all,
        ROWS(CHOICE("0", FULL), CHOICE("1", "\"good\":-1,\"Good\":-2")), two_rows);
}

static void questions_that_cannot_be_put(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask all = plain(&talk_batch), soft = talk_ask(prompt, &talk_batch);
    struct prov_ask ask = all;

    (void)state;
    talk_expect_refused(&openai_adapter, &m, &soft, "takes text only");
    talk_expect_refused(&openai_chat_adapter, &m, &all, "one per request");
    ask.label_text = NULL;
    talk_expect_refused(&openai_adapter, &m, &ask, "label 0 has no text");
    ask = plain(&wire_batch);
    talk_expect_refused(&openai_adapter, &m, &ask, "example 0 has no text");
    m.probed = false;
    talk_expect_refused(&openai_adapter, &m, &all, "not been probed");
    m.probed = true;
    m.body_max = 100;
    talk_expect_refused(&openai_adapter, &m, &all, "over the limit of 100");
    assert_false(openai_adapter.soft_prompt || openai_chat_adapter.soft_prompt);
}

static void start_up(void **state)
{
    struct prov_model m = talk_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    m.probed = false;
    assert_int_equal(openai_adapter.probe_next(&m, 0, &h, NULL), BBT_OK);
    assert_int_equal(openai_adapter.probe_next(&m, 1, &h, NULL), BBT_OK);
    assert_string_equal(h.path, "/v1/models");
    assert_int_equal(openai_adapter.probe_next(&m, 2, &h, NULL), BBT_OK); /* a question, */
    assert_int_equal(openai_adapter.probe_next(&m, 3, &h, NULL), BBT_OK); /* twice */
    assert_string_equal(h.path, "/v1/completions");
    assert_int_equal(openai_adapter.probe_next(&m, 4, &h, NULL), BBT_NOTFOUND);
    m.batch_max = 1;
    assert_int_equal(openai_chat_adapter.probe_next(&m, 3, &h, NULL), BBT_OK);
    assert_string_equal(h.path, "/v1/chat/completions");
    assert_int_equal(talk_take(&openai_chat_adapter, &m, 0, 404, "", NULL), BBT_OK);
    assert_int_equal(talk_take(&openai_chat_adapter, &m, 1, 200,
                         "{\"object\":\"list\",\"data\":[{\"id\":\"m\"}]}", NULL),
        BBT_OK);
    assert_true(!m.probed && m.batch_max == 1);
    assert_int_equal(
        talk_take(&openai_chat_adapter, &m, 2, 200, CHAT(TOKEN("a", "-1")), NULL), BBT_OK);
    assert_int_equal(
        talk_take(&openai_chat_adapter, &m, 3, 200, CHAT(TOKEN("b", "-2")), NULL), BBT_OK);
    assert_true(m.probed);
    assert_int_equal(talk_take(&openai_chat_adapter, &m, 3, 200, /* P14 */
                         "{\"choices\":[{\"index\":0,\"logprobs\":null}]}", &err),
        BBT_INVALID);
    assert_non_null(strstr(err.msg, "reasoning"));
    assert_int_equal(talk_take(&openai_adapter, &m, 1, 401, "", NULL), BBT_DENIED);
    assert_false(m.probed);
    prov_http_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_answers),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(p9_labels_outside_the_list),
        cmocka_unit_test(p9_no_label_in_the_list),
        cmocka_unit_test(questions_that_cannot_be_put),
        cmocka_unit_test(start_up),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
