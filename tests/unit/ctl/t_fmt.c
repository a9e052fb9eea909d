/* Figures as people read them. */
#include "fmt.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void counts(void **state)
{
    static const struct {
        long long n;
        const char *text;
    } row[] = {{0, "0"}, {7, "7"}, {999, "999"}, {1000, "1,000"}, {12345, "12,345"},
        {1234567, "1,234,567"}, {-1000, "-1,000"},
        {LLONG_MAX, "9,223,372,036,854,775,807"}, {LLONG_MIN, "-9,223,372,036,854,775,808"}};
    char out[FMT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        fmt_count(row[i].n, out);
        assert_string_equal(out, row[i].text);
    }
}

static void seconds(void **state)
{
    static const struct {
        double s;
        const char *text;
    } row[] = {{0, "0.0 s"}, {0.42, "0.4 s"}, {9.94, "9.9 s"}, {46.4, "46 s"}, {59.4, "59 s"},
        {59.6, "1 min 00 s"}, {80, "1 min 20 s"}, {3599.7, "1 h 00 min"},
        {21840, "6 h 04 min"}, {86400, "1 d 00 h"}, {266400, "3 d 02 h"}, {NAN, "-"},
        {INFINITY, "-"}, {-3, "-"}, {1e300, "-"}};
    char out[FMT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        fmt_seconds(row[i].s, out);
        assert_string_equal(out, row[i].text);
    }
}

static void scores(void **state)
{
    char out[FMT_MAX];

    (void)state;
    fmt_score(0.95149, 3, false, out);
    assert_string_equal(out, "0.951");
    fmt_score(0.114, 3, true, out);
    assert_string_equal(out, "+0.114");
    fmt_score(-0.5, 1, true, out);
    assert_string_equal(out, "-0.5");
    fmt_score(NAN, 3, true, out);
    assert_string_equal(out, "-");
    fmt_score(-1e308, 10, false, out); /* fits, whatever it is */
    assert_string_equal(out, "-1.0000000000e+308");
}

static void times(void **state)
{
    struct ctl c = {.utc = true};
    char out[FMT_MAX];

    (void)state;
    assert_int_equal(setenv("TZ", "XST-3", 1), 0);
    tzset();
    fmt_time(&c, "2026-11-22T23:38:01Z", out);
    assert_string_equal(out, "2026-11-22T23:38:01Z");
    c.utc = false;
    fmt_time(&c, "2026-11-22T23:38:01Z", out);
    assert_string_equal(out, "2026-11-23 02:38:01");
    fmt_time(&c, NULL, out);
    assert_string_equal(out, "-");
    fmt_time(&c, "yesterday", out);
    assert_string_equal(out, "yesterday");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(seconds),
        cmocka_unit_test(scores),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
