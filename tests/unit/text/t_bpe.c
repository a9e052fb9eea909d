/* Byte-level BPE on a vocabulary that fits a page, refusals, and speed on a hostile text. */
#include "textunit.h"

#include "text/bpe.h"

static const char VOCAB[] =
    "{\"l\":0,\"o\":1,\"w\":2,\"e\":3,\"r\":4,\"s\":5,\"t\":6,\"i\":7,\"d\":8,\"n\":9,"
    "\"\\u0120\":10,\"\\u0120l\":11,\"\\u0120n\":12,\"\\u0120lo\":13,\"\\u0120low\":14,"
    "\"er\":15,\"\\u0120lowest\":16,\"\\u0120newer\":17,\"\\u0120wider\":18,\"<unk>\":19}";
static const char MERGES[] = "#version: 0.2\n\xC4\xA0 l\n\xC4\xA0l o\n\xC4\xA0lo w\r\ne r\n\n";

static enum bbt_rc make(const char *vocab, const char *merges, struct tok **ret,
    struct bbt_err *err)
{
    struct tok_opts opts;

    tok_opts_default(&opts);
    return tok_new_bpe(vocab, strlen(vocab), merges, strlen(merges), &opts, ret, err);
}

static struct tok *small(void)
{
    struct bbt_err err = {0};
    struct tok *t = NULL;

    if (make(VOCAB, MERGES, &t, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return t;
}

/* The example of Hugging Face's own test of the GPT-2 tokenizer. */
static void lower_newer(void **state)
{
    struct tok *t = small();

    (void)state;
    expect_pieces(t, "lower newer", 1,
        "\xC4\xA0low er \xC4\xA0 n e w er ");
    expect_pieces(t, "lower newer", 0, "l o w er \xC4\xA0 n e w er ");
    expect_pieces(t, "", 1, "");
    expect_pieces(t, "x", 0, "<unk> "); /* no piece for this byte */
    assert_int_equal(tok_special(t)->mask, TOK_NONE);
    tok_free(t);
}

static void earlier_merges_win_whatever_their_place(void **state)
{
    static const char vocab[] =
        "{\"a\":0,\"b\":1,\"c\":2,\"bc\":3,\"ab\":4,\"aa\":5,\"<unk>\":6}";
    struct bbt_err err = {0};
    struct tok *t = NULL;

    (void)state;
    assert_int_equal(make(vocab, "b c\na b\na a", &t, &err), BBT_OK);
    expect_pieces(t, "abc", 0, "a bc ");
    expect_pieces(t, "aab", 0, "a ab ");
    expect_pieces(t, "aaaaa", 0, "aa aa a "); /* of equals the leftmost */
    tok_free(t);
}

static void refusals(void **state)
{
    static const struct {
        const char *vocab, *merges, *why;
    } bad[] = {
        {VOCAB, "l o w\n", "merges.txt:1: not two pieces"},
        {VOCAB, "#version\n\nlow\n", "merges.txt:3: not two pieces"},
        {VOCAB, "l zz\n", "merges.txt:1: \"l zz\" is not in vocab.json"},
        {VOCAB, "e r\ne s\n", "merges.txt:2: \"e s\" is not in vocab.json"},
        {VOCAB, " l\n", "merges.txt:1:"},
        {"[]", "", "vocab.json: not an object"},
        {"{}", "", "vocab.json: no pieces"},
        {"{\"a\":-1}", "", "the id of \"a\""},
        {"{\"a\":1.5}", "", "the id of \"a\""},
        {"{\"a\":4611686018427387904}", "", "the id of \"a\""},
        {"{\"a\":0,\"b\":0}", "", "the id 0 stands for two pieces"},
        {"{\"a\":0,\"a\":1}", "", "vocab.json:1:"},
        {"{\"a\":0", "", "vocab.json:1:"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bbt_err err = {0};
        struct tok *t = NULL;

        assert_int_equal(make(bad[i].vocab, bad[i].merges, &t, &err), BBT_INVALID);
        assert_null(t);
        if (!strstr(err.msg, bad[i].why))
            fail_msg("\"%s\" lacks \"%s\"", err.msg, bad[i].why);
    }
}

/* A naive merge loop would take hours: 2 million bytes in one part, all of one kind. */
static void a_huge_word_is_no_trap(void **state)
{
    static const char vocab[] = "{\"a\":0,\"aa\":1,\"aaaa\":2,\"<unk>\":3}";
    size_t len = 2u << 20;
    char *text = bbt_alloc(len);
    struct tok_ids ids = {0};
    struct bbt_err err = {0};
    struct tok *t = NULL;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', len);
    assert_int_equal(make(vocab, "a a\naa aa\n", &t, &err), BBT_OK);
    assert_int_equal(tok_encode(t, text, len, 0, &ids, &err), BBT_OK);
    assert_int_equal(ids.n, len / 4);
    for (size_t i = 0; i < ids.n; i++)
        assert_int_equal(ids.id[i], 2);
    tok_ids_fini(&ids);
    tok_free(t);
    bbt_free(text);
}

/* Without a piece for unknown bytes they vanish, and nothing is merged over them. */
static void bytes_without_a_piece(void **state)
{
    struct pieces p = {0};
    struct bbt_err err = {0};
    struct tok_ids ids = {0};
    struct bpe b = {0};

    (void)state;
    assert_int_equal(pieces_init(&p, 3), BBT_OK);
    assert_int_equal(pieces_add(&p, 0, "a", 1), BBT_OK);
    assert_int_equal(pieces_add(&p, 1, "b", 1), BBT_OK);
    assert_int_equal(pieces_add(&p, 2, "ab", 2), BBT_OK);
    assert_int_equal(bpe_init(&b, &p, "a b", 3, TOK_NONE, &err), BBT_OK);
    assert_int_equal(bpe_encode(&b, "abxaxb", 6, 0, &ids), BBT_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.id[0], 2);
    assert_int_equal(ids.id[1], 0);
    assert_int_equal(ids.id[2], 1);
    tok_ids_fini(&ids);
    bpe_fini(&b);
    pieces_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lower_newer),
        cmocka_unit_test(earlier_merges_win_whatever_their_place),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_huge_word_is_no_trap),
        cmocka_unit_test(bytes_without_a_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
