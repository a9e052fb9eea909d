/* SGLang, by golden messages made from its documentation, and by everything that is no answer. */
#include "prov/sglang.h"
#include "talk.h"

static float prompt[WIRE_P * WIRE_H];

static void requests(void **state)
{
    struct prov_model m = talk_model();
    struct prov_ask ask = talk_ask(prompt, &talk_batch);

    (void)state;
    talk_expect_request(&sglang_score_adapter, &m, &ask, "sglang-score-req");
    talk_expect_request(&sglang_generate_adapter, &m, &ask, "sglang-generate-req");
    ask.prompt = NULL;
    talk_expect_request(&sglang_score_adapter, &m, &ask, "sglang-score-manual-req");
}

static void answers(void **state)
{
    struct prov_ask all = talk_ask(prompt, &talk_batch), one = talk_ask(prompt, &talk_one);

    (void)state;
    talk_expect_answer(&sglang_generate_adapter, &all, "sglang-generate-ans", 20, 2);
    talk_expect_answer(&sglang_generate_adapter, &one, "sglang-generate-one-ans", 11, 1);
    talk_expect_nomem(&sglang_score_adapter, &all, "sglang-score-ans");
    talk_expect_nomem(&sglang_generate_adapter, &all, "sglang-generate-ans");
}

/* Probabilities become logarithms; 0 is underflow and stands at the floor. */
static void scores_are_probabilities(void **state)
{
    static const double want[6] = {-0.69314718, -1.38629436, -2.07944154, -2.77258872, -700,
        -0.69314718};
    struct prov_ask ask = talk_ask(prompt, &talk_batch);
    struct wire w;

    (void)state;
    wire_load(&w, "sglang-score-ans");
    talk_expect_good(&sglang_score_adapter, &ask, (char *)w.body, want);
    wire_fini(&w);
}

#define SCORES(s) "{\"scores\":" s "}"
#define LP(id, lp) "[" lp "," id ",null]"
#define ROW(list) "{\"meta_info\":{\"output_token_ids_logprobs\":[[" list "]]}}"
#define FULL ROW(LP("9", "-1") "," LP("30", "-2") "," LP("1", "-3"))

static void what_is_no_answer(void **state)
{
    static const struct {
        const char *body;
        enum bbt_rc rc;
        const char *why;
    } score[] = {
        {"", BBT_CORRUPT, "response"},
        {"{}", BBT_CORRUPT, "0 scores for 2"},
        {"[]", BBT_CORRUPT, "0 scores for 2"},
        {"{\"object\":\"error\",\"message\":\"The request queue is full.\"}", BBT_CORRUPT,
            "queue is full"},
        {SCORES("[[0.1,0.2,0.3]]"), BBT_CORRUPT, "1 scores for 2"},
        {SCORES("[[0.1,0.2,0.3],[0.1,0.2,0.3],[0.1,0.2,0.3]]"), BBT_CORRUPT, "3 scores"},
        {SCORES("[[0.1,0.2],[0.1,0.2,0.3]]"), BBT_CORRUPT, "2 scores for 3 labels"},
        {SCORES("[[0.1,0.2,0.3],7]"), BBT_CORRUPT, "0 scores for 3"},
        {SCORES("[[0.1,0.2,NaN],[0.1,0.2,0.3]]"), BBT_CORRUPT, "response"},
        {SCORES("[[0.1,0.2,null],[0.1,0.2,0.3]]"), BBT_CORRUPT, "not a probability"},
        {SCORES("[[0.1,0.2,\"0.3\"],[0.1,0.2,0.3]]"), BBT_CORRUPT, "not a probability"},
        {SCORES("[[0.1,0.2,-0.3],[0.1,0.2,0.3]]"), BBT_CORRUPT, "not a probability"},
        {SCORES("[[0.1,0.2,3],[0.1,0.2,0.3]]"), BBT_CORRUPT, "not a probability"},
        {SCORES("[[0.1,0.2,0.3],[0,0.0,0]]"), BBT_CORRUPT, "example 1 has probability 0"},
    }, generate[] = {
        {"[]", BBT_CORRUPT, "0 answers for 2"},
        {FULL, BBT_CORRUPT, "1 answers for 2"},
        {"[" FULL "," FULL "," FULL "]", BBT_CORRUPT, "3 answers"},
        {"[{\"error\":{\"message\":\"aborted\"}},{}]", BBT_CORRUPT, "error inside"},
        {"[" FULL ",{}]", BBT_INVALID, "no log-prob"},
        {"[" FULL ",7]", BBT_INVALID, "no log-prob"},
        {"[" FULL "," ROW(LP("9", "-1")) "]", BBT_CORRUPT, "label 1 for example 1"},
        {"[" FULL "," ROW("9,30,1") "]", BBT_CORRUPT, "label 0 for example 1"},
        {"[" FULL "," ROW(LP("9", "null")) "]", BBT_CORRUPT, "not a finite"},
        {"[" FULL "," ROW(LP("9", "Infinity")) "]", BBT_CORRUPT, "response"},
        {"[" FULL "," ROW(LP("9.0", "-1")) "]", BBT_CORRUPT, "label 0"},
    };
    struct prov_ask ask = talk_ask(prompt, &talk_batch);

    (void)state;
    for (size_t i = 0; i < sizeof score / sizeof score[0]; i++)
        talk_expect_bad(
            &sglang_score_adapter, &ask, score[i].body, score[i].rc, score[i].why);
    for (size_t i = 0; i < sizeof generate / sizeof generate[0]; i++)
        talk_expect_bad(&sglang_generate_adapter, &ask, generate[i].body, generate[i].rc,
            generate[i].why);
}

/* P13: rows of whole numbers still look like floats, and nothing that is taken in their place
 * is sent or may be configured. */
