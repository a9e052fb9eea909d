/* Templates: what compiles, what a rendered row looks like piece by piece, and the law that
 * cutting spares everything but the texts. */
#include "textunit.h"

#include "text/tmpl.h"
#include "text/tmpl_part.h"

static struct tmpl *compile(const char *pattern)
{
    struct bbt_err err = {0};
    struct tmpl *t = NULL;

    if (tmpl_compile(pattern, &t, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    return t;
}

static struct tmpl_rendered render(
    const struct tmpl *t, const struct tok *tok, const struct tmpl_input *in)
{
    struct tmpl_rendered r = {0};
    struct bbt_err err = {0};

    if (tmpl_render(t, tok, in, &r, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(r.ids[r.mask_pos], tok_special(tok)->mask);
    return r;
}

static void refusals(void **state)
{
    static const struct {
        const char *pattern, *why;
    } bad[] = {
        {"", "column 1: no {mask}"},
        {"{text} It was great.", "column 21: no {mask}"},
        {"It was {mask}.", "column 15: no {text}"},
        {"{text} {mask} {mask}", "column 15: a second {mask}"},
        {"{prompt}{text}{prompt}{mask}", "column 15: a second {prompt}"},
        {"{text} {masc}", "column 8: no field {masc}"},
        {"{text} {masc}", "did you mean {mask}?"},
        {"{text} {text_c} {mask}", "column 8: no field {text_c}"},
        {"\xC3\xA9\xE4\xB8\xAD {texts} {mask}", "column 4: no field {texts}"},
        {"{} {mask}", "column 1: no field {}"},
        {"{text} {mask", "column 8: { is not closed"},
        {"{text} {", "column 8: { is not closed"},
        {"a } {text} {mask}", "column 3: } without {"},
        {"{text} {mask} {{ }", "column 18: } without {"},
        {"{text} \xFF {mask}", "column 8: byte 0xFF is not UTF-8"},
        {"{text}{text}{text}{text}{text}{text}{text}{text}{text}{text}{text}{text}{text}"
         "{text}{text}{mask}{text}", "column 97: over 16 fields"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bbt_err err = {0};
        struct tmpl *t = NULL;

        assert_int_equal(tmpl_compile(bad[i].pattern, &t, &err), BBT_INVALID);
        assert_null(t);
        if (!strstr(err.msg, bad[i].why))
            fail_msg("\"%s\" lacks \"%s\"", err.msg, bad[i].why);
    }
}

static void a_template_can_be_too_long(void **state)
{
    char pattern[TMPL_BYTES_MAX + 32] = "{text} {mask} ";
    struct bbt_err err = {0};
    struct tmpl *t = NULL;

    (void)state;
    memset(pattern + 14, 'x', TMPL_BYTES_MAX + 1 - 14);
    assert_int_equal(tmpl_compile(pattern, &t, &err), BBT_INVALID);
    pattern[TMPL_BYTES_MAX] = '\0';
    t = compile(pattern);
    tmpl_free(t);
}

static void what_a_template_tells(void **state)
{
    struct tmpl *t = compile("{prompt} {text_a} ? {mask} , {text_b} {text}");

    (void)state;
    assert_int_equal(tmpl_uses(t, TMPL_TEXT_A), 2);
    assert_int_equal(tmpl_uses(t, TMPL_TEXT_B), 1);
    assert_int_equal(tmpl_uses(t, TMPL_MASK), 1);
    assert_int_equal(tmpl_uses(t, TMPL_PROMPT), 1);
    assert_true(tmpl_prompt_first(t) && tmpl_mask_spaced(t));
    tmpl_free(t);
    t = compile("[{mask}] {prompt}{text}");
    assert_false(tmpl_prompt_first(t) || tmpl_mask_spaced(t));
    tmpl_free(t);
    t = compile("{text}{mask}");
    assert_false(tmpl_mask_spaced(t));
    tmpl_free(t);
    t = compile("{mask} {text}\n");
    assert_false(tmpl_mask_spaced(t));
    tmpl_free(t);
}

/* Pieces of a rendered row, joined by "|"; "_" stands for GPT-2's space. */
static void expect(const char *pattern, const struct tok *tok, const char *a, const char *b,
    size_t slots, size_t max_len, const char *want)
{
    static const int32_t prompt_ids[] = {7, 7, 7, 7};
    struct tmpl_input in = {a, b, prompt_ids, slots, max_len};
    struct tmpl *t = compile(pattern);
    struct tmpl_rendered r = render(t, tok, &in);
    char got[1024] = "";
    size_t used = 0;

    for (size_t i = 0; i < r.n; i++) {
        const char *piece = tok_piece(tok, r.ids[i]);
        int spaced = strncmp(piece, "\xC4\xA0", 2) == 0;

        if (slots && (ptrdiff_t)i >= r.prompt_pos &&
            (ptrdiff_t)i < r.prompt_pos + (ptrdiff_t)slots) {
            assert_int_equal(r.ids[i], 7);
            piece = "*";
        }
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%s%s", i ? "|" : "",
            spaced ? "_" : "", piece + (spaced ? 2 : 0));
    }
    assert_string_equal(got, want);
    tmpl_rendered_fini(&r);
    tmpl_free(t);
}

static void bert_rows(void **state)
{
    struct tok *t = golden_tok("bert");

    (void)state;
    expect("{prompt} {text} It was {mask}.", t, "Great film", NULL, 0, 64,
        "[CLS]|great|film|i|##t|was|[MASK]|.|[SEP]");
    expect("{prompt} {text} It was {mask}.", t, "Great film", NULL, 3, 64,
        "[CLS]|*|*|*|great|film|i|##t|was|[MASK]|.|[SEP]");
    expect("{text_a} ? {mask} , {text_b}", t, "hello", "world", 0, 64,
        "[CLS]|hello|?|[MASK]|,|world|[SEP]");
    expect("{{{mask}}} {text}{text}", t, "the", NULL, 0, 64,
        "[CLS]|{|[MASK]|}|the|the|[SEP]");
    expect("{text} was {prompt} {mask}", t, "", NULL, 2, 64, "[CLS]|was|*|*|[MASK]|[SEP]");
    /* a mask in the data is no mask */
    expect("{text} {mask}", t, "[the]", NULL, 0, 64, "[CLS]|[|the|]|[MASK]|[SEP]");
    tok_free(t);
}

static void roberta_rows(void **state)
{
    struct tok *t = golden_tok("roberta");

    (void)state;
    expect("{prompt} {text} was {mask} .", t, "the dog", NULL, 0, 64,
        "<s>|the|_dog|_w|as|<mask>|_.|</s>");
    expect("{prompt} {text} was {mask} .", t, "the dog", NULL, 2, 64,
        "<s>|*|*|_the|_dog|_w|as|<mask>|_.|</s>");
    expect("{prompt}{text} was  {mask}.", t, "the dog", NULL, 1, 64,
        "<s>|*|the|_dog|_w|as|<mask>|.|</s>");
    expect("the {prompt} {text}{mask}", t, "dog", NULL, 0, 64, "<s>|the|_dog|<mask>|</s>");
    expect("the {prompt} {text}{mask}", t, "dog", NULL, 1, 64, "<s>|the|*|_dog|<mask>|</s>");
    expect("{text} {text_b}{mask}", t, "", "dog", 0, 64, "<s>|_dog|<mask>|</s>");
    expect("the {text}{mask} the", t, "", NULL, 0, 64, "<s>|the|<mask>|_the|</s>");
    tok_free(t);
}

static void the_longest_text_is_cut(void **state)
{
    struct tok *t = golden_tok("bert");
    const char *a = "the the the the the the", *b = "was was was was";

    (void)state;
    expect("{text_a} ? {mask} , {text_b}", t, a, b, 0, 12,
        "[CLS]|the|the|the|the|?|[MASK]|,|was|was|was|[SEP]");
    expect("{text_a} ? {mask} , {text_b}", t, a, b, 0, 10,
        "[CLS]|the|the|the|?|[MASK]|,|was|was|[SEP]");
    expect("{text_a} ? {mask} , {text_b}", t, a, b, 0, 6, "[CLS]|the|?|[MASK]|,|[SEP]");
    expect("{text_a} ? {mask} , {text_b}", t, a, b, 0, 5, "[CLS]|?|[MASK]|,|[SEP]");
    tok_free(t);
}

static void what_cannot_be_rendered(void **state)
{
    static const int32_t ids[8];
    struct tok *tok = golden_tok("bert"), *no_mask = NULL;
    struct tmpl *pair = compile("{text} was {mask} , {text_b}");
    struct tmpl *soft = compile("{prompt} {text} was {mask}");
    struct tmpl_rendered r = {0};
    struct tok_opts opts;
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(tmpl_render(pair, tok, &(struct tmpl_input){.text_a = "a",
        .text_b = "b", .prompt_ids = ids, .slots = 1, .max_len = 64}, &r, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "no {prompt}"));
    assert_int_equal(tmpl_render(pair, tok, &(struct tmpl_input){.text_a = "a",
        .max_len = 64}, &r, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "second text"));
    assert_int_equal(tmpl_render(soft, tok, &(struct tmpl_input){.text_a = "a",
        .prompt_ids = ids, .slots = 8, .max_len = 11}, &r, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "takes 12 tokens before any text, the model has room for "
                                    "11"));
    tok_opts_default(&opts);
    assert_int_equal(tok_new_wordpiece("[UNK]\nwas\n", 10, &opts, &no_mask, &err), BBT_OK);
    assert_int_equal(tmpl_render(soft, no_mask, &(struct tmpl_input){.text_a = "a",
        .max_len = 64}, &r, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "no mask token"));
    assert_null(r.ids);
    tmpl_free(pair);
    tmpl_free(soft);
    tok_free(tok);
    tok_free(no_mask);
}

static void words(uint64_t *seed, size_t n, char *out)
{
    static const char *const some[] = {"the", "dog", "unaffable", "zq", ",", "caf\xC3\xA9",
        "\xE4\xB8\xAD", "\xF0\x9F\x98\x80", "running", "  "};

    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(out);

        (void)snprintf(out + used, 2048 - used, "%s%s", i ? " " : "", some[rnd(seed) % 10]);
    }
}

/* Every cut row is the uncut one with ends of texts taken out: what stands between the
 * texts comes whole and in order, and nothing is cut without need. */
static void check_cut(const struct tmpl_rendered *whole, const struct tmpl_rendered *cut,
    size_t slots, size_t max_len)
{
    size_t k = 0;

    assert_true(cut->n <= max_len);
    assert_int_equal(cut->n + cut->cut, whole->n);
    assert_true(cut->cut == 0 || cut->n == max_len);
    for (size_t i = 0; i < whole->n && k < cut->n; i++)
        k += whole->ids[i] == cut->ids[k];
    assert_int_equal(k, cut->n); /* a subsequence */
    assert_int_equal(cut->ids[0], whole->ids[0]);
    assert_int_equal(cut->ids[cut->n - 1], whole->ids[whole->n - 1]);
    assert_int_equal(cut->ids[cut->mask_pos], whole->ids[whole->mask_pos]);
    for (size_t s = 0; s < slots; s++)
        assert_int_equal(cut->ids[(size_t)cut->prompt_pos + s], 7);
}

static void cutting_spares_the_template(void **state)
{
    static const char *const patterns[] = {"{prompt} {text} It was {mask}.",
        "{prompt}. {text_a} ? {mask} , {text_b}", "{text} said {prompt} [ {mask} ] {text}",
        "{prompt} {mask} film: {text}"};
    static const char *const folders[] = {"bert", "roberta"};
    static const int32_t ids[] = {7, 7, 7, 7, 7};
    static char a[2048], b[2048];
    uint64_t seed = 11;

    (void)state;
    for (int round = 0; round < 400; round++) {
        struct tok *tok = golden_tok(folders[round % 2]);
        struct tmpl *t = compile(patterns[rnd(&seed) % 4]);
        size_t slots = rnd(&seed) % 6;
        struct tmpl_input in = {a, b, ids, slots, SIZE_MAX};
        struct tmpl_rendered whole, none, cut;
        size_t fixed;

        words(&seed, rnd(&seed) % 30, a);
        words(&seed, rnd(&seed) % 30, b);
        whole = render(t, tok, &in);
        none = render(t, tok, &(struct tmpl_input){"", "", ids, slots, SIZE_MAX});
        fixed = none.n; /* an empty text takes its space with it: no word more or less */
        in.max_len = fixed + rnd(&seed) % 30;
        cut = render(t, tok, &in);
        check_cut(&whole, &cut, slots, in.max_len);
        in.max_len = fixed;
        tmpl_rendered_fini(&cut);
        cut = render(t, tok, &in);
        assert_true(cut.n <= fixed);
        tmpl_rendered_fini(&cut);
        tmpl_rendered_fini(&whole);
        tmpl_rendered_fini(&none);
        tmpl_free(t);
        tok_free(tok);
    }
}

/* Without slots a template reads as if {prompt} and its blank were not written. */
static void a_manual_prompt_has_no_trace_of_the_soft_one(void **state)
{
    static const char *const pairs[][2] = {
        {"{prompt} {text} It was {mask}.", "{text} It was {mask}."},
        {"{prompt}. {text} {mask}", ". {text} {mask}"},
        {"the {prompt} {text} {mask}", "the {text} {mask}"},
        {"{text} the {prompt} {mask}", "{text} the {mask}"},
        {"{text} the {prompt} dog {mask}", "{text} the dog {mask}"},
        {"{text} {mask} the {prompt}", "{text} {mask} the "},
    };
    static const char *const folders[] = {"bert", "roberta"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof pairs / sizeof *pairs; i++) {
        struct tok *tok = golden_tok(folders[i % 2]);
        struct tmpl *with = compile(pairs[i / 2][0]), *without = compile(pairs[i / 2][1]);
        struct tmpl_input in = {"a lazy dog .", NULL, NULL, 0, 64};
        struct tmpl_rendered x = render(with, tok, &in), y = render(without, tok, &in);

        if (i / 2 < 5) { /* the last one ends in a blank, which {prompt} swallows */
            assert_int_equal(x.n, y.n);
            assert_memory_equal(x.ids, y.ids, x.n * sizeof *x.ids);
        }
        assert_int_equal(x.mask_pos, y.mask_pos);
        assert_int_equal(y.prompt_pos, -1);
        assert_true(x.prompt_pos >= 0);
        tmpl_rendered_fini(&x);
        tmpl_rendered_fini(&y);
        tmpl_free(with);
        tmpl_free(without);
        tok_free(tok);
    }
}

static enum bbt_rc once(const struct tok *tok)
{
    static const int32_t ids[] = {7, 7};
    struct tmpl_input in = {"the great unaffable dog runs running", NULL, ids, 2, 18};
    struct tmpl_rendered r = {0};
    struct bbt_err err = {0};
    struct tmpl *t = NULL;
    enum bbt_rc rc;

    rc = tmpl_compile("{prompt} {text} It was {mask}.", &t, &err);
    if (rc == BBT_OK)
        rc = tmpl_render(t, tok, &in, &r, &err);
    assert_int_equal(err.rc, rc);
    tmpl_rendered_fini(&r);
    tmpl_free(t);
    return rc;
}

static void expect_text(const char *pattern, const char *b, const char *word, const char *want)
{
    struct tmpl *t = compile(pattern);
    struct bbt_err err = {0};
    struct bbt_buf out;

    buf_init(&out, 1000);
    assert_int_equal(buf_puts(&out, "|"), BBT_OK); /* appended */
    if (tmpl_text(t, "a {film}", b, word, &out, &err) != BBT_OK)
        fail_msg("%s: %s", pattern, err.msg);
    assert_string_equal((char *)out.data + 1, want);
    buf_fini(&out);
    tmpl_free(t);
}

/* What a causal model is sent, and a demonstration. */
static void plain_text(void **state)
{
    (void)state;
    expect_text("{prompt} {text} It was {mask}", NULL, NULL, "a {film} It was");
    expect_text("{prompt} {text} It was {mask}", NULL, "great", "a {film} It was great");
    expect_text("{prompt} {text} It was {mask}", NULL, " great", "a {film} It was great");
    expect_text("{text_b}? {text}:{mask} \n", "why", NULL, "why? a {film}:");
    expect_text("{text} It was {mask}, {{right}}", NULL, "good", "a {film} It was good, {right}");
    expect_text("x {prompt}{text}{mask}", NULL, " y", "x a {film} y");
    expect_text("{mask}: {text}", NULL, "bad", "bad: a {film}");
}

static void what_cannot_be_plain_text(void **state)
{
    static const struct {
        const char *pattern, *word, *why;
        size_t room;
        int last;
    } bad[] = {
        {"{text} {mask}.", NULL, "end the template with {mask}", 99, 0},
        {"{mask} {text}", NULL, "end the template with {mask}", 99, 0},
        {"{text} {text_b} {mask}", NULL, "second text", 99, 1},
        {"{text} {mask}", NULL, "no room", 4, 1},
        {"{text} {mask}", "great", "no room", 10, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tmpl *t = compile(bad[i].pattern);
        struct bbt_err err = {0};
        struct bbt_buf out;

        buf_init(&out, bad[i].room);
        assert_int_equal(tmpl_mask_last(t), bad[i].last);
        assert_int_equal(
            tmpl_text(t, "a film", NULL, bad[i].word, &out, &err), BBT_INVALID);
        if (!strstr(err.msg, bad[i].why))
            fail_msg("%s: %s", bad[i].pattern, err.msg);
        buf_fini(&out);
        tmpl_free(t);
    }
}

static void without_memory(void **state)
{
    struct tok *bert = golden_tok("bert"), *roberta = golden_tok("roberta");

    (void)state;
    unit_oom(once(bert));
    unit_oom(once(roberta));
    tok_free(bert);
    tok_free(roberta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_template_can_be_too_long),
        cmocka_unit_test(what_a_template_tells),
        cmocka_unit_test(bert_rows),
        cmocka_unit_test(roberta_rows),
        cmocka_unit_test(the_longest_text_is_cut),
        cmocka_unit_test(what_cannot_be_rendered),
        cmocka_unit_test(cutting_spares_the_template),
        cmocka_unit_test(a_manual_prompt_has_no_trace_of_the_soft_one),
        cmocka_unit_test(plain_text),
        cmocka_unit_test(what_cannot_be_plain_text),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
