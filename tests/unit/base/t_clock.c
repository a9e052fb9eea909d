/* Clocks: the monotonic one never goes back, dates are right at the odd places. */
#include "base/clock.h"
#include "unit.h"

static void dates(void **state)
{
    static const struct {
        int64_t s;
        const char *text;
    } d[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {1795390681, "2026-11-22T23:38:01Z"},
        {4107542399, "2100-02-28T23:59:59Z"},
        {-1, "1969-12-31T23:59:59Z"},
    };
    char out[32];

    (void)state;
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
        clock_rfc3339(d[i].s * 1000000, out, 21);
        assert_string_equal(out, d[i].text);
        clock_rfc3339(d[i].s * 1000000 + 999999, out, 21);
        assert_string_equal(out, d[i].text); /* fractions fall towards the past */
    }
}

static void what_does_not_fit_is_empty(void **state)
{
    char out[32] = "garbage";

    (void)state;
    clock_rfc3339(0, out, 20);
    assert_string_equal(out, "");
    clock_rfc3339(INT64_MAX, out, 21); /* a year of six digits */
    assert_string_equal(out, "");
    out[0] = 'x';
    clock_rfc3339(0, out, 0);
    assert_int_equal(out[0], 'x');
}

static void monotonic(void **state)
{
    uint64_t last = clock_mono_us(), first = last;

    (void)state;
    while (last - first < 2000) { /* two milliseconds must pass by themselves */
        uint64_t now = clock_mono_us();

        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_wall_us() > 1700000000LL * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),
        cmocka_unit_test(what_does_not_fit_is_empty),
        cmocka_unit_test(monotonic),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