static void p13_rows_cannot_be_taken_for_ids(void **state)
{
    static const float whole_numbers[WIRE_P * WIRE_H];
    struct prov_model m = talk_model();
    struct prov_ask ask = talk_ask(prompt, &talk_batch);
    struct prov_http h = {0};
    struct bbt_err err = {0};
    json_t *set = json_pack("{s:s}", "text", "hello"), *root, *v;

    (void)state;
    ask.prompt = whole_numbers;
    assert_int_equal(prov_encode(&sglang_generate_adapter, &m, &ask, &h, NULL), BBT_OK);
    root = talk_json(h.own.data, h.own.len);
    v = json_array_get(json_array_get(json_object_get(root, "input_embeds"), 0), 0);
    assert_true(json_is_real(json_array_get(v, 0)));
    assert_null(json_object_get(root, "text"));
    assert_null(json_object_get(root, "input_ids"));
    assert_int_equal(prov_model_params(&m, set, NULL), BBT_OK);
    assert_int_equal(talk_take(&sglang_generate_adapter, &m, 1, 200,
                         "{\"data\":[{\"id\":\"m\"}]}", &err),
        BBT_INVALID);
    assert_non_null(strstr(err.msg, "\"text\" is set by bbtd"));
    json_decref(root);
    json_decref(set);
    prov_http_fini(&h);
    prov_model_fini(&m);
}

static void questions_that_cannot_be_put(void **state)
{
    static const int32_t mixed[4] = {2, 5, 5, 5}, short_len[2] = {2, 2}, one_len[1] = {1},
                         with_slot[2] = {2, 99};
    struct prov_batch b = {.rows = 2, .cols = 2, .ids = mixed, .len = short_len};
    struct prov_model m = talk_model();
    struct prov_ask all = talk_ask(prompt, &talk_batch), ask = all;

    (void)state;
    ask.batch = &b;
    talk_expect_refused(&sglang_score_adapter, &m, &ask, "only some examples");
    b = (struct prov_batch){.rows = 1, .cols = 1, .ids = mixed, .len = one_len};
    talk_expect_refused(&sglang_score_adapter, &m, &ask, "no text");
    b = (struct prov_batch){.rows = 1, .cols = 2, .ids = with_slot, .len = short_len};
    talk_expect_refused(&sglang_score_adapter, &m, &ask, "contains token 99");
    ask = all;
    ask.compose = PROV_ADD;
    talk_expect_refused(&sglang_score_adapter, &m, &ask, "before the text only");
    m.bos_id = -1;
    ask.prompt = NULL;
    ask.batch = &b;
    b = (struct prov_batch){.rows = 2, .cols = 2, .ids = mixed, .len = short_len};
    talk_expect_refused(&sglang_score_adapter, &m, &ask, "without a soft prompt");
    m.slot_id = -1;
    talk_expect_refused(&sglang_score_adapter, &m, &all, "slot_id");
    m = talk_model();
    m.token_row = NULL;
    talk_expect_refused(&sglang_generate_adapter, &m, &all, "embedding matrix");
    m.probed = false;
    talk_expect_refused(&sglang_score_adapter, &m, &all, "not been probed");
    talk_expect_refused(&sglang_generate_adapter, &m, &all, "not been probed");
    m = talk_model();
    m.body_max = 200;
    talk_expect_refused(&sglang_score_adapter, &m, &all, "over the limit of 200");
    talk_expect_refused(&sglang_generate_adapter, &m, &all, "over the limit of 200");
}

/* A model without a first token of its own: the first one of the text is the query. */
static void without_first_token(void **state)
{
    static const int32_t ids[6] = {7, 8, 9, 7, 5, 0}, len[2] = {3, 2};
    const struct prov_batch b = {.rows = 2, .cols = 3, .ids = ids, .len = len};
    struct prov_ask ask = talk_ask(prompt, &b);
    struct prov_model m = talk_model();
    struct prov_http h = {0};
    json_t *root, *want;

    (void)state;
    m.bos_id = -1;
    ask.prompt = NULL;
    assert_int_equal(prov_encode(&sglang_score_adapter, &m, &ask, &h, NULL), BBT_OK);
    root = talk_json(h.own.data, h.own.len);
    want = json_pack("{s:[i], s:[[i,i],[i]]}", "query", 7, "items", 8, 9, 5);
    assert_true(json_equal(json_object_get(root, "query"), json_object_get(want, "query")));
    assert_true(json_equal(json_object_get(root, "items"), json_object_get(want, "items")));
    json_decref(root);
    json_decref(want);
    prov_http_fini(&h);
}

/* A version without overrides has the same call and ignores them: found at start-up. */
static void p17_an_old_server_is_found(void **state)
{
    struct prov_model m = talk_model();
    struct prov_http h = {0};
    struct bbt_err err = {0};

    (void)state;
    m.probed = false;
    for (unsigned s = 0; s < 7; s++)
        assert_int_equal(sglang_score_adapter.probe_next(&m, s, &h, NULL), BBT_OK);
    assert_string_equal(h.path, "/v1/score");
    assert_int_equal(
        talk_take(&sglang_score_adapter, &m, 4, 200, SCORES("[[0.1,0.2]]"), NULL), BBT_OK);
    assert_int_equal(talk_take(&sglang_score_adapter, &m, 5, 200, SCORES("[[0.1,0.2]]"), &err),
        BBT_INVALID);
    assert_non_null(strstr(err.msg, "ignores"));
    prov_http_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(answers),
        cmocka_unit_test(scores_are_probabilities),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(p13_rows_cannot_be_taken_for_ids),
        cmocka_unit_test(questions_that_cannot_be_put),
        cmocka_unit_test(without_first_token),
        cmocka_unit_test(p17_an_old_server_is_found),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
