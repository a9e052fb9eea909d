/* Time zones: every offset and every change against the C library's own reader. */
#include "base/zone.h"
#include "unit.h"

#include "../zones.h"

#include "base/buf.h"
#include "base/civil.h"
#include "base/file.h"

#define FIRST_S INT64_C(-2208988800) /* 1900 */
#define LAST_S INT64_C(4102444800)   /* 2100 */
#define STEP_S (6 * 3600)

static int64_t libc_offset(int64_t utc_s)
{
    return zones_tm(utc_s).tm_gmtoff;
}

/* The second between `low` and `high` at which the C library's offset becomes another. */
static int64_t libc_change(int64_t low, int64_t high)
{
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;

        if (libc_offset(mid) == libc_offset(low))
            low = mid;
        else
            high = mid;
    }
    return high;
}

static void every_change_of_two_centuries(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZONES_NR; i++) {
        const struct zone *z = zones_open(zones_all[i]);
        int64_t next = zone_next_change(z, FIRST_S);

        for (int64_t at = FIRST_S; at < LAST_S; at += STEP_S) {
            int64_t change;

            if (zone_offset(z, at) != libc_offset(at))
                fail_msg("%s: %d at %lld", zones_all[i], zone_offset(z, at), (long long)at);
            if (libc_offset(at) == libc_offset(at + STEP_S))
                continue;
            change = libc_change(at, at + STEP_S);
            if (next != change)
                fail_msg("%s: a change at %lld, not %lld", zones_all[i], (long long)next,
                    (long long)change);
            assert_int_equal(zone_offset(z, change - 1), libc_offset(change - 1));
            assert_int_equal(zone_offset(z, change), libc_offset(change));
            assert_int_equal(zone_next_change(z, change - 1), change);
            next = zone_next_change(z, change);
        }
        assert_true(next > LAST_S);
        zone_free(z);
    }
}

/* The first moment, by quarters of an hour, at which the C library shows a local time. */
static bool libc_moment(int64_t local_s, int64_t *ret)
{
    for (int64_t at = local_s - 15 * 3600; at <= local_s + 15 * 3600; at += 900)
        if (at + libc_offset(at) == local_s) {
            *ret = at;
            return true;
        }
    return false;
}

static void local_times_around_every_change(void **state)
{
    unsigned skipped = 0;

    (void)state;
    for (size_t i = 0; i < ZONES_NR; i++) {
        const struct zone *z = zones_open(zones_all[i]);
        int64_t change = zone_next_change(z, INT64_C(1262304000)); /* 2010 */

        for (; change < INT64_C(2556144000); change = zone_next_change(z, change)) {
            int64_t before = change + libc_offset(change - 1);

            for (int64_t local = before - 4 * 3600; local <= before + 4 * 3600; local += 900) {
                int64_t want;

                if (!libc_moment(local, &want)) {
                    want = local - libc_offset(change - 1);
                    skipped++;
                }
                if (zone_moment(z, local) != want)
                    fail_msg("%s: %lld is %lld, not %lld", zones_all[i], (long long)local,
                        (long long)zone_moment(z, local), (long long)want);
            }
        }
        zone_free(z);
    }
    assert_true(skipped > 100);
}

/* A day begins at the first moment that has its date, or a later one where it is skipped. */
static void days_begin(void **state)
{
    unsigned not_midnight = 0;

    (void)state;
    for (size_t i = 0; i < ZONES_NR; i++) {
        const struct zone *z = zones_open(zones_all[i]);

        for (int64_t day = 14600; day < 18700; day++) { /* 2009-12-22 .. 2021-03-14 */
            int64_t at = zone_day_start(z, day);
            struct tm tm = zones_tm(at);

            assert_true(zone_day(z, at) >= day && zone_day(z, at - 1) < day);
            assert_int_equal(
                zone_day(z, at), civil_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday));
            not_midnight += tm.tm_hour * 60 + tm.tm_min > 0;
        }
        zone_free(z);
    }
    assert_true(not_midnight >= 8); /* Sao Paulo went forward at midnight every year */
}

static void samoa_had_no_friday(void **state)
{
    const struct zone *z = zones_open("Apia");
    int64_t friday = civil_days(2011, 12, 30);

    (void)state;
    assert_int_equal(zone_day_start(z, friday), zone_day_start(z, friday + 1));
    assert_int_equal(zone_day_start(z, friday) - zone_day_start(z, friday - 1), 86400);
    zone_free(z);
}

static void far_away_nothing_overflows(void **state)
{
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, -ZONE_LIMIT - 1, -ZONE_LIMIT,
        ZONE_LIMIT, ZONE_LIMIT + 1, INT64_MAX - 1, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < ZONES_NR; i++) {
        const struct zone *z = zones_open(zones_all[i]);

        for (size_t k = 0; k < sizeof far / sizeof far[0]; k++) {
            (void)zone_next_change(z, far[k]);
            (void)zone_day(z, far[k]);
            (void)zone_day_start(z, far[k]);
            assert_in_range(zone_offset(z, far[k]) + 93600, 0, 2 * 93600);
            assert_true(far[k] < 0 ? zone_moment(z, far[k]) < 0 : zone_moment(z, far[k]) > 0);
        }
        zone_free(z);
    }
}

