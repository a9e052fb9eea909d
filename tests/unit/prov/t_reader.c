/* A response read in pieces: the pieces make no difference, what was begun can be forgotten. */
#include "prov/reader.h"
#include "talk.h"

static const size_t piece[] = {1, 2, 3, 7, 50, 400};

static void expect_any_pieces(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, const char *golden)
{
    struct prov_reply r;
    struct wire w;

    wire_load(&w, golden);
    r = wire_reply(&w);
    for (size_t i = 0; i < sizeof piece / sizeof piece[0]; i++) {
        struct prov_answer got = {0}, want = {0};
        struct bbt_err err = {0};

        assert_int_equal(prov_decode(a, m, ask, &r, &want, NULL), BBT_OK);
        if (wire_decode_in(a, m, ask, &r, piece[i], &got, &err) != BBT_OK)
            fail_msg("%s in pieces of %zu: %s", golden, piece[i], err.msg);
        assert_int_equal(got.tokens_in, want.tokens_in);
        assert_int_equal(got.tokens_out, want.tokens_out);
        assert_memory_equal(
            got.logit, want.logit, want.rows * want.labels * sizeof *want.logit);
        prov_answer_fini(&got);
        prov_answer_fini(&want);
    }
    wire_fini(&w);
}

static void tensors_in_pieces(void **state)
{
    static const char *const golden[] = {"ans-label", "ans-label-id", "ans-label-json",
        "ans-vocab", "ans-vocab-fp64", "ans-vocab-fp16", "ans-vocab-bf16", "ans-vocab-json",
        "ans-vocab-nested", "ans-vocab-gathered", "ans-token", "ans-token-nested",
        "ans-several"};
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = wire_ask(prompt);
    struct prov_model m = wire_model();

    (void)state;
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++)
        expect_any_pieces(prov_adapter_find("kserve2"), &m, &ask, golden[i]);
}

static const char openai_answer[] =
    "{\"choices\":[{\"index\":0,\"logprobs\":{\"top_logprobs\":[{\" good\":-1,\" bad\":-2,"
    "\" s\xc3\xb6\":-3}]}}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1}}";

static void choices_in_pieces_and_their_cap(void **state)
{
    const struct prov_adapter *a = prov_adapter_find("openai");
    float prompt[WIRE_P * WIRE_H];
    struct prov_ask ask = talk_ask(prompt, &talk_one);
    struct prov_model m = talk_model();
    struct prov_reply r = {.status = 200, .body = (const uint8_t *)openai_answer,
        .len = sizeof openai_answer - 1};
    struct prov_reader rd = {0};
    struct prov_answer got = {0};
    struct bbt_err err = {0};
    static uint8_t much[1 << 16];

    (void)state;
    ask.prompt = NULL;
    for (size_t i = 0; i < sizeof piece / sizeof piece[0]; i++) {
        assert_int_equal(wire_decode_in(a, &m, &ask, &r, piece[i], &got, NULL), BBT_OK);
        assert_true(got.logit[0] == -1 && got.logit[1] == -2 && got.logit[2] == -3);
        prov_answer_fini(&got);
    }
    memset(much, ' ', sizeof much);
    prov_reader_begin(&rd, a, &m, &ask, &r);
    for (size_t n = 0; n <= PROV_READER_MAX; n += sizeof much)
        prov_reader_feed(&rd, much, sizeof much);
    prov_reader_feed(&rd, r.body, r.len); /* too late */
    assert_int_equal(prov_reader_finish(&rd, &got, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "over 8388608 bytes"));
}

/* The connection broke and the request went out again: only the second answer counts. */
static void a_new_beginning_forgets_the_old(void **state)
{
    const struct prov_adapter *a[] = {
        prov_adapter_find("openai"), prov_adapter_find("kserve2")};
    float prompt[WIRE_P * WIRE_H];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct prov_ask ask = i ? wire_ask(prompt) : talk_ask(prompt, &talk_one);
        struct prov_model m = i ? wire_model() : talk_model();
        struct prov_reader rd = {0};
        struct prov_answer got = {0};
        struct prov_reply r;
        struct wire w;

        wire_load(&w, "ans-vocab");
        r = wire_reply(&w);
        if (i == 0) {
            ask.prompt = NULL;
            r.body = (const uint8_t *)openai_answer;
            r.len = sizeof openai_answer - 1;
        }
        prov_reader_begin(&rd, a[i], &m, &ask, &r);
        prov_reader_feed(&rd, r.body, r.len / 2);
        prov_reader_begin(&rd, a[i], &m, &ask, &r);
        prov_reader_feed(&rd, r.body, r.len);
        assert_int_equal(prov_reader_finish(&rd, &got, NULL), BBT_OK);
        prov_answer_fini(&got);
        prov_reader_begin(&rd, a[i], &m, &ask, &r);
        prov_reader_feed(&rd, r.body, r.len / 2);
        prov_reader_fini(&rd); /* never finished: nothing leaks */
        prov_reader_fini(&rd);
        wire_fini(&w);
    }
    prov_reader_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_in_pieces),
        cmocka_unit_test(choices_in_pieces_and_their_cap),
        cmocka_unit_test(a_new_beginning_forgets_the_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
