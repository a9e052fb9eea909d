/* JSON with big number arrays: what is cut, what is refused, every number to the bit. */
#include "base/alloc.h"
#include "base/json.h"
#include "prov/jcut.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct got {
    double v[64];
    size_t n;
};

static void keep(void *arg, size_t at, double v)
{
    struct got *g = arg;

    assert_int_equal(at, g->n);
    assert_true(g->n < 64);
    g->v[g->n++] = v;
}

static enum bbt_rc numbers(const char *text, const size_t *shape, size_t rank, struct got *g)
{
    size_t len = strlen(text);
    uint8_t *copy = bbt_alloc(len);
    struct bbt_err err = {0};
    enum bbt_rc rc;

    memcpy(copy, text, len);
    g->n = 0;
    rc = jcut_numbers(copy, len, shape, rank, keep, g, &err);
    bbt_free(copy);
    assert_true(rc == BBT_OK || err.msg[0]);
    return rc;
}

static void flat_and_nested_give_the_same(void **state)
{
    static const size_t shape[3] = {2, 1, 3};
    static const char *const good[] = {"[1,2,3,4,5,6]", " [ 1 ,\t2,3\n,4,5,6 ]",
        "[[[1,2,3]],[[4,5,6]]]", "[ [[1,2,3] ] ,[[4, 5,6]]]"};
    static const char *const bad[] = {"", "[", "[]", "1", "[1,2,3,4,5]", "[1,2,3,4,5,6,7]",
        "[1,2,3,4,5,6],", "[1,2,3,4,5,6", "[1,2,3,4,5,]", "[,1,2,3,4,5,6]", "[1 2 3 4 5 6]",
        "[[1,2,3],[4,5,6]]", "[[[1,2,3],[4,5,6]]]", "[[[1,2]],[[3,4]],[[5,6]]]",
        "[[[1,2,3]],[[4,5]]]", "[[[1,2,3]],[[4,5,6,7]]]", "[[[1,2,3]],4,5,6]",
        "[1,2,3,[[4,5,6]]]", "[[[[1,2,3]]],[[[4,5,6]]]]", "[[],[[1,2,3]],[[4,5,6]]]",
        "[[[]],[[]]]", "]1,2,3,4,5,6[", "[1,2,3,4,5,6]]", "[\"1\",2,3,4,5,6]",
        "[1,2,3,4,5,{}]"};
    struct got g;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (numbers(good[i], shape, 3, &g) != BBT_OK)
            fail_msg("%s is refused", good[i]);
        assert_int_equal(g.n, 6);
        for (int k = 0; k < 6; k++)
            assert_true(g.v[k] == k + 1);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (numbers(bad[i], shape, 3, &g) != BBT_CORRUPT)
            fail_msg("%s is taken", bad[i]);
}

static void one_number(const char *text, bool good, double want)
{
    static const size_t one = 1;
    char list[128];
    struct got g;
    enum bbt_rc rc;

    (void)snprintf(list, sizeof list, "[%s]", text);
    rc = numbers(list, &one, 1, &g);
    if ((rc == BBT_OK) != good)
        fail_msg("%s: %s", text, bbt_rc_name(rc));
    if (good && !(isnan(want) ? isnan(g.v[0]) : g.v[0] == want))
        fail_msg("%s reads as %.17g", text, g.v[0]);
}

