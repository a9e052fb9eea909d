/* Hours of the week: how they are written, and against a map of its minutes. */
#include "base/hours.h"
#include "unit.h"

static void written(void **state)
{
    static const struct {
        const char *text;
        unsigned from, to;
        const char *back;
    } good[] = {
        {"22:00-08:00", 1320, 480, "22:00-08:00"},
        {"8:30-9:05", 510, 545, "08:30-09:05"},
        {"00:00-24:00", 0, 1440, "00:00-24:00"},
        {"16:30-00:30", 990, 30, "16:30-00:30"},
        {"23:59-0:00", 1439, 0, "23:59-00:00"},
    };
    static const char *const bad[] = {"", "-", "8-9", "08:00", "08:00-", "08:00-08:00",
        "24:00-08:00", "08:00-24:01", "08:60-09:00", "08:0-09:00", "8:000-9:00", "25:00-26:00",
        "008:00-09:00", " 08:00-09:00", "08:00-09:00 ", "08:00 - 09:00", "08:00-09:00x",
        "-8:00-09:00", "08.00-09.00"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct hours h;
        char back[12];

        assert_true(hours_parse(good[i].text, &h));
        assert_int_equal(h.from_min, good[i].from);
        assert_int_equal(h.to_min, good[i].to);
        hours_print(h, back, sizeof back);
        assert_string_equal(back, good[i].back);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hours h;

        if (hours_parse(bad[i], &h))
            fail_msg("\"%s\" is taken", bad[i]);
    }
}

static void days(void **state)
{
    (void)state;
    for (unsigned d = 0; d < 7; d++)
        assert_int_equal(hours_day(hours_day_name(d)), d);
    assert_string_equal(hours_day_name(0), "mon");
    assert_string_equal(hours_day_name(6), "sun");
    assert_int_equal(hours_day("monday"), -1);
    assert_int_equal(hours_day("Mon"), -1);
    assert_int_equal(hours_day(""), -1);
}

/* Paints the minutes that belong to the stretch, beginning by beginning. */
static void paint(const struct hours_week *w, uint8_t map[7 * HOURS_DAY_MIN])
{
    unsigned from = w->hours.from_min, to = w->hours.to_min;
    unsigned minutes = to > from ? to - from : HOURS_DAY_MIN - from + to;

    memset(map, 0, 7 * HOURS_DAY_MIN);
    for (unsigned d = 0; d < 7; d++)
        for (unsigned k = 0; k < minutes && (!w->days || w->days >> d & 1); k++)
            map[(d * HOURS_DAY_MIN + from + k) % (7 * HOURS_DAY_MIN)] = 1;
}

static void every_minute_of_the_week(void **state)
{
    static const struct hours some[] = {
        {0, 0}, {0, 1440}, {0, 1}, {1439, 1440}, {1439, 0}, {1320, 480}, {600, 660}, {1, 0}};
    static const uint8_t masks[] = {0, 0x7f, 0x01, 0x40, 0x1f, 0x2a};

    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        for (size_t m = 0; m < sizeof masks; m++) {
            const struct hours_week w = {some[i], masks[m]};
            uint8_t map[7 * HOURS_DAY_MIN];

            paint(&w, map);
            for (unsigned k = 0; k < sizeof map; k++)
                if (hours_inside(&w, k / HOURS_DAY_MIN, k % HOURS_DAY_MIN) != map[k])
                    fail_msg("hours %zu, days %#x, minute %u of the week", i, masks[m], k);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written),
        cmocka_unit_test(days),
        cmocka_unit_test(every_minute_of_the_week),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
