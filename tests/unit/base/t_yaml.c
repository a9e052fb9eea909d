/* YAML: the subset, its scalars, places of values and of mistakes. */
#include "base/json.h"
#include "base/scalar.h"
#include "base/yaml.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static enum bbt_rc parse(const char *text, struct yaml_doc **ret, struct bbt_err *err)
{
    return yaml_parse(text, strlen(text), "f.yaml", ret, err);
}

/* The document as JSON with sorted keys. */
static void check(const char *text, const char *json)
{
    struct yaml_doc *d = NULL;
    struct bbt_err err = {0};
    char *got;

    if (parse(text, &d, &err) != BBT_OK)
        fail_msg("%s: %s", text, err.msg);
    got = json_print(yaml_tree(d));
    assert_string_equal(got, json);
    bbt_free(got);
    yaml_close(d);
}

static void core_scalars(void **state)
{
    (void)state;
    check("[null, Null, NULL, ~, ]", "[null,null,null,null]");
    check("a:\nb: x", "{\"a\":null,\"b\":\"x\"}");
    check("[true, True, TRUE, false, False, FALSE]",
        "[true,true,true,false,false,false]");
    /* what YAML 1.1 takes for truth values, base 60 and dates is text */
    check("[yes, no, on, off, y, n, tRue]",
        "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"tRue\"]");
    check("[22:00, 1:30:00, 2025-11-01, 1_000, 0b11]",
        "[\"22:00\",\"1:30:00\",\"2025-11-01\",\"1_000\",\"0b11\"]");
    check("[0, -0, +5, 007, 0o17, 0x1F, -9223372036854775808]",
        "[0,0,5,7,15,31,-9223372036854775808]");
    check("[0.5, .5, 5., 1e3, -1.5E-2, +.5]",
        "[0.5,0.5,5.0,1000.0,-0.014999999999999999,0.5]");
    check("[0x, 0o8, 1.2.3, 1e, +, -, .., 0xg, 08x, e5]",
        "[\"0x\",\"0o8\",\"1.2.3\",\"1e\",\"+\",\"-\",\"..\",\"0xg\",\"08x\",\"e5\"]");
    /* quotes make a text of everything */
    check("['1', \"true\", 'null', \"\", '~', \"a\\tb\"]",
        "[\"1\",\"true\",\"null\",\"\",\"~\",\"a\\tb\"]");
    check("a: |\n  two\n  lines\nb: >\n  folded\n  text\n",
        "{\"a\":\"two\\nlines\\n\",\"b\":\"folded text\\n\"}");
    check("1: a\ntrue: b\n\"x y\": c\n", "{\"1\":\"a\",\"true\":\"b\",\"x y\":\"c\"}");
    check("plain", "\"plain\"");
    check("--- # start\na: 1\n...\n", "{\"a\":1}");
    check("\xef\xbb\xbf"
          "a: 1",
        "{\"a\":1}");
}

/* Words that are no JSON numbers say so, and leave the result alone. */
static void scalars_by_themselves(void **state)
{
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    json_t *v = NULL;
    struct bbt_err err;

    (void)state;
    assert_int_equal(scalar_plain("1e400", 5, c, &v, &err), BBT_INVALID);
    assert_int_equal(scalar_plain("-.INF", 5, c, &v, &err), BBT_INVALID);
    assert_int_equal(
        scalar_plain("-9223372036854775809", 20, c, &v, &err), BBT_INVALID);
    assert_null(v);
    assert_int_equal(scalar_plain("1e-400", 6, c, &v, &err), BBT_OK); /* just nothing */
    assert_true(json_is_real(v) && json_real_value(v) == 0);
    json_decref(v);
    freelocale(c);
}

/* Whatever JSON can say, in the words of RFC 8259, surrogates and tabs included. */
static void json_is_yaml(void **state)
{
    (void)state;
    check("{\"a\": [1, 2.5, \"x\\/y\", null, true],\n\t\"b\": {\"c\": \"\\u00fc\"}}",
        "{\"a\":[1,2.5,\"x/y\",null,true],\"b\":{\"c\":\"\xc3\xbc\"}}");
    check(" {\"a\": \"\\ud83d\\ude00\"}", "{\"a\":\"\xf0\x9f\x98\x80\"}");
}

