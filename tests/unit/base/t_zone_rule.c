/* Rules of time zones: against the C library, which reads the same text from TZ. */
#include "base/zone_rule.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

static void libc_zone(const char *rule)
{
    assert_int_equal(setenv("TZ", rule, 1), 0);
    tzset();
}

static int64_t libc_offset(int64_t utc_s)
{
    time_t t = (time_t)utc_s;
    struct tm tm;

    assert_non_null(localtime_r(&t, &tm));
    return tm.tm_gmtoff;
}

static void as_the_c_library(void **state)
{
    static const char *const rules[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1", "EET-2EEST,M4.5.5/0,M10.5.4/24",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "AAA3BBB,J60/2,J300/2",
        "AAA-5:30:15BBB,59/2,300/2:30:15",
        "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3"};

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct zone_rule r;
        int64_t next;

        assert_true(zone_rule_parse(rules[i], strlen(rules[i]), &r));
        libc_zone(rules[i]);
        next = zone_rule_next(&r, INT64_C(946684800));
        for (int64_t at = INT64_C(946684800); at < INT64_C(7258118400); at += 4 * 3600 + 1) {
            if (zone_rule_offset(&r, at) != libc_offset(at))
                fail_msg("%s: %d at %lld", rules[i], zone_rule_offset(&r, at), (long long)at);
            if (at < next)
                continue;
            assert_true(libc_offset(next - 1) != libc_offset(next));
            assert_int_equal(zone_rule_offset(&r, next), libc_offset(next));
            next = zone_rule_next(&r, at);
            assert_true(next > at);
        }
    }
}

/* RFC 8536 3.3.1: summer time all year is one that ends when the next one begins. */
static void permanent_summer_time(void **state)
{
    static const char text[] = "XXX3EDT4,0/0,J365/23";
    struct zone_rule r;

    (void)state;
    assert_true(zone_rule_parse(text, sizeof text - 1, &r));
    for (int64_t at = 0; at < INT64_C(4102444800); at += 86400 - 1)
        assert_int_equal(zone_rule_offset(&r, at), -4 * 3600);
    assert_int_equal(zone_rule_next(&r, 1763800000), INT64_MAX);
}

static void not_rules(void **state)
{
    static const char *const bad[] = {"", "CET", "C-1", "CE-1", "CET-1 ", "CET-1CEST", "CET-26",
        "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,J1",
        "CET-1CEST,M3.0.0,J1", "CET-1CEST,M3.5.7,J1", "CET-1CEST,J0,J1", "CET-1CEST,J366,J1",
        "CET-1CEST,366,J1", "CET-1CEST,J1/168,J2", "CET-1CEST,J1,J2x", "<CET-1", "<C>-1", "<CE_>-1",
        "CET-1:60", "CET-1:00:60", "CET-0001", "CET--1", "CET25", "CET-1CEST,M3.5,M10.5.0"};
    static const char *const good[] = {"CET-25:59:59", "CET+1", "<123>24:59:59",
        "CET-1CEST,J1/-167,365/167"};
    struct zone_rule r;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (zone_rule_parse(bad[i], strlen(bad[i]), &r))
            fail_msg("\"%s\" is taken", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!zone_rule_parse(good[i], strlen(good[i]), &r))
            fail_msg("\"%s\" is refused", good[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_c_library),
        cmocka_unit_test(permanent_summer_time),
        cmocka_unit_test(not_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
