/* Durations and sizes. */
#include "spec/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void reads(void **state)
{
    static const struct {
        enum unit_kind kind;
        const char *text;
        uint64_t v;
    } good[] = {
        {UNIT_TIME, "60s", 60000000},
        {UNIT_TIME, "60", 60000000},
        {UNIT_TIME, "0s", 0},
        {UNIT_TIME, "1.5h", UINT64_C(5400000000)},
        {UNIT_TIME, ".5ms", 500},
        {UNIT_TIME, "7us", 7},
        {UNIT_TIME, "5m", 300000000},
        {UNIT_TIME, "2d", UINT64_C(172800000000)},
        {UNIT_TIME, "0.1s", 100000},
        {UNIT_SIZE, "32M", 33554432},
        {UNIT_SIZE, "1.5K", 1536},
        {UNIT_SIZE, "17", 17},
        {UNIT_SIZE, "2G", UINT64_C(2147483648)},
        {UNIT_SIZE, "1T", UINT64_C(1099511627776)},
        {UNIT_COUNT, "30M", 30000000},
        {UNIT_COUNT, "1.5k", 1500},
        {UNIT_COUNT, "12000", 12000},
    };
    static const struct {
        enum unit_kind kind;
        const char *text;
    } bad[] = {
        {UNIT_TIME, ""},
        {UNIT_TIME, "s"},
        {UNIT_TIME, "."},
        {UNIT_TIME, "-1s"},
        {UNIT_TIME, "+1s"},
        {UNIT_TIME, " 1s"},
        {UNIT_TIME, "1 s"},
        {UNIT_TIME, "1s "},
        {UNIT_TIME, "1S"},
        {UNIT_TIME, "1h30m"},
        {UNIT_TIME, "1.2.3s"},
        {UNIT_TIME, "0x10s"},
        {UNIT_TIME, "1e3s"},
        {UNIT_TIME, "inf"},
        {UNIT_TIME, "nan"},
        {UNIT_TIME, "0.5us"}, /* no whole number of microseconds */
        {UNIT_TIME, "200000d"},
        {UNIT_TIME, "99999999999999999999999999"},
        {UNIT_SIZE, "32MB"},
        {UNIT_SIZE, "32m"},
        {UNIT_COUNT, "30m"},
        {UNIT_COUNT, "0.5"},
        {UNIT_SIZE, "0.5"},
        {UNIT_SIZE, "9000T"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t v = 1;

        if (!unit_parse(good[i].kind, good[i].text, &v) || v != good[i].v)
            fail_msg("%s: %llu", good[i].text, (unsigned long long)v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t v = 77;

        if (unit_parse(bad[i].kind, bad[i].text, &v))
            fail_msg("accepted: \"%s\"", bad[i].text);
        assert_int_equal(v, 77); /* untouched */
    }
}

static void prints(void **state)
{
    static const struct {
        enum unit_kind kind;
        uint64_t v;
        const char *text;
    } cases[] = {
        {UNIT_TIME, 0, "0s"},
        {UNIT_TIME, 90000000, "90s"},
        {UNIT_TIME, 60000000, "1m"},
        {UNIT_TIME, 1500, "1500us"},
        {UNIT_TIME, UINT64_C(86400000000), "1d"},
        {UNIT_SIZE, 0, "0"},
        {UNIT_SIZE, 33554432, "32M"},
        {UNIT_SIZE, 1025, "1025"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[40];
        uint64_t back = 1;

        unit_print(cases[i].kind, cases[i].v, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        assert_true(unit_parse(cases[i].kind, text, &back));
        assert_int_equal(back, cases[i].v);
    }
}

/* Exact for every magnitude: print, read back. */
static void round_trip(void **state)
{
    uint64_t v = 1;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char text[40];
        uint64_t back = 0, n;

        v = v * UINT64_C(6364136223846793005) + 1442695040888963407;
        n = (v >> 11) >> (v % 53);
        for (int kind = UNIT_TIME; kind <= UNIT_SIZE; kind++) {
            unit_print((enum unit_kind)kind, n, text, sizeof text);
            assert_true(unit_parse((enum unit_kind)kind, text, &back));
            assert_int_equal(back, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(prints),
        cmocka_unit_test(round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