static void refuses_and_says_where(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "f.yaml:1:1: the file is empty"},
        {"# only\n# comments\n", "f.yaml:3:1: the file is empty"},
        {"a: 1\nb: &x 2\n", "f.yaml:2:4: anchors (&x)"},
        {"a: &x [1]\n", "f.yaml:1:4: anchors"},
        {"a: &x {b: 1}\n", "f.yaml:1:4: anchors"},
        {"&k a: 1\n", "f.yaml:1:1: anchors"},
        {"a: 1\nb: *x\n", "f.yaml:2:4: aliases (*x)"},
        {"*x : 1\n", "f.yaml:1:1: aliases"},
        {"a: !!str 1\n", "f.yaml:1:4: tags"},
        {"a: !x [1]\n", "f.yaml:1:4: tags"},
        {"a: !x {b: 1}\n", "f.yaml:1:4: tags"},
        {"a: ! 1\n", "f.yaml:1:4: tags"},
        {"%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: %-directives"},
        {"%TAG !e! tag:e,2000:\n---\na: 1\n", "f.yaml:1:1: %-directives"},
        {"a: 1\n<<: {b: 2}\n", "f.yaml:2:1: merge keys"},
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key \"a\" stands here twice"},
        {"{a: 1, \"a\": 2}", "f.yaml:1:8: the key \"a\" stands here twice"},
        {"1: a\n'1': b\n", "f.yaml:2:1: the key \"1\""},
        {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document"},
        {"? [a]\n: b\n", "f.yaml:1:3: a key must be a text"},
        {"? {a: b}\n: c\n", "f.yaml:1:3: a key must be a text"},
        {"{: 1}", "f.yaml:1:2:"},
        {"{\"\": 1}", "f.yaml:1:2: an empty key"},
        {"{\"a\\0b\": 1}", "f.yaml:1:2: a key with a NUL"},
        {"a: \"x\\0y\"\n", "f.yaml:1:4: a text with a NUL"},
        {"a: 9223372036854775808\n", "f.yaml:1:4: the number"},
        {"a: -0x1\n  b: 2\n", "f.yaml:2:4:"},
        {"a: 1e999\n", "f.yaml:1:4: the number 1e999 is too large"},
        {"a: .inf\n", "f.yaml:1:4: .inf is not a number here"},
        {"- -.Inf\n- .nan\n", "f.yaml:1:3: -.Inf"},
        {"a:\n\tb: 1\n", "f.yaml:2:1:"},
        {"a: @x\n", "f.yaml:1:4:"},
        {"a: [1, 2\n", "f.yaml:2:1:"},
        {"a: 'x\n", "f.yaml:"},
        {"a: 1\nb: \xff\n", "f.yaml:2:4: invalid leading UTF-8"},
        {"a: \xed\xa0\x80\n", "f.yaml:1:4:"},
        {"a: \x01\n", "f.yaml:1:4: control characters"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct yaml_doc *d = (struct yaml_doc *)&bad;
        struct bbt_err err = {0};

        if (parse(bad[i].text, &d, &err) != BBT_INVALID)
            fail_msg("accepted: %s", bad[i].text);
        assert_ptr_equal(d, &bad); /* untouched */
        if (strncmp(err.msg, bad[i].says, strlen(bad[i].says)) != 0)
            fail_msg("%s: says \"%s\", not \"%s\"", bad[i].text, err.msg, bad[i].says);
    }
}

static void tabs_get_their_hint(void **state)
{
    struct yaml_doc *d;
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(parse("a:\n\tb: 1\n", &d, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "not tabs"));
}

/* n times `piece`, ended by `tail`. */
static char *many(const char *piece, size_t n, const char *tail)
{
    size_t len = strlen(piece);
    char *text = bbt_alloc(len * n + strlen(tail) + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, piece, len);
    memcpy(text + len * n, tail, strlen(tail) + 1);
    return text;
}

