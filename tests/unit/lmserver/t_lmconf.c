#include "lmtest.h"

#include "lmconf.h"

#define BASE                                                                                \
    "\"hidden_size\":32,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                  \
    "\"intermediate_size\":64,\"vocab_size\":120,\"max_position_embeddings\":40"

static enum bbt_rc parse(const char *text, struct lmconf *c, struct bbt_err *err)
{
    return lmconf_parse(text, strlen(text), "config.json", c, err);
}

static void families(void **state)
{
    struct lmconf c = {0};
    struct bbt_err err = {0};
    (void)state;

    assert_int_equal(parse("{\"model_type\":\"bert\"," BASE "}", &c, &err), BBT_OK);
    assert_true(c.family == LMCONF_BERT && c.pad == 0 && c.types == 2 && c.first_pos == 0);
    assert_true(c.tokens == 40 && c.hidden == 32 && c.inner == 64 && c.vocab == 120);
    assert_true(c.tied && c.eps == 1e-12f);
    assert_int_equal(parse("{\"model_type\":\"roberta\",\"layer_norm_eps\":1e-5,"
                           "\"tie_word_embeddings\":false," BASE "}", &c, &err), BBT_OK);
    assert_true(c.family == LMCONF_ROBERTA && c.pad == 1 && c.types == 1);
    assert_true(c.first_pos == 2 && c.tokens == 38 && !c.tied && c.eps == 1e-5f);
    assert_int_equal(parse("{\"model_type\":\"xlm-roberta\",\"pad_token_id\":5," BASE "}", &c,
                         &err), BBT_OK);
    assert_true(c.first_pos == 6);
    assert_string_equal(lmconf_family_name(c.family), "roberta");
}

static void refusals(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "config.json"},
        {"[1]", "not a JSON object"},
        {"{" BASE "}", "'model_type' is ''"},
        {"{\"model_type\":\"gpt2\"," BASE "}", "'model_type' is 'gpt2'"},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"gelu_new\"," BASE "}", "'hidden_act'"},
        {"{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"," BASE "}",
            "'position_embedding_type'"},
        {"{\"model_type\":\"bert\",\"is_decoder\":true," BASE "}", "'is_decoder'"},
        {"{\"model_type\":\"bert\",\"layer_norm_eps\":0," BASE "}", "'layer_norm_eps'"},
        {"{\"model_type\":\"bert\",\"layer_norm_eps\":1e-60," BASE "}", "'layer_norm_eps'"},
        {"{\"model_type\":\"bert\",\"layer_norm_eps\":-1e-5," BASE "}", "'layer_norm_eps'"},
        {"{\"model_type\":\"bert\",\"hidden_size\":32}", "is missing"},
        {"{\"model_type\":\"bert\",\"pad_token_id\":120," BASE "}", "'pad_token_id'"},
        {"{\"model_type\":\"bert\",\"type_vocab_size\":0," BASE "}", "'type_vocab_size'"},
        {"{\"model_type\":\"roberta\",\"pad_token_id\":39," BASE "}",
            "'max_position_embeddings'"},
    };
    /* one key of the base replaced by something that cannot be */
    static const char *const values[][2] = {
        {"hidden_size", "0"}, {"hidden_size", "-32"}, {"hidden_size", "33"},
        {"hidden_size", "1e3"}, {"hidden_size", "\"32\""}, {"hidden_size", "999999999"},
        {"num_hidden_layers", "0"}, {"num_hidden_layers", "9000"},
        {"num_attention_heads", "0"}, {"num_attention_heads", "5"},
        {"vocab_size", "9223372036854775807"}, {"max_position_embeddings", "0"},
        {"intermediate_size", "null"},
    };
    struct lmconf c = {.hidden = 77};
    struct bbt_err err = {0};
    char text[600];
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(bad); i++)
        lmtest_refused((int)parse(bad[i].text, &c, &err), BBT_INVALID, err.msg, bad[i].part,
            bad[i].text);
    for (size_t i = 0; i < LMTEST_COUNT(values); i++) {
        static const struct {
            const char *key, *value;
        } base[] = {{"hidden_size", "32"}, {"num_hidden_layers", "2"},
            {"num_attention_heads", "4"}, {"intermediate_size", "64"}, {"vocab_size", "120"},
            {"max_position_embeddings", "40"}};
        size_t at = (size_t)snprintf(text, sizeof text, "{\"model_type\":\"bert\"");

        for (size_t k = 0; k < LMTEST_COUNT(base); k++)
            at += (size_t)snprintf(text + at, sizeof text - at, ",\"%s\":%s", base[k].key,
                strcmp(base[k].key, values[i][0]) ? base[k].value : values[i][1]);
        (void)snprintf(text + at, sizeof text - at, "}");
        lmtest_refused(
            (int)parse(text, &c, &err), BBT_INVALID, err.msg, "config.json: '", text);
    }
    assert_int_equal(c.hidden, 77); /* a failure writes nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
