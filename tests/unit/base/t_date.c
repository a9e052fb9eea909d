/* Dates of headers, against the C library's calendar. */
#include "base/date.h"
#include "unit.h"

#include <stdio.h>
#include <time.h>

#define NOW_S INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void not_dates(void **state)
{
    static const char *const bad[] = {"", "Sun", "Sun, 06 Nov 1994 08:49:37",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Xun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Jan 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 06 08:49:37 94", "Sun Nov   6 08:49:37 1994", "Sun, 29 Feb 1900 00:00:00 GMT",
        "Sun, 01 Jan 0000 00:00:00 GMT", "1994-11-06T08:49:37Z"};
    int64_t s;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (date_http(bad[i], NOW_S, &s))
            fail_msg("%s is taken", bad[i]);
}

/* Every few days over four centuries, all three formats, against gmtime and timegm. */
static void the_calendar_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (time_t at = -2208988800; at < 10413792000; at += 86400 * 3 + 3607) {
        static const char *const format[] = {
            "%a, %d %b %Y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%A, %d-%b-%y %H:%M:%S GMT"};
        struct tm tm;

        assert_non_null(gmtime_r(&at, &tm));
        for (int f = 0; f < 3; f++) {
            char text[64];
            int64_t got = 0, now = f == 2 && at < 0 ? 0 : at;

            if (f == 2 && at < 0)
                continue; /* two digits need a clock, and clocks start in 1970 */
            assert_true(strftime(text, sizeof text, format[f], &tm) > 0);
            if (!date_http(text, now, &got) || got != at)
                fail_msg("%s: %lld, not %lld", text, (long long)got, (long long)at);
        }
    }
}

static void two_digit_years_are_near_the_clock(void **state)
{
    static const struct {
        int64_t now;
        const char *text;
        int year;
    } t[] = {
        {NOW_S, "Thursday, 01-Jan-70 00:00:00 GMT", 1970},
        {INT64_C(1763800000), "Sunday, 01-Jan-00 00:00:00 GMT", 2000},
        {INT64_C(1763800000), "Sunday, 01-Jan-75 00:00:00 GMT", 2075},
        {INT64_C(1763800000), "Sunday, 01-Jan-76 00:00:00 GMT", 1976},
        {INT64_C(4070908800), "Sunday, 01-Jan-01 00:00:00 GMT", 2101},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        int64_t got = 0;
        time_t at;
        struct tm tm;

        assert_true(date_http(t[i].text, t[i].now, &got));
        at = (time_t)got;
        assert_non_null(gmtime_r(&at, &tm));
        assert_int_equal(tm.tm_year + 1900, t[i].year);
    }
}

static void rfc3339(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } t[] = {
        {"1994-11-06T08:49:37Z", NOW_S * 1000000},
        {"1994-11-06t08:49:37z", NOW_S * 1000000},
        {"1994-11-06 08:49:37Z", NOW_S * 1000000},
        {"1994-11-06T09:49:37+01:00", NOW_S * 1000000},
        {"1994-11-06T03:19:37-05:30", NOW_S * 1000000},
        {"1994-11-06T08:49:37.25Z", NOW_S * 1000000 + 250000},
        {"1994-11-06T08:49:37.000000Z", NOW_S * 1000000},
        {"1994-11-06T08:49:37.0000000001Z", NOW_S * 1000000 + 1},
        {"1994-11-06T08:49:37.123456789-00:00", NOW_S * 1000000 + 123457},
        {"1969-12-31T23:59:59Z", -1000000},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:60Z", INT64_C(253402300800000000)},
    };
    static const char *const bad[] = {"", "1994-11-06", "1994-11-06T08:49:37",
        "1994-11-06T08:49Z", "1994-11-06T08:49:37.Z", "1994-11-06T08:49:37+0100",
        "1994-11-06T08:49:37+24:00", "1994-11-06T08:49:37+00:60", "1994-11-06T08:49:37Z ",
        "1994-13-06T08:49:37Z", "1994-02-29T08:49:37Z", "1994-11-06T24:00:00Z",
        "94-11-06T08:49:37Z", "1994-11-6T08:49:37Z", "0000-01-01T00:00:00Z",
        "1994-11-06X08:49:37Z", "-994-11-06T08:49:37Z"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!date_rfc3339(t[i].text, &us) || us != t[i].us)
            fail_msg("%s: %lld", t[i].text, (long long)us);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (date_rfc3339(bad[i], &us))
            fail_msg("%s is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_dates),
        cmocka_unit_test(the_calendar_agrees_with_the_c_library),
        cmocka_unit_test(two_digit_years_are_near_the_clock),
        cmocka_unit_test(rfc3339),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
