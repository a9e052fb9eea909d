/* Arrays of numbers in pieces: their shape, their grammar, every number to the bit. */
#include "base/alloc.h"
#include "prov/numlist.h"
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

/* In pieces of `most` bytes. */
static enum bbt_rc numbers_in(const char *text, const size_t *shape, size_t rank,
    size_t most, struct got *g, struct bbt_err *err)
{
    size_t len = strlen(text), at = 0, used = 0;
    struct numlist l;
    enum bbt_rc rc;

    g->n = 0;
    rc = numlist_begin(&l, shape, rank, keep, g, err);
    while (rc == BBT_OK && at < len && !l.done) {
        size_t n = len - at < most ? len - at : most;
        uint8_t *copy = bbt_alloc(n); /* exact, so that ASan sees a read past it */

        memcpy(copy, text + at, n);
        rc = numlist_feed(&l, copy, n, &used, err);
        bbt_free(copy);
        assert_true(rc != BBT_OK || l.done || used == n);
        at += used;
    }
    return rc == BBT_OK && (!l.done || text[at]) ? BBT_CORRUPT : rc;
}

/* The pieces make no difference. */
static enum bbt_rc numbers(const char *text, const size_t *shape, size_t rank, struct got *g)
{
    static const size_t most[] = {1, 2, 3, 5, 8};
    struct bbt_err err = {0};
    enum bbt_rc rc = numbers_in(text, shape, rank, SIZE_MAX, g, &err);

    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        struct got other;

        assert_int_equal(numbers_in(text, shape, rank, most[i], &other, &err), rc);
        if (rc == BBT_OK) {
            assert_int_equal(other.n, g->n);
            assert_memory_equal(other.v, g->v, g->n * sizeof g->v[0]);
        }
    }
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
    for (int i = 0; i < 100000; i++) {
        uint32_t raw = (uint32_t)bits(&seed);
        char text[64];
        struct got g = {.n = 0};
        float v, back;
        int n;

        memcpy(&v, &raw, sizeof v);
        if (!isfinite(v))
            continue;
        n = snprintf(text, sizeof text, i & 1 ? "[%.9g]" : "[%.17g]", (double)v);
        assert_true(n > 0);
        assert_int_equal(
            numbers_in(text, &one, 1, i & 2 ? SIZE_MAX : 7, &g, NULL), BBT_OK);
        back = (float)g.v[0];
        if (memcmp(&v, &back, sizeof v))
            fail_msg("%s came back as %.9g", text, (double)back);
    }
}

static void ranks_and_long_numbers_have_limits(void **state)
{
    static const size_t shape[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const size_t vast[2] = {SIZE_MAX, 2}, one = 1;
    char text[512];
    struct numlist l;
    struct bbt_err err = {0};
    struct got g;

    (void)state;
    assert_int_equal(numlist_begin(&l, shape, 0, keep, &g, &err), BBT_CORRUPT);
    assert_int_equal(numlist_begin(&l, shape, 9, keep, &g, &err), BBT_CORRUPT);
    assert_int_equal(numlist_begin(&l, vast, 2, keep, &g, &err), BBT_CORRUPT);
    assert_int_equal(numbers("[[[[[[[[1]]]]]]]]", shape, 8, &g), BBT_OK);
    memset(text, '1', sizeof text);
    text[0] = '[';
    memcpy(text + 257, "]", 2); /* 256 digits */
    assert_int_equal(numbers_in(text, &one, 1, 1, &g, &err), BBT_OK);
    memcpy(text + 257, "1]", 3);
    assert_int_equal(numbers_in(text, &one, 1, 1, &g, &err), BBT_CORRUPT);
    assert_non_null(strstr(err.msg, "digits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_and_nested_give_the_same),
        cmocka_unit_test(the_grammar_of_numbers),
        cmocka_unit_test(floats_come_back_to_the_bit),
        cmocka_unit_test(ranks_and_long_numbers_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
