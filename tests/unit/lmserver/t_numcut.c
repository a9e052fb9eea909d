#include "lmtest.h"

#include "numcut.h"

#include <math.h>

static enum bbt_rc cut(
    const char *text, struct bbt_buf *slim, struct numcut *n, struct bbt_err *err)
{
    buf_init(slim, 1u << 16);
    return numcut_run(text, strlen(text), slim, n, err);
}

static void lifts(void **state)
{
    static const char text[] =
        "{ \"data\" : [ [1, -2.5], [3e2 ,\ttrue], [] ] , \"x\":\"\\\"data\\\":[9]\",\n"
        "\"y\":[\"data\", 1],\"data\":[0.1]}";
    static const double want[] = {1, -2.5, 300, 1, 0.1};
    struct bbt_buf slim;
    struct numcut n = {0};
    struct bbt_err err = {0};
    (void)state;

    assert_int_equal(cut(text, &slim, &n, &err), BBT_OK);
    assert_string_equal((const char *)slim.data,
        "{ \"data\" : 0 , \"x\":\"\\\"data\\\":[9]\",\n\"y\":[\"data\", 1],\"data\":1}");
    assert_int_equal(n.arrays, 2);
    assert_true(n.at[0] == 0 && n.at[1] == 4 && n.at[2] == 5);
    assert_memory_equal(n.num, want, sizeof want);
    numcut_fini(&n);
    buf_fini(&slim);
}

/* The quick reader must agree with strtod to the bit. */
static void numbers(void **state)
{
    static const char *const texts[] = {"0", "-0", "-0.0", "7", "0.1", "-0.3", "3.14159265",
        "123456789012345", "1234567890123456", "9007199254740993", "0.000000000000001",
        "1e-45", "3.4028235e38", "1E+2", "-2.5e-3", "0.30000000000000004", "1e308", "4.9e-324",
        "100.", "99999999999999.9", "1.00000000000000"};
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(texts); i++) {
        struct bbt_buf slim;
        struct numcut n = {0};
        double want = strtod(texts[i], NULL);
        char text[100];

        (void)snprintf(text, sizeof text, "{\"data\":[%s]}", texts[i]);
        assert_int_equal(cut(text, &slim, &n, NULL), BBT_OK);
        assert_memory_equal(n.num, &want, sizeof want);
        numcut_fini(&n);
        buf_fini(&slim);
    }
}

static void refusals(void **state)
{
    static const char *const bad[] = {"{\"data\":[1,]}", "{\"data\":[,1]}", "{\"data\":[1 2]}",
        "{\"data\":[1", "{\"data\":[", "{\"data\":[\"a\"]}", "{\"data\":[null]}",
        "{\"data\":[nan]}", "{\"data\":[inf]}", "{\"data\":[-inf]}", "{\"data\":[0x10]}",
        "{\"data\":[+1]}", "{\"data\":[.5]}", "{\"data\":[e5]}", "{\"data\":[1e]}",
        "{\"data\":[1-2]}", "{\"data\":[--1]}", "{\"data\":[{}]}", "{\"data\":5}",
        "{\"data\":\"x\"}", "{\"data\":{}}", "{\"data\":[[[[[[[[[1]]]]]]]]]}",
        "{\"data\":[tru]}", "{\"data\":[1]]",
        "{\"data\":[1111111111111111111111111111111111111111111111111111111111111111]}"};
    struct bbt_buf slim;
    (void)state;

    for (size_t i = 0; i < LMTEST_COUNT(bad); i++) {
        struct numcut n = {0};
        struct bbt_err err = {0};
        enum bbt_rc rc = cut(bad[i], &slim, &n, &err);

        /* one too many ']' is left to the JSON parser */
        if (rc == BBT_OK && strcmp(bad[i], "{\"data\":[1]]"))
            fail_msg("%s was taken", bad[i]);
        assert_true(rc == BBT_OK || (rc == BBT_INVALID && strstr(err.msg, "data")) ||
                    strstr(err.msg, "number"));
        numcut_fini(&n);
        buf_fini(&slim);
    }
}

static void limits(void **state)
{
    static char text[4096];
    struct bbt_buf slim;
    struct numcut n = {0};
    struct bbt_err err = {0};
    size_t at = 0;
    (void)state;

    for (size_t i = 0; i <= NUMCUT_ARRAYS_MAX; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "\"data\":[1]");
    lmtest_refused(
        (int)cut(text, &slim, &n, &err), BBT_INVALID, err.msg, "more than 16", "arrays");
    buf_fini(&slim);
    buf_init(&slim, 10);
    lmtest_refused((int)numcut_run("{\"name\":\"0123456789\"}", 21, &slim, &n, &err),
        BBT_INVALID, err.msg, "too large", "cap");
    buf_fini(&slim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifts),
        cmocka_unit_test(numbers),
        cmocka_unit_test(refusals),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