static void the_grammar_of_numbers(void **state)
{
    static const char *const bad[] = {"", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e",
        "1e+", "0x10", "1_0", "--1", "1.2.3", "inf", "nan", "-NaN", "-null", "Infinit", "nul",
        "1e5.5", "\xff", "1a"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        one_number(bad[i], false, 0);
    one_number("0", true, 0);
    one_number("-0.0e-0", true, 0);
    one_number("10E+2", true, 1000);
    one_number("0.000000000000000000000000000001", true, 1e-30);
    one_number("123456789012345678901234567890", true, 123456789012345678901234567890.0);
    one_number("1e400", true, (double)INFINITY);
    one_number("-1e99999999999999999999", true, (double)-INFINITY);
    one_number("1e-400", true, 0);
    one_number("0e99999", true, 0);
    one_number("NaN", true, (double)NAN);
    one_number("null", true, (double)NAN);
    one_number("Infinity", true, (double)INFINITY);
    one_number("-Infinity", true, (double)-INFINITY);
}

/* xorshift: any fixed stream of bits will do. */
static uint64_t bits(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Floats of every size, printed in the two usual ways, come back to the bit. */
static void floats_come_back_to_the_bit(void **state)
{
    static const size_t one = 1;
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint32_t raw = (uint32_t)bits(&seed);
        char text[64];
        struct got g = {.n = 0};
        float v, back;
        int n;

        memcpy(&v, &raw, sizeof v);
        if (!isfinite(v))
            continue;
        n = snprintf(text, sizeof text, i & 1 ? "[%.9g]" : "[%.17g]", (double)v);
        assert_int_equal(jcut_numbers((const uint8_t *)text, (size_t)n, &one, 1, keep, &g,
                             NULL), BBT_OK);
        back = (float)g.v[0];
        if (memcmp(&v, &back, sizeof v))
            fail_msg("%s came back as %.9g", text, (double)back);
    }
}

static enum bbt_rc parse(const char *text, size_t len, struct jcut *c, struct bbt_err *err)
{
    return jcut_parse((const uint8_t *)text, len, "body", c, err);
}

static void arrays_are_cut_where_they_belong(void **state)
{
    static const char text[] =
        "{\"data\":[7],\"a\":\"\\\"data\\\":[\",\"outputs\":[{\"data\" : [1,[2,\"]\"]],"
        "\"name\":\"data\"},{\"data\":[],\"data2\":[3],\"x\":{\"data\":[4]}},[{\"data\":[5]}],"
        "{\"data\":{\"data\":[6]}}]}";
    struct jcut c = {0};
    char *rest;

    (void)state;
    assert_int_equal(parse(text, sizeof text - 1, &c, NULL), BBT_OK);
    assert_int_equal(c.pieces, 2);
    assert_int_equal(c.piece[0].len, 11);
    assert_memory_equal(c.piece[0].at, "[1,[2,\"]\"]]", 11);
    assert_memory_equal(c.piece[1].at, "[]", 2);
    rest = json_print(c.root);
    assert_string_equal(rest,
        "{\"a\":\"\\\"data\\\":[\",\"data\":[7],\"outputs\":[{\"data\":0,\"name\":\"data\"},"
        "{\"data\":1,\"data2\":[3],\"x\":{\"data\":[4]}},[{\"data\":[5]}],"
        "{\"data\":{\"data\":[6]}}]}");
    bbt_free(rest);
    jcut_fini(&c);
    assert_int_equal(parse("[[{\"data\":[5]}]]", 16, &c, NULL), BBT_OK);
    assert_int_equal(c.pieces, 0); /* the root is no object */
    jcut_fini(&c);
    jcut_fini(NULL);
}

static void what_is_not_json_is_refused(void **state)
{
    static const char *const bad[] = {"", "{", "{\"outputs\":[{\"data\":[1,2", "\"abc",
        "\"abc\\", "{\"outputs\":[{\"data\":[\"", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}",
        "{\"outputs\":[{\"data\":[1],\"data\":[2]}]}", "{\"a\":nan}", "]]]]", "}}"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t len = strlen(bad[i]);
        char *copy = bbt_alloc(len);
        struct jcut c = {0};
        struct bbt_err err = {0};

        memcpy(copy, bad[i], len);
        if (parse(copy, len, &c, &err) != BBT_CORRUPT || strncmp(err.msg, "body", 4))
            fail_msg("%s: %s", bad[i], err.msg);
        assert_int_equal(err.rc, BBT_CORRUPT);
        bbt_free(copy);
    }
}

/* Deep nesting and a long rest end at their limits; long numbers do not count as rest. */
static void limits_hold(void **state)
{
    size_t len = 1u << 20;
    char *text = bbt_alloc(len);
    struct jcut c = {0};
    struct bbt_err err = {0};
    int at;

    (void)state;
    memset(text, '[', len);
    assert_int_equal(parse(text, len, &c, &err), BBT_CORRUPT);
    memset(text, ' ', len);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + len - 2, "\"}", 2);
    assert_int_equal(parse(text, len, &c, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "over 262144 bytes"));
    at = snprintf(text, len, "{\"outputs\":[{\"data\":[");
    for (; (size_t)at < len - 8; at += 2)
        memcpy(text + at, "1,", 2);
    memcpy(text + at, "1]}]}", 5);
    assert_int_equal(parse(text, (size_t)at + 5, &c, &err), BBT_OK);
    assert_int_equal(c.pieces, 1);
    jcut_fini(&c);
    at = snprintf(text, len, "{\"outputs\":[");
    for (int i = 0; i < 17; i++)
        at += snprintf(text + at, len - (size_t)at, "{\"data\":[]}%s", i < 16 ? "," : "]}");
    assert_int_equal(parse(text, (size_t)at, &c, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "more than 16"));
    bbt_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_and_nested_give_the_same),
        cmocka_unit_test(the_grammar_of_numbers),
        cmocka_unit_test(floats_come_back_to_the_bit),
        cmocka_unit_test(arrays_are_cut_where_they_belong),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(limits_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
