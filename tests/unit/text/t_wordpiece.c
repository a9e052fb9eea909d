/* BERT's rules one by one; the examples are those of BERT's own tokenization_test.py where
 * it has one. The golden files in t_tok.c cover the rest. */
#include "textunit.h"

#include "text/wordpiece.h"

static const char VOCAB[] =
    "[UNK]\n[CLS]\n[SEP]\nwant\n##want\n##ed\nwa\nun\nrunn\n##ing\n,\nlow\nlowest\nhello\n!\n"
    "how\nare\nyou\n?\nHeLLo\nh\n##\xC3\xA9\n##llo\nah\n\xE5\x8D\x9A\n\xE6\x8E\xA8\nzz\nH\n"
    "\xCE\xB1\n##\xCF\x82\n##\xCF\x83\n##\xCE\xB1\n\xCF\x83\n"; /* alpha, sigmas */

static struct tok *make(int lower, int strip, int cjk)
{
    struct bbt_err err = {0};
    struct tok_opts opts;
    struct tok *t = NULL;

    tok_opts_default(&opts);
    opts.lower = lower;
    opts.strip_accents = strip;
    opts.space_cjk = cjk;
    assert_int_equal(
        tok_new_wordpiece(VOCAB, sizeof VOCAB - 1, &opts, &t, &err), BBT_OK);
    return t;
}

static void berts_own_examples(void **state)
{
    struct tok *t = make(1, -1, 1);

    (void)state;
    expect_pieces(t, "UNwant\xC3\xA9"
                     "d,running", 0, "un ##want ##ed , runn ##ing ");
    expect_pieces(t, "unwantedX running", 0, "[UNK] runn ##ing ");
    expect_pieces(t, " \tHeLLo!how  \n Are yoU?  ", 0, "hello ! how are you ? ");
    expect_pieces(t, "H\xC3\xA9llo", 0, "hello ");
    expect_pieces(t, "ah\xE5\x8D\x9A\xE6\x8E\xA8zz", 0,
        "ah \xE5\x8D\x9A \xE6\x8E\xA8 zz ");
    expect_pieces(t, "", 0, "");
    tok_free(t);
}

static void switches(void **state)
{
    struct tok *cased = make(0, -1, 1), *accents = make(1, 0, 1), *joined = make(1, -1, 0);
    struct tok *bare = make(0, 1, 1);

    (void)state;
    expect_pieces(cased, " \tHeLLo!how  \n Are yoU?  ", 0, "HeLLo ! how [UNK] [UNK] ? ");
    expect_pieces(accents, "H\xC3\xA9llo", 0, "h ##\xC3\xA9 ##llo ");
    expect_pieces(joined, "ah\xE5\x8D\x9A\xE6\x8E\xA8zz", 0, "[UNK] ");
    expect_pieces(bare, "H\xC3\xA9LLo hell\xC3\xB3", 0, "HeLLo hello ");
    tok_free(cased);
    tok_free(accents);
    tok_free(joined);
    tok_free(bare);
}

static void a_sigma_is_final_only_at_the_end(void **state)
{
    struct tok *t = make(1, -1, 1);

    (void)state;
    expect_pieces(t, "\xCE\x91\xCE\xA3", 0, "\xCE\xB1 ##\xCF\x82 ");
    expect_pieces(t, "\xCE\x91\xCE\xA3\xCE\x91", 0, "\xCE\xB1 ##\xCF\x83 ##\xCE\xB1 ");
    expect_pieces(t, "\xCE\xA3", 0, "\xCF\x83 ");
    tok_free(t);
}

static void long_words(void **state)
{
    struct tok *t = make(1, -1, 1);
    char word[202 * 4];

    (void)state;
    for (unsigned n = 96; n <= 200; n += 4) {
        memset(word, 0, sizeof word);
        memcpy(word, "un", 2);
        for (unsigned i = 2; i + 4 <= n; i += 4)
            memcpy(word + i, "want", 4);
        memcpy(word + n - 2, "ed", 2);
        word[n] = '\0';
        if (n > TOK_WORD_MAX) {
            expect_pieces(t, word, 0, "[UNK] ");
        } else {
            struct tok_ids ids = {0};

            assert_int_equal(tok_encode(t, word, n, 0, &ids, NULL), BBT_OK);
            assert_int_equal(ids.n, (n - 4) / 4 + 2);
            tok_ids_fini(&ids);
        }
    }
    tok_free(t);
}

/* The layer below tok.h, with rules made by hand. */
static void rules_without_a_tokenizer(void **state)
{
    const struct wordpiece rules = {.lower = 1, .strip_accents = 1, .space_cjk = 1, .unk = 7};
    struct pieces p = {0};
    struct tok_ids ids = {0};

    (void)state;
    assert_int_equal(pieces_init(&p, 8), BBT_OK);
    assert_int_equal(pieces_add(&p, 3, "a", 1), BBT_OK);
    assert_int_equal(wordpiece_encode(&rules, &p, "A b \xFF" "a", 6, &ids), BBT_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.id[0], 3);
    assert_int_equal(ids.id[1], 7); /* no such piece */
    assert_int_equal(ids.id[2], 3); /* the broken byte vanishes */
    tok_ids_fini(&ids);
    pieces_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(berts_own_examples),
        cmocka_unit_test(switches),
        cmocka_unit_test(a_sigma_is_final_only_at_the_end),
        cmocka_unit_test(long_words),
        cmocka_unit_test(rules_without_a_tokenizer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
