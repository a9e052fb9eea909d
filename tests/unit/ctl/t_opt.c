/* The command line. */
#include "opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct opt common[] = {
    {"socket", 0, "PATH", ""}, {"quiet", 'q', NULL, ""}, {"output", 'o', "FORM", ""},
    {"timeout", 0, "DUR", ""}, {NULL, 0, NULL, NULL}};
static const struct opt own[] = {
    {"set", 0, "K=V", ""}, {"follow", 'f', NULL, ""}, {"priority", 0, "N", ""},
    {NULL, 0, NULL, NULL}};

/* Splits at spaces; "_" is an empty word. */
static enum bbt_rc parse(const char *line, struct opt_args *a, struct bbt_err *err)
{
    static char copy[256];
    static char *argv[16];
    static const char *pos[16];
    int argc = 0;

    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *p = copy; *p;) {
        size_t len = strcspn(p, " ");
        bool last = p[len] == '\0';

        p[len] = '\0';
        argv[argc++] = strcmp(p, "_") == 0 ? p + 1 : p;
        p += len + !last;
    }
    *a = (struct opt_args){.pos = pos};
    return opt_parse(argc, argv, common, own, a, err);
}

static void forms(void **state)
{
    struct opt_args a;

    (void)state;
    assert_int_equal(parse("one --socket /s -qf two --set a=1 --set=b=2 -ojson --priority -5 -",
                         &a, NULL),
        BBT_OK);
    assert_int_equal(a.pos_n, 3);
    assert_string_equal(a.pos[0], "one");
    assert_string_equal(a.pos[1], "two");
    assert_string_equal(a.pos[2], "-"); /* standard input, no option */
    assert_string_equal(opt_text(&a, "socket", ""), "/s");
    assert_string_equal(opt_text(&a, "output", ""), "json");
    assert_true(opt_has(&a, "quiet") && opt_has(&a, "follow"));
    assert_string_equal(opt_each(&a, "set", 0), "a=1");
    assert_string_equal(opt_each(&a, "set", 1), "b=2");
    assert_null(opt_each(&a, "set", 2));
    assert_string_equal(opt_text(&a, "set", ""), "b=2"); /* the last one counts */
    assert_string_equal(opt_text(&a, "priority", ""), "-5");

    assert_int_equal(parse("-- --set -q", &a, NULL), BBT_OK);
    assert_int_equal(a.pos_n, 2);
    assert_string_equal(a.pos[1], "-q");
    assert_int_equal(parse("--socket _", &a, NULL), BBT_OK);
    assert_string_equal(opt_text(&a, "socket", "x"), "");
}

static void refuses(void **state)
{
    static const struct {
        const char *line, *says;
    } row[] = {
        {"--sockte x", "--socket"}, /* with the nearest */
        {"--nothing-like-it", "unknown option"},
        {"--set", "needs a value"},
        {"-o", "needs a value"},
        {"--quiet=1", "takes no value"},
        {"-qx", "-x"},
        {"--sock x", "unknown"}, /* no abbreviations: they break with every new option */
    };
    struct opt_args a;

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct bbt_err err = {0};

        assert_int_equal(parse(row[i].line, &a, &err), BBT_INVALID);
        assert_non_null(strstr(err.msg, row[i].says));
    }
}

static void numbers(void **state)
{
    struct opt_args a;
    struct bbt_err err = {0};
    int64_t n = 42;
    uint64_t us = 42;

    (void)state;
    assert_int_equal(parse("", &a, NULL), BBT_OK);
    assert_int_equal(opt_count(&a, "priority", -100, 100, &n, &err), BBT_OK);
    assert_int_equal(opt_time(&a, "timeout", &us, &err), BBT_OK);
    assert_true(n == 42 && us == 42); /* not given: untouched */
    assert_int_equal(parse("--priority -100 --timeout 1.5s", &a, NULL), BBT_OK);
    assert_int_equal(opt_count(&a, "priority", -100, 100, &n, &err), BBT_OK);
    assert_int_equal(opt_time(&a, "timeout", &us, &err), BBT_OK);
    assert_int_equal(n, -100);
    assert_int_equal(us, 1500000);
    assert_int_equal(parse("--priority 101 --timeout soon", &a, NULL), BBT_OK);
    assert_int_equal(opt_count(&a, "priority", -100, 100, &n, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "101"));
    assert_int_equal(opt_time(&a, "timeout", &us, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "soon"));
    assert_int_equal(parse("--priority 3x", &a, NULL), BBT_OK);
    assert_int_equal(opt_count(&a, "priority", -100, 100, &n, &err), BBT_INVALID);
    assert_int_equal(n, -100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(refuses),
        cmocka_unit_test(numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
