/* Waits as servers write them. */
#include "prov/wait.h"
#include "unit.h"

#include <stdio.h>
#include <strings.h>

#define NOW_US INT64_C(784111777000000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } t[] = {
        {"12ms", 12000},
        {"9ms", 9000},
        {"1s", 1000000},
        {"6m0s", 360000000},
        {"1h2m3.5s", 3723500000},
        {"2m59.56s", 179560000},
        {"8.64s", 8640000},
        {"0s", 0},
        {"250us", 250},
        {"250\xc2\xb5s", 250}, /* micro sign */
        {"250\xce\xbcs", 250}, /* Greek mu */
        {"1ns", 1},            /* up, never down */
        {"1500ns", 2},
        {"1s1ns", 1000001},
        {"0.0000000001s", 1},
        {"1d12h", UINT64_C(129600000000)},
        {" 5s ", 5000000},
        {"0", 0},
        {"60", 60000000},
        {"46.72", 46720000},
        {"400d", WAIT_ABSURD_US},
        {"9600h", WAIT_ABSURD_US},
    };
    static const char *const bad[] = {"", " ", "s", "-1s", "+1s", "1x", "1s2", "1 s", "1s 2s",
        "s1", "1.2.3s", ".5s", "1e3s", "inf", "nan", "401d", "9600h1ns", "400d1us",
        "99999999999999999999999s", "5s;", "0x10"};
    uint64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!wait_duration(t[i].text, &us) || us != t[i].us)
            fail_msg("%s: %llu", t[i].text, (unsigned long long)us);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        us = 77;
        if (wait_duration(bad[i], &us) || us != 77)
            fail_msg("\"%s\" is taken", bad[i]);
    }
}

/* What Go prints, put together from its parts, is read back. */
static void sums(void **state)
{
    (void)state;
    for (uint64_t us = 1; us < UINT64_C(86400000000); us = us * 7 / 5 + 1) {
        uint64_t s = us / 1000000, got = 0;
        char text[64];

        (void)snprintf(text, sizeof text, "%lluh%llum%llu.%06llus",
            (unsigned long long)(s / 3600), (unsigned long long)(s / 60 % 60),
            (unsigned long long)(s % 60), (unsigned long long)(us % 1000000));
        assert_true(wait_duration(text, &got));
        assert_int_equal(got, us);
        (void)snprintf(text, sizeof text, "%llu.%03llu", (unsigned long long)(us / 1000),
            (unsigned long long)(us % 1000));
        assert_true(wait_decimal(text, 1000, &got));
        assert_int_equal(got, us);
    }
}

static void moments(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } t[] = {
        {"6m0s", 360000000},
        {"30", 30000000},
        {"1994-11-06T08:50:37Z", 60000000},
        {"1994-11-06T08:49:37.5Z", 500000},
        {"1994-11-06T08:48:37Z", 0}, /* past */
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60000000},
        {"1400000000", 0}, /* a second of the year 2014, long past in 2033 */
        {"2000000060", 60000000},
        {"2000000001500", 1500000}, /* milliseconds */
    };
    static const char *const bad[] = {"", "-5", "soon", "999999999", "2050000000",
        "9223372036854775807", "99999999999999999999", "2100-01-01T00:00:00Z", "nan"};
    uint64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        int64_t now = i < 6 ? NOW_US : INT64_C(2000000000000000);

        if (!wait_until(t[i].text, now, &us) || us != t[i].us)
            fail_msg("%s: %llu", t[i].text, (unsigned long long)us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (wait_until(bad[i], INT64_C(2000000000000000), &us))
            fail_msg("\"%s\" is taken", bad[i]);
}

static void words(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } t[] = {
        {"Rate limit reached for x in organization y on tokens per min: Limit 6000, Used 5990, "
         "Requested 60. Please try again in 46.72s. Visit https://b/ for more.",
            46720000},
        {"Please try again in 6m0s.", 360000000},
        {"try again in 120ms", 120000},
        {"Try Again In 5.289s", 5289000},
        {"Please retry after 6 seconds.", 6000000},
        {"please retry after 1 second", 1000000},
        {"Please retry in 37.5 seconds", 37500000},
        {"retry after 20", 20000000},
        {"try again in 2 minutes", 120000000},
        {"try again in 3 hours", UINT64_C(10800000000)},
        {"try again in 500 milliseconds", 500000},
        {"try again in a moment; retry after 3s", 3000000},
    };
    static const char *const none[] = {"", "try again later", "try again in", "try again in ",
        "try again in -5s", "retry after seconds", "in 5 seconds",
        "try again in 99999999999999999999 days", "try again in 1.2.3s"};
    uint64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (!wait_in_words(t[i].text, &us) || us != t[i].us)
            fail_msg("%s: %llu", t[i].text, (unsigned long long)us);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        us = 77;
        if (wait_in_words(none[i], &us) || us != 77)
            fail_msg("\"%s\" is taken: %llu", none[i], (unsigned long long)us);
    }
}

static const char *date_of(const void *arg, const char *name)
{
    return strcasecmp(name, "date") ? NULL : arg;
}

static void whose_clock(void **state)
{
    struct prov_reply r = {.header = date_of, .arg = "Sun, 06 Nov 1994 08:49:37 GMT"};

    (void)state;
    assert_int_equal(wait_now_us(&r, 5), NOW_US);
    r.arg = "yesterday";
    assert_int_equal(wait_now_us(&r, 5), 5);
    r.arg = NULL;
    assert_int_equal(wait_now_us(&r, 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sums),
        cmocka_unit_test(moments),
        cmocka_unit_test(words),
        cmocka_unit_test(whose_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