static enum bbt_rc parse_many(const char *piece, size_t n, const char *tail)
{
    char *text = many(piece, n, tail);
    struct yaml_doc *d = NULL;
    enum bbt_rc rc = parse(text, &d, NULL);

    yaml_close(d);
    bbt_free(text);
    return rc;
}

static void depth_and_size(void **state)
{
    (void)state;
    assert_int_equal(parse_many("[", 32, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), BBT_OK);
    assert_int_equal(
        parse_many("[", 33, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), BBT_INVALID);
    assert_int_equal(parse_many("[", 500000, ""), BBT_INVALID);
    assert_int_equal(parse_many("{a: ", 200000, ""), BBT_INVALID);
    assert_int_equal(parse_many("- ", 200000, "x"), BBT_INVALID);
    assert_int_equal(parse_many("? ", 200000, "x"), BBT_INVALID);
    assert_int_equal(parse_many("- 1\n", 65000, ""), BBT_OK);
    assert_int_equal(parse_many("- 1\n", 66000, ""), BBT_INVALID);
    assert_int_equal(
        parse_many("#23456789012345\n", 65536, ""), BBT_INVALID); /* empty */
    assert_int_equal(parse_many("#23456789012345\n", 65535, "a: 1"), BBT_OK);
    assert_int_equal(
        parse_many("#23456789012345\n", 65536, "a"), BBT_INVALID); /* 1 MiB */
}

static void check_place(
    const struct yaml_doc *d, const char *pointer, int of_key, int line, int col)
{
    int l = 0, c = 0;

    yaml_place(d, pointer, of_key, &l, &c);
    if (l != line || c != col)
        fail_msg("%s: at %d:%d, not %d:%d", pointer, l, c, line, col);
}

static void places(void **state)
{
    static const char text[] = "stop:\n"
                               "  evaluations: 80\n"
                               "  \"a/b~c\": {x: 1, y: [7,  8]}\n"
                               "list:\n"
                               "  - one\n"
                               "  - two: 2\n"
                               "    three: 3\n"
                               "empty:\n";
    struct yaml_doc *d = NULL;

    (void)state;
    assert_int_equal(parse(text, &d, NULL), BBT_OK);
    check_place(d, "", 0, 1, 1);
    check_place(d, "/stop", 1, 1, 1);
    check_place(d, "/stop", 0, 2, 3);
    check_place(d, "/stop/evaluations", 1, 2, 3);
    check_place(d, "/stop/evaluations", 0, 2, 16);
    check_place(d, "/stop/a~1b~0c", 1, 3, 3);
    check_place(d, "/stop/a~1b~0c/y", 1, 3, 19);
    check_place(d, "/stop/a~1b~0c/y/1", 0, 3, 27);
    check_place(d, "/list/0", 0, 5, 5);
    check_place(d, "/list/1/three", 0, 7, 12);
    check_place(d, "/empty", 1, 8, 1);
    /* nowhere: the nearest parent */
    check_place(d, "/stop/nothing/at/all", 0, 2, 3);
    check_place(d, "/list/9", 0, 5, 3);
    check_place(d, "/nothing", 0, 1, 1);
    check_place(d, "/lis", 0, 1, 1);
    yaml_close(d);
    yaml_close(NULL);
}

static enum bbt_rc parse_twice(void)
{
    struct yaml_doc *d = NULL;
    enum bbt_rc rc = parse("a: [1, 2.5, x, 'y', null]\nb: {c: [{d: e}]}\n", &d, NULL);

    yaml_close(d);
    return rc;
}

static void without_memory(void **state)
{
    (void)state;
    unit_oom(parse_twice());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_scalars),
        cmocka_unit_test(scalars_by_themselves),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(refuses_and_says_where),
        cmocka_unit_test(tabs_get_their_hint),
        cmocka_unit_test(depth_and_size),
        cmocka_unit_test(places),
        cmocka_unit_test(without_memory),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
