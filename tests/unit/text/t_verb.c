/* Label words: which form becomes the token, and who refuses what in which words. */
#include "textunit.h"

#include "text/verb.h"

static struct verb *bind(
    const struct verb_label *l, size_t n, const struct tok *t, enum verb_lead lead)
{
    struct bbt_err err = {0};
    struct verb *v = NULL;

    if (verb_bind(l, n, t, lead, &v, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return v;
}

static void refused(const struct verb_label *l, size_t n, const struct tok *t,
    enum verb_lead lead, const char *why)
{
    struct bbt_err err = {0};
    struct verb *v = NULL;

    assert_int_equal(verb_bind(l, n, t, lead, &v, &err), BBT_INVALID);
    assert_null(v);
    if (!strstr(err.msg, why))
        fail_msg("\"%s\" lacks \"%s\"", err.msg, why);
}

static void expect_token(
    const struct tok *t, const struct verb *v, size_t i, const char *piece)
{
    assert_string_equal(tok_piece(t, v->token[i]), piece);
}

static void wordpiece_words(void **state)
{
    static const struct verb_label good[] = {{"1", "Great"}, {"0", " terrible"}};
    static const struct verb_label pieces[] = {{"pos", "great"}, {"neg", "unaffing"}};
    static const struct verb_label unknown[] = {{"pos", "great"}, {"neg", "\xE6\x9C\xAC"}};
    static const struct verb_label empty[] = {{"pos", "great"}, {"neg", " \t"}};
    static const struct verb_label same[] = {{"pos", "great"}, {"neg", "GREAT"}};
    static const struct verb_label twice[] = {{"pos", "great"}, {"pos", "terrible"}};
    struct tok *t = golden_tok("bert");
    struct verb *v;

    (void)state;
    v = bind(good, 2, t, VERB_LEAD_AUTO);
    expect_token(t, v, 0, "great");
    expect_token(t, v, 1, "terrible");
    assert_int_equal(verb_index(v, "0"), 1);
    assert_int_equal(verb_index(v, "1"), 0);
    assert_int_equal(verb_index(v, "Great"), -1);
    assert_int_equal(verb_index(v, NULL), -1);
    verb_free(v);
    refused(pieces, 2, t, VERB_LEAD_AUTO,
        "label \"neg\": the word \"unaffing\" is 3 tokens: un ##aff ##ing (choose");
    refused(unknown, 2, t, VERB_LEAD_AUTO,
        "label \"neg\": the word \"\xE6\x9C\xAC\" is not in the model's vocabulary");
    refused(empty, 2, t, VERB_LEAD_AUTO, "label \"neg\": its word is empty");
    refused(same, 2, t, VERB_LEAD_AUTO,
        "labels \"pos\" and \"neg\" have the same token \"great\"");
    refused(twice, 2, t, VERB_LEAD_AUTO, "label \"pos\" is there twice");
    refused(good, 1, t, VERB_LEAD_AUTO, "1 labels");
    tok_free(t);
}

/* "\u0120bad", "\u0120dog" are pieces of this vocabulary, "bad" and "dog" are not; "n" and
 * "a" are pieces with and without the space. */
static void bpe_words(void **state)
{
    static const struct verb_label spaced[] = {{"d", "dog"}, {"c", "caf\xC3\xA9"}};
    static const struct verb_label bytes[] = {{"n", "N"}, {"b", "B"}};
    static const struct verb_label mixed[] = {{"d", "dog"}, {"b", "B"}};
    static const struct verb_label asked[] = {{"d", " dog"}, {"b", "B"}};
    struct tok *t = golden_tok("roberta");
    struct verb *v;

    (void)state;
    v = bind(spaced, 2, t, VERB_LEAD_AUTO);
    expect_token(t, v, 0, "\xC4\xA0" "dog");
    expect_token(t, v, 1, "\xC4\xA0" "caf\xC3\x83\xC2\xA9");
    verb_free(v);
    v = bind(bytes, 2, t, VERB_LEAD_AUTO); /* no "\u0120B": all words go plain */
    expect_token(t, v, 0, "N");
    expect_token(t, v, 1, "B");
    verb_free(v);
    refused(mixed, 2, t, VERB_LEAD_AUTO, "label \"b\": the word \"B\" is 2 tokens: \xC4\xA0 B");
    refused(bytes, 2, t, VERB_LEAD_SPACE, "label \"n\": the word \"N\" is 2 tokens");
    refused(spaced, 2, t, VERB_LEAD_PLAIN, "label \"d\": the word \"dog\" is ");
    v = bind(asked, 2, t, VERB_LEAD_PLAIN); /* a word's own space overrules */
    expect_token(t, v, 0, "\xC4\xA0" "dog");
    expect_token(t, v, 1, "B");
    verb_free(v);
    tok_free(t);
}

static const struct verb_label sentiment[] = {{"positive", "great"}, {"negative", "terrible"}};

static void rows_get_classes(void **state)
{
    static const char text[] = "text\tlabel\na\tnegative\nb\tpositive\nc\tnegative\n";
    static const char odd[] = "text\tlabel\na\tpositive\n\nb\tpositiv\n";
    static const char bare[] = "text\tlabel\na\t\n";
    struct tok *t = golden_tok("bert");
    struct verb *v = bind(sentiment, 2, t, VERB_LEAD_AUTO);
    struct bbt_err err = {0};
    struct dataset *d = NULL;
    uint32_t cls[3];

    (void)state;
    assert_int_equal(
        dataset_parse(text, sizeof text - 1, DATASET_TSV, NULL, "a", &d, &err), BBT_OK);
    assert_int_equal(verb_classes(v, d, cls, &err), BBT_OK);
    assert_true(cls[0] == 1 && cls[1] == 0 && cls[2] == 1);
    dataset_free(d);
    assert_int_equal(dataset_parse(odd, sizeof odd - 1, DATASET_TSV, NULL, "dev.tsv", &d,
        &err), BBT_OK);
    assert_int_equal(verb_classes(v, d, cls, &err), BBT_INVALID);
    assert_string_equal(err.msg, "dev.tsv:4: label \"positiv\" is not in task.labels (known: "
                                 "positive, negative), did you mean \"positive\"?");
    dataset_free(d);
    assert_int_equal(
        dataset_parse(bare, sizeof bare - 1, DATASET_TSV, NULL, "dev.tsv", &d, &err), BBT_OK);
    assert_int_equal(verb_classes(v, d, cls, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "dev.tsv:2: no label"));
    dataset_free(d);
    verb_free(v);
    tok_free(t);
}

/* Many long labels: the sentence shows some and stays a sentence. */
static void long_lists_are_cut(void **state)
{
    static const char text[] = "text\tlabel\na\tzzz\n";
    static char name[20][64];
    static const char *const word[20] = {"the", "and", "was", "were", "bad", "all", "with",
        "story", "film", "people", "said", "they", "never", "watch", "again", "best", "thing",
        "about", "this", "that"};
    struct verb_label labels[20];
    struct tok *t = golden_tok("bert");
    struct bbt_err err = {0};
    struct dataset *d = NULL;
    struct verb *v;
    uint32_t cls;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name[i], sizeof name[i], "a-label-with-a-rather-long-name-%u", i);
        labels[i] = (struct verb_label){name[i], word[i]};
    }
    v = bind(labels, 20, t, VERB_LEAD_AUTO);
    assert_int_equal(
        dataset_parse(text, sizeof text - 1, DATASET_TSV, NULL, "x", &d, &err), BBT_OK);
    assert_int_equal(verb_classes(v, d, &cls, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "name-0, a-label"));
    assert_non_null(strstr(err.msg, ", ...)"));
    assert_true(strlen(err.msg) < 300);
    dataset_free(d);
    verb_free(v);
    tok_free(t);
}

static enum bbt_rc once(const struct tok *t, const struct verb_label *l)
{
    struct bbt_err err = {0};
    struct verb *v = NULL;
    enum bbt_rc rc = verb_bind(l, 2, t, VERB_LEAD_AUTO, &v, &err);

    verb_free(v);
    return rc == BBT_INVALID ? BBT_OK : rc; /* a refusal needs memory for its sentence too */
}

static void without_memory(void **state)
{
    static const struct verb_label pieces[] = {{"pos", "great"}, {"neg", "unaffing"}};
    struct tok *t = golden_tok("bert");

    (void)state;
    unit_oom(once(t, sentiment));
    unit_oom(once(t, pieces));
    tok_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wordpiece_words),
        cmocka_unit_test(bpe_words),
        cmocka_unit_test(rows_get_classes),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
