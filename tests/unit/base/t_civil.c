/* The calendar against the C library's. */
#include "base/civil.h"
#include "unit.h"

#include <time.h>

static void days_and_seconds(void **state)
{
    (void)state;
    for (time_t at = -62135596800; at < 253402300800; at += 86400 * 5 + 3607) {
        struct tm tm;
        struct civil c;

        assert_non_null(gmtime_r(&at, &tm));
        c = (struct civil){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
            tm.tm_sec};
        assert_true(civil_valid(&c));
        assert_int_equal(civil_seconds(&c), at);
        assert_int_equal(civil_year(civil_floor(at, 86400)), c.year);
        assert_int_equal(civil_weekday(civil_floor(at, 86400)), (tm.tm_wday + 6) % 7);
    }
}

static void a_year_ends_on_its_last_day(void **state)
{
    (void)state;
    for (int year = -2000; year < 12000; year++) {
        assert_int_equal(civil_year(civil_days(year, 1, 1)), year);
        assert_int_equal(civil_year(civil_days(year, 12, 31)), year);
        assert_int_equal(civil_days(year + 1, 1, 1), civil_days(year, 12, 31) + 1);
    }
}

static void what_is_no_date(void **state)
{
    static const struct civil bad[] = {{0, 1, 1, 0, 0, 0}, {10000, 1, 1, 0, 0, 0},
        {2026, 0, 1, 0, 0, 0}, {2026, 13, 1, 0, 0, 0}, {2026, 1, 0, 0, 0, 0},
        {2026, 1, 32, 0, 0, 0}, {2026, 2, 29, 0, 0, 0}, {1900, 2, 29, 0, 0, 0},
        {2026, 1, 1, 24, 0, 0}, {2026, 1, 1, -1, 0, 0}, {2026, 1, 1, 0, 60, 0},
        {2026, 1, 1, 0, 0, 61}};
    static const struct civil good[] = {
        {2024, 2, 29, 0, 0, 0}, {2000, 2, 29, 23, 59, 60}, {1, 1, 1, 0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(civil_valid(&bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(civil_valid(&good[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_seconds),
        cmocka_unit_test(a_year_ends_on_its_last_day),
        cmocka_unit_test(what_is_no_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