static void utc_is_built_in(void **state)
{
    const struct zone *z = NULL;

    (void)state;
    assert_int_equal(zone_load("/nowhere", "UTC", &z, NULL), BBT_OK);
    assert_ptr_equal(z, zone_utc());
    assert_int_equal(zone_offset(z, 1763800000), 0);
    assert_int_equal(zone_next_change(z, 1763800000), ZONE_NEVER);
    assert_int_equal(zone_moment(z, 1763800000), 1763800000);
    assert_int_equal(zone_day(z, -1), -1);
    assert_int_equal(zone_day_start(z, 20000), INT64_C(20000) * 86400);
    zone_free(z);
    zone_free(NULL);
}

static void names(void **state)
{
    static const char *const good[] = {
        "UTC", "Europe/Berlin", "Etc/GMT+3", "America/Argentina/Buenos_Aires", "EST5EDT"};
    static const char *const bad[] = {"", "/etc/passwd", "../x", "a/../b", "a b", "Europe/", "a.b",
        "a\nb", "0123456789012345678901234567890123456789012345678901234567890123"};
    const struct zone *z = NULL;
    struct bbt_err err;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(zone_name_ok(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(zone_name_ok(bad[i]));
        assert_int_equal(zone_load(NULL, bad[i], &z, &err), BBT_INVALID);
    }
    assert_int_equal(zone_load(NULL, "Europe/Atlantis", &z, &err), BBT_NOTFOUND);
    assert_non_null(strstr(err.msg, "there is no time zone Europe/Atlantis"));
    assert_null(z);
}

static struct bbt_buf file_of(const char *name)
{
    char path[400];
    struct bbt_buf b;

    (void)snprintf(path, sizeof path, "%s/golden/base/zone/%s", getenv("BBT_TESTS"), name);
    buf_init(&b, 1 << 16);
    assert_int_equal(file_read(path, &b, NULL), BBT_OK);
    return b;
}

static enum bbt_rc parse(const uint8_t *p, size_t len, const struct zone **ret)
{
    struct bbt_err err;
    const struct zone *z = NULL;
    enum bbt_rc rc = zone_parse(p, len, &z, &err);

    if (ret)
        *ret = z;
    else
        zone_free(z);
    return rc;
}

static void broken_files(void **state)
{
    struct bbt_buf b = file_of("Berlin");

    (void)state;
    assert_int_equal(parse(b.data, b.len, NULL), BBT_OK);
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *copy = bbt_alloc(cut); /* exact, for the sanitizer */

        memcpy(copy, b.data, cut);
        assert_int_equal(parse(copy, cut, NULL), BBT_CORRUPT);
        bbt_free(copy);
    }
    b.data[0] = 't';
    assert_int_equal(parse(b.data, b.len, NULL), BBT_CORRUPT);
    b.data[0] = 'T';
    b.data[b.len - 2] = 'x'; /* the rule's last letter */
    assert_int_equal(parse(b.data, b.len, NULL), BBT_CORRUPT);
    buf_fini(&b);
}

static void without_memory(void **state)
{
    struct bbt_buf b = file_of("Berlin");
    char folder[300];

    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/golden/base/zone", getenv("BBT_TESTS"));
    unit_oom(parse(b.data, b.len, NULL));
    unit_oom(({
        const struct zone *z = NULL;
        enum bbt_rc loaded = zone_load(folder, "Berlin", &z, NULL);

        zone_free(z);
        loaded;
    }));
    buf_fini(&b);
}

/* One head and block of version 1, as RFC 8536 draws it: no rule, so the last offset stays. */
static void version_1(void **state)
{
    uint8_t f[] = {'T', 'Z', 'i', 'f', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* head */
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 8, /* counts */
        0, 0, 3, 0xe8, 1,                                                  /* at 1000: type 1 */
        0, 0, 0, 0, 0, 0, 0, 0, 0x0e, 0x10, 1, 4,                          /* 0 and 3600 */
        'G', 'M', 'T', 0, 'B', 'S', 'T', 0};
    const struct zone *z = NULL;

    (void)state;
    assert_int_equal(parse(f, sizeof f, &z), BBT_OK);
    assert_int_equal(zone_offset(z, 999), 0);
    assert_int_equal(zone_offset(z, 1000), 3600);
    assert_int_equal(zone_offset(z, ZONE_LIMIT), 3600);
    assert_int_equal(zone_next_change(z, -5), 1000);
    assert_int_equal(zone_next_change(z, 1000), ZONE_NEVER);
    zone_free(z);
    f[31] = 1; /* one leap second, of which there would be 8 bytes */
    assert_int_equal(parse(f, sizeof f, NULL), BBT_CORRUPT);
    f[31] = 0;
    f[48] = 2; /* there is no type 2 */
    assert_int_equal(parse(f, sizeof f, NULL), BBT_CORRUPT);
    f[48] = 1;
    f[55] = 0x7f; /* ahead of UTC by years */
    assert_int_equal(parse(f, sizeof f, NULL), BBT_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_of_two_centuries),
        cmocka_unit_test(local_times_around_every_change),
        cmocka_unit_test(days_begin),
        cmocka_unit_test(samoa_had_no_friday),
        cmocka_unit_test(far_away_nothing_overflows),
        cmocka_unit_test(utc_is_built_in),
        cmocka_unit_test(names),
        cmocka_unit_test(broken_files),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(version_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
