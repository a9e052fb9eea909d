/* Retry-After in all its forms, and HTTP dates against the C library's calendar. */
#include "prov/verdict.h"
#include "unit.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#define NOW_S INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

struct headers {
    const char *after, *ms, *date;
};

static const char *header_of(const void *arg, const char *name)
{
    const struct headers *h = arg;

    if (!strcasecmp(name, "Retry-After"))
        return h->after;
    if (!strcasecmp(name, "retry-after-ms"))
        return h->ms;
    return strcasecmp(name, "Date") ? NULL : h->date;
}

static void every_form(void **state)
{
    static const struct {
        struct headers h;
        uint64_t us;
    } t[] = {
        {{NULL, NULL, NULL}, 0},
        {{"0", NULL, NULL}, 0},
        {{"3", NULL, NULL}, 3000000},
        {{"  3\t ", NULL, NULL}, 3000000},
        {{"0.25", NULL, NULL}, 250000},
        {{"1.0000001", NULL, NULL}, 1000001}, /* up, never down */
        {{"0.0000000000000001", NULL, NULL}, 1},
        {{"1.", NULL, NULL}, 1000000},
        {{"34560000", NULL, NULL}, UINT64_C(34560000000000)},
        {{"34560001", NULL, NULL}, 0}, /* over 400 days */
        {{"99999999999999999999999999", NULL, NULL}, 0},
        {{"-1", NULL, NULL}, 0},
        {{"+1", NULL, NULL}, 0},
        {{"", NULL, NULL}, 0},
        {{".5", NULL, NULL}, 0},
        {{"1e3", NULL, NULL}, 0},
        {{"nan", NULL, NULL}, 0},
        {{"inf", NULL, NULL}, 0},
        {{"3 seconds", NULL, NULL}, 0},
        {{"1,5", NULL, NULL}, 0},
        {{NULL, "1500", NULL}, 1500000},
        {{NULL, "0.5", NULL}, 500},
        {{"9", "1500", NULL}, 1500000}, /* the finer one wins */
        {{"9", "later", NULL}, 9000000},
        /* The three formats of RFC 9110, one minute ahead of the local clock. */
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, NULL}, 60000000},
        {{"Sunday, 06-Nov-94 08:50:37 GMT", NULL, NULL}, 60000000},
        {{"Sun Nov  6 08:50:37 1994", NULL, NULL}, 60000000},
        /* The server's own clock counts, not ours. */
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, "Sun, 06 Nov 1994 08:50:07 GMT"}, 30000000},
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, "Sun, 06 Nov 1994 08:50:37 GMT"}, 0},
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, "nonsense"}, 60000000},
        {{"Sun, 06 Nov 1994 08:48:37 GMT", NULL, NULL}, 0}, /* past */
        {{"Sun, 06 Nov 2094 08:48:37 GMT", NULL, NULL}, 0}, /* absurd */
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_reply r = {.status = 429, .header = header_of, .arg = &t[i].h};
        uint64_t us = verdict_retry_after_us(&r, NOW_S * 1000000);

        if (us != t[i].us)
            fail_msg("row %zu: %llu", i, (unsigned long long)us);
    }
}

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
        if (verdict_http_date(bad[i], NOW_S, &s))
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
            if (!verdict_http_date(text, now, &got) || got != at)
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

        assert_true(verdict_http_date(t[i].text, t[i].now, &got));
        at = (time_t)got;
        assert_non_null(gmtime_r(&at, &tm));
        assert_int_equal(tm.tm_year + 1900, t[i].year);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(not_dates),
        cmocka_unit_test(the_calendar_agrees_with_the_c_library),
        cmocka_unit_test(two_digit_years_are_near_the_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
