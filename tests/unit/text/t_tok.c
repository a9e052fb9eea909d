/* Tokenizers against golden tokenisations (tools/golden_tok.py), model folders good and bad,
 * and every allocation failing once. */
#include "textunit.h"

#include "base/json.h"

#include <sys/stat.h>
#include <unistd.h>

static size_t from_hex(const char *hex, char *out)
{
    size_t n = 0;
    unsigned byte;

    for (; hex[0] && hex[1] && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (char)byte;
    return n;
}

/* Every line "SPACE<TAB>HEX<TAB>IDS" of a golden file. */
static void check_golden(const char *folder, const char *file, size_t least)
{
    static char line[1 << 16], text[1 << 15];
    static int32_t want[1 << 13];
    struct tok *t = golden_tok(folder);
    FILE *f = fopen(golden_path(file), "r");
    size_t cases = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *hex = strchr(line, '\t') + 1, *ids = strchr(hex, '\t') + 1;
        size_t len, n = 0;

        ids[-1] = '\0';
        len = from_hex(hex, text);
        for (char *end; *ids && *ids != '\n'; ids = end + (*end == ' '))
            want[n++] = (int32_t)strtol(ids, &end, 10);
        expect_ids(t, text, len, line[0] == '1', want, n);
        cases++;
    }
    assert_true(cases >= least);
    (void)fclose(f);
    tok_free(t);
}

static void golden_bert(void **state)
{
    (void)state;
    check_golden("bert", "bert.txt", 190);
}

static void golden_bert_cased(void **state)
{
    (void)state;
    check_golden("bert-cased", "bert-cased.txt", 190);
}

static void golden_roberta(void **state)
{
    (void)state;
    check_golden("roberta", "roberta.txt", 380);
}

static void what_the_folders_say(void **state)
{
    struct tok *bert = golden_tok("bert"), *roberta = golden_tok("roberta");
    const struct tok_special *s;

    (void)state;
    s = tok_special(bert);
    assert_int_equal(tok_kind(bert), TOK_WORDPIECE);
    assert_string_equal(tok_piece(bert, s->cls), "[CLS]");
    assert_string_equal(tok_piece(bert, s->sep), "[SEP]");
    assert_string_equal(tok_piece(bert, s->mask), "[MASK]");
    assert_string_equal(tok_piece(bert, s->unk), "[UNK]");
    assert_int_equal(s->pad, 0);
    assert_int_equal(tok_vocab_size(bert), 225);
    s = tok_special(roberta);
    assert_int_equal(tok_kind(roberta), TOK_BPE);
    assert_string_equal(tok_piece(roberta, s->cls), "<s>");
    assert_string_equal(tok_piece(roberta, s->sep), "</s>");
    assert_string_equal(tok_piece(roberta, s->mask), "<mask>");
    assert_int_equal(s->pad, 1);
    assert_false(tok_add_prefix_space(roberta));
    for (int32_t id = 0; id < (int32_t)tok_vocab_size(roberta); id++)
        assert_int_equal(tok_find(roberta, tok_piece(roberta, id)), id);
    assert_null(tok_piece(roberta, (int32_t)tok_vocab_size(roberta)));
    assert_int_equal(tok_find(roberta, "no such piece"), TOK_NONE);
    tok_free(bert);
    tok_free(roberta);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    (void)unlink(path);
    if (!text)
        return;
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* One folder, filled anew for each case; NULL takes the file away. */
struct folder_case {
    const char *config, *tokenizer, *special, *vocab_txt, *vocab_json, *merges;
    enum bbt_rc rc;
    const char *why; /* part of the sentence, or the name of the mask piece */
};

#define TXT "[UNK]\n[CLS]\n[SEP]\n[MASK]\n[PAD]\nx\n"
#define BPE "{\"<s>\":0,\"</s>\":1,\"<mask>\":2,\"x\":3,\"[M]\":4}"

static const struct folder_case folders[] = {
    {NULL, NULL, NULL, TXT, NULL, NULL, BBT_OK, "[MASK]"},
    {NULL, NULL, NULL, "\xEF\xBB\xBFx\r\n[UNK]\r\n[MASK]", NULL, NULL, BBT_OK, "[MASK]"},
    {NULL, NULL, NULL, NULL, BPE, "", BBT_OK, "<mask>"},
    {NULL, NULL, NULL, TXT, BPE, "", BBT_OK, "[MASK]"},
    {"{\"model_type\":\"roberta\"}", NULL, NULL, TXT, BPE, "", BBT_OK, "<mask>"},
    {"{\"model_type\":\"roberta\"}", NULL, NULL, TXT, NULL, NULL, BBT_OK, "[MASK]"},
    {NULL, "{\"mask_token\":\"[M]\"}", NULL, NULL, BPE, "", BBT_OK, "[M]"},
    {NULL, NULL, "{\"mask_token\":{\"content\":\"[M]\"}}", NULL, BPE, "", BBT_OK, "[M]"},
    {NULL, "{\"mask_token\":\"x\"}", "{\"mask_token\":\"[M]\"}", NULL, BPE, "", BBT_OK, "x"},
    {"{\"vocab_size\":6}", NULL, NULL, TXT, NULL, NULL, BBT_OK, "[MASK]"},
    {"{\"vocab_size\":5}", NULL, NULL, TXT, NULL, NULL, BBT_INVALID, "vocab_size 5"},
    {NULL, NULL, NULL, NULL, NULL, NULL, BBT_NOTFOUND, "vocab.txt"},
    {NULL, NULL, NULL, NULL, BPE, NULL, BBT_NOTFOUND, "merges.txt"},
    {NULL, NULL, NULL, "", NULL, NULL, BBT_INVALID, "0 pieces"},
    {NULL, NULL, NULL, "a\nb\n", NULL, NULL, BBT_INVALID, "no piece [UNK]"},
    {NULL, "{\"unk_token\":\"b\"}", NULL, "a\nc\n", NULL, NULL, BBT_INVALID, "no piece b"},
    {NULL, NULL, NULL, "[UNK]\n\xFF\n", NULL, NULL, BBT_INVALID, "vocab.txt:2: not UTF-8"},
    {"{", NULL, NULL, TXT, NULL, NULL, BBT_INVALID, "config.json:1:"},
    {"[]", NULL, NULL, TXT, NULL, NULL, BBT_INVALID, "config.json: not an object"},
    {NULL, "3", NULL, TXT, NULL, NULL, BBT_INVALID, "tokenizer_config.json: not an"},
};

static void fill(const char *dir, const struct folder_case *c)
{
    put(dir, "config.json", c->config);
    put(dir, "tokenizer_config.json", c->tokenizer);
    put(dir, "special_tokens_map.json", c->special);
    put(dir, "vocab.txt", c->vocab_txt);
    put(dir, "vocab.json", c->vocab_json);
    put(dir, "merges.txt", c->merges);
}

static void folders_good_and_bad(void **state)
{
    static const struct folder_case nothing;
    char dir[] = "/tmp/bbt-tok-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const struct folder_case *c = &folders[i];
        struct bbt_err err = {0};
        struct tok *t = NULL;

        fill(dir, c);
        assert_int_equal(tok_open(dir, &t, &err), c->rc);
        if (c->rc == BBT_OK) {
            assert_string_equal(tok_piece(t, tok_special(t)->mask), c->why);
        } else {
            assert_null(t);
            assert_non_null(strstr(err.msg, dir));
            if (!strstr(err.msg, c->why))
                fail_msg("\"%s\" lacks \"%s\"", err.msg, c->why);
        }
        tok_free(t);
    }
    fill(dir, &nothing);
    assert_int_equal(rmdir(dir), 0);
}

