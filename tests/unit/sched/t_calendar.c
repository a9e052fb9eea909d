/* Windows of the week, minute by minute, by the clock of the C library. */
#include "sched/calendar.h"
#include "unit.h"

#include "../zones.h"

#define WEEK_MIN (7 * HOURS_DAY_MIN)
#define STEP_S 300

static const struct hours_week weeks[] = {
    {{1320, 480}, 0},                         /* every night */
    {{120, 240}, 1u << 6},                    /* Sunday 02:00-04:00, where clocks change */
    {{0, 1440}, 0x1f},                        /* working days */
    {{150, 180}, 0},                          /* now and then skipped, now and then twice */
    {{1410, 30}, 1u << 4 | 1u << 6},          /* over midnight, Friday and Sunday */
};

#define WEEKS_NR (sizeof weeks / sizeof weeks[0])

/* The minutes of the week that belong to the windows, painted from their beginnings. */
static void paint(const struct hours_week *w, uint8_t map[WEEK_MIN])
{
    unsigned from = w->hours.from_min, to = w->hours.to_min;
    unsigned minutes = to > from ? to - from : HOURS_DAY_MIN - from + to;

    for (unsigned d = 0; d < 7; d++)
        for (unsigned k = 0; k < minutes && (!w->days || w->days >> d & 1); k++)
            map[(d * HOURS_DAY_MIN + from + k) % WEEK_MIN] = 1;
}

static bool painted(const uint8_t map[WEEK_MIN], int64_t utc_s)
{
    struct tm tm = zones_tm(utc_s);

    return map[(tm.tm_wday + 6) % 7 * HOURS_DAY_MIN + tm.tm_hour * 60 + tm.tm_min];
}

/* Every five minutes of `days` days, and every moment at which something changes. */
static void compare(const struct calendar_window *w, size_t n, int64_t from, int days)
{
    uint8_t map[WEEK_MIN] = {0};
    int64_t next = calendar_next(w, n, from * 1000000);

    for (size_t i = 0; i < n; i++)
        paint(&w[i].week, map);
    for (int64_t at = from; at < from + days * 86400; at += STEP_S) {
        bool open = painted(map, at);

        if (calendar_open(w, n, at * 1000000 + 999999) != open)
            fail_msg("at %lld: not %d", (long long)at, open);
        if (open == painted(map, at + STEP_S))
            continue;
        if (next != (at + STEP_S) * 1000000)
            fail_msg("at %lld: next is %lld", (long long)at, (long long)next);
        assert_int_equal(calendar_next(w, n, next - 1), next);
        next = calendar_next(w, n, next);
    }
}

static void a_year_in_every_zone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZONES_NR; i++) {
        const struct zone *z = zones_open(zones_all[i]);
        struct calendar_window all[WEEKS_NR];

        for (size_t k = 0; k < WEEKS_NR; k++) {
            all[k] = (struct calendar_window){weeks[k], z};
            compare(&all[k], 1, INT64_C(1767222000), 366); /* 2026 */
        }
        compare(all, 2, INT64_C(1767222000), 366);
        compare(&all[3], 2, INT64_C(1767222000), 366);
        zone_free(z);
    }
}

static void samoas_friday_never_came(void **state)
{
    const struct zone *z = zones_open("Apia");
    const struct calendar_window w = {{{0, 1440}, 1u << 4}, z};

    (void)state;
    compare(&w, 1, INT64_C(1324080000), 30); /* 2011-12-17 */
    zone_free(z);
}

static void several_zones(void **state)
{
    const struct zone *berlin = zones_open("Berlin"), *sydney = zones_open("Sydney");
    const struct calendar_window w[] = {{{{480, 540}, 0}, berlin}, {{{480, 540}, 0}, sydney},
        {{{480, 540}, 0}, NULL}};
    int64_t at = INT64_C(1769990400) * 1000000; /* Monday, 2026-02-02 00:00 UTC */
    static const int64_t hours[] = {7, 9, 21, 22, 31}; /* Berlin touches UTC's; Sydney +11 */

    (void)state;
    for (size_t i = 0; i < sizeof hours / sizeof hours[0]; i++) {
        int64_t next = calendar_next(w, 3, at);

        assert_int_equal(next, (INT64_C(1769990400) + hours[i] * 3600) * 1000000);
        assert_int_equal(calendar_open(w, 3, next), i % 2 == 0);
        at = next;
    }
    zone_free(berlin);
    zone_free(sydney);
}

static void always_and_never(void **state)
{
    static const struct calendar_window always[] = {
        {{{0, 720}, 0}, NULL}, {{{720, 1440}, 0}, NULL}};
    static const int64_t far[] = {INT64_MIN, -1, 0, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        assert_false(calendar_open(NULL, 0, far[i]));
        assert_int_equal(calendar_next(NULL, 0, far[i]), CALENDAR_NEVER);
        assert_true(calendar_open(always, 2, far[i]));
        assert_int_equal(calendar_next(always, 2, far[i]), CALENDAR_NEVER);
    }
    assert_int_equal(calendar_next(always, 1, -1), 0);
    assert_int_equal(calendar_next(always, 1, 0), INT64_C(43200000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_year_in_every_zone),
        cmocka_unit_test(samoas_friday_never_came),
        cmocka_unit_test(several_zones),
        cmocka_unit_test(always_and_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