static enum bbt_rc open_and_encode(const char *folder)
{
    static const char text[] = "The actors were n't unaffable \xF0\x9F\x98\x80 caf\xC3\xA9 "
                               "\xE4\xB8\xAD positive negative terribly boring film";
    struct tok_ids ids = {0};
    struct tok *t = NULL;
    struct bbt_err err;
    enum bbt_rc rc;

    rc = tok_open(golden_path(folder), &t, &err);
    if (rc == BBT_OK)
        rc = tok_encode(t, text, sizeof text - 1, 1, &ids, &err);
    if (rc != BBT_OK)
        assert_int_equal(err.rc, rc);
    tok_ids_fini(&ids);
    tok_free(t);
    return rc;
}

static void without_memory(void **state)
{
    (void)state;
    unit_oom(open_and_encode("bert"));
    unit_oom(open_and_encode("roberta"));
}

static void a_text_can_be_too_long(void **state)
{
    struct tok *t = golden_tok("bert");
    struct tok_ids ids = {0};
    struct bbt_err err = {0};
    char *text = bbt_calloc(1, TOK_TEXT_MAX + 1u);

    (void)state;
    assert_non_null(text);
    assert_int_equal(tok_encode(t, text, TOK_TEXT_MAX, 0, &ids, &err), BBT_OK);
    assert_int_equal(ids.n, 0); /* NUL is a control character, and dropped */
    assert_int_equal(tok_encode(t, text, TOK_TEXT_MAX + 1u, 0, &ids, &err), BBT_INVALID);
    bbt_free(text);
    tok_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bert),
        cmocka_unit_test(golden_bert_cased),
        cmocka_unit_test(golden_roberta),
        cmocka_unit_test(what_the_folders_say),
        cmocka_unit_test(folders_good_and_bad),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(a_text_can_be_too_long),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
