/* Jobs that have hours, and a start: what the clock says about them, and that they keep to it,
 * wherever in their story the clock stops them, over restarts and jumps of the clock. */
#include "bench.h"

#include "base/date.h"
#include "engine/roster.h"
#include "engine/shift.h"
#include "sql.h"

#define S INT64_C(1000000)
#define H (3600 * S)
#define MONDAY INT64_C(1789948800000000) /* 2026-09-21 00:00 UTC; the world begins at 14:13:21 */

#define HOURS(windows_) ",\"schedule\":{\"windows\":[" windows_ "]}"

static const struct scene_job small = {.generations = 2};
static const struct scene_job big = {.generations = 16, .popsize = 12, .shots = 4};

/* ---- the clock ---- */

static struct job_spec *spec_of(const char *schedule)
{
    char text[900];

    (void)snprintf(text, sizeof text,
        "{\"apiVersion\":\"bbt/v1\",\"kind\":\"TuningJob\",\"name\":\"n\",\"provider\":\"fake\","
        "\"model\":\"m\",\"data\":{\"train\":{\"blob\":\"%064d\",\"shots\":2}},\"task\":{"
        "\"template\":\"{prompt} {text} {mask}\",\"labels\":{\"a\":\"b\",\"c\":\"d\"}},\"stop\":{"
        "\"generations\":3}%s}",
        0, schedule);
    return parse_spec(text);
}

static void open_shift(struct shift *s, const char *schedule, const char *zone)
{
    struct job_spec *spec = spec_of(schedule);
    struct bbt_err err = {0};

    if (shift_init(s, spec, zone, &err) != BBT_OK)
        fail_msg("%s", err.msg);
    job_spec_free(spec);
}

static void is(const struct shift *s, int64_t at, const char *why, int64_t until,
    const char *text)
{
    struct shift_now now;
    char said[120];

    shift_look(s, at, &now);
    assert_true(!why == !now.why && (!why || strcmp(why, now.why) == 0));
    assert_true(now.until_us == until);
    if (!text)
        return;
    shift_text(&now, said, sizeof said);
    assert_string_equal(said, text);
}

static void test_clock(void **state)
{
    struct shift s;

    (void)state;
    open_shift(&s, "", NULL);
    assert_false(shift_any(&s));
    is(&s, MONDAY, NULL, SHIFT_NEVER, NULL);
    shift_fini(&s);

    /* the zone is two hours ahead; over midnight */
    open_shift(&s, HOURS("\"22:00-08:00\""), "Europe/Berlin");
    assert_true(shift_any(&s));
    is(&s, MONDAY + 12 * H, "window", MONDAY + 20 * H,
        "outside of its hours until 2026-09-21T20:00:00Z");
    is(&s, MONDAY + 20 * H - 1, "window", MONDAY + 20 * H, NULL);
    is(&s, MONDAY + 20 * H, NULL, MONDAY + 30 * H, NULL);
    is(&s, MONDAY + 30 * H - 1, NULL, MONDAY + 30 * H, NULL);
    is(&s, MONDAY + 30 * H, "window", MONDAY + 44 * H, NULL);
    shift_fini(&s);

    /* a start, then the window; days of the window's own zone */
    open_shift(&s,
        ",\"schedule\":{\"not_before\":\"2026-09-21T14:00:00+02:00\",\"windows\":[{\"days\":"
        "[\"tue\"],\"hours\":\"06:00-07:00\",\"zone\":\"Asia/Kolkata\"}]}",
        "Europe/Berlin");
    is(&s, MONDAY, "start_time", MONDAY + 12 * H, "not before 2026-09-21T12:00:00Z");
    is(&s, MONDAY + 12 * H, "window", MONDAY + 24 * H + H / 2, NULL);
    is(&s, MONDAY + 25 * H, NULL, MONDAY + 25 * H + H / 2, NULL);
    shift_fini(&s);

    open_shift(&s, ",\"schedule\":{\"not_before\":\"2026-09-21T12:00:00Z\"}", NULL);
    assert_true(shift_any(&s));
    is(&s, MONDAY + 12 * H, NULL, SHIFT_NEVER, NULL);
    shift_fini(&s);
}

static enum bbt_rc check(const char *windows, const char *zone, const char *provider,
    int64_t wall, struct bbt_err *err)
{
    struct job_spec *hours = spec_of(provider), *spec = spec_of(windows);
    struct agenda a;
    enum bbt_rc rc;

    assert_int_equal(agenda_init(&a, NULL, &hours->schedule.windows, NULL, err), BBT_OK);
    rc = shift_check(spec, zone, &a, wall, err);
    agenda_fini(&a);
    job_spec_free(hours);
    job_spec_free(spec);
    return rc;
}

static void test_refusals(void **state)
{
    const char *night = HOURS("\"22:00-08:00\""), *day = HOURS("\"09:00-18:00\"");
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(check("", NULL, day, MONDAY, &err), BBT_OK);
    assert_int_equal(check(night, NULL, "", MONDAY, &err), BBT_OK);
    assert_int_equal(check(night, NULL, day, MONDAY, &err), BBT_INVALID);
    assert_string_equal(err.msg,
        "schedule.windows: provider \"fake\" is never open in these hours (its own are "
        "`windows` and `maintenance` of the daemon's configuration)");
    assert_int_equal(check(night, "Europe/Berlin", day, MONDAY, &err), BBT_INVALID);
    assert_int_equal(check(night, "America/New_York", day, MONDAY, &err), BBT_OK);
    assert_int_equal(
        check(HOURS("{\"zone\":\"Europe/Berln\"}"), NULL, "", MONDAY, &err), BBT_INVALID);
    assert_string_equal(err.msg, "schedule.windows: there is no time zone Europe/Berln (no file "
                                 "/usr/share/zoneinfo/Europe/Berln)");
    assert_int_equal(check(HOURS("{\"zone\":\"Europe\"}"), NULL, "", MONDAY, &err), BBT_INVALID);
}

static void test_no_memory(void **state)
{
    struct job_spec *spec =
        spec_of(HOURS("\"22:00-08:00\",{\"zone\":\"Asia/Kolkata\"}"));
    unsigned long asked;
    long k = 0;

    (void)state;
    do {
        struct shift s;
        struct bbt_err err;
        enum bbt_rc rc;

        (void)bbt_alloc_fault(k, 0);
        rc = shift_init(&s, spec, "Europe/Berlin", &err);
        asked = bbt_alloc_fault(-1, 0);
        assert_int_equal(rc, asked > (unsigned long)k ? BBT_NOMEM : BBT_OK);
        shift_fini(&s);
    } while (asked > (unsigned long)k++);
    assert_true(asked > 3);
    job_spec_free(spec);
}

static void test_roster(void **state)
{
    const struct shift_now nine = {"window", 9 * H}, eight = {"start_time", 8 * H};
    struct roster r = {0};
    struct shift_now got;

    (void)state;
    assert_false(roster_look(&r, 1 * H));
    assert_true(roster_next_us(&r) == SHIFT_NEVER);
    for (int64_t job = 1; job <= 100; job++)
        assert_true(roster_put(&r, job, job % 2 ? &nine : &eight));
    assert_true(roster_put(&r, 7, &eight)); /* once more */
    assert_int_equal(r.nr, 100);
    assert_true(roster_next_us(&r) == 8 * H);
    assert_true(roster_has(&r, 7, &got));
    assert_string_equal(got.why, "start_time");
    assert_false(roster_has(&r, 101, &got));
    assert_false(roster_look(&r, 8 * H - 1));
    assert_true(roster_look(&r, 8 * H));
    assert_int_equal(r.nr, 49);
    assert_false(roster_has(&r, 7, &got));
    assert_true(roster_has(&r, 9, &got) && got.until_us == 9 * H);
    assert_true(roster_look(&r, 7 * H)); /* the clock was set back */
    assert_int_equal(r.nr, 0);
    roster_fini(&r);
    (void)bbt_alloc_fault(0, 0);
    assert_false(roster_put(&r, 1, &nine));
    (void)bbt_alloc_fault(-1, 0);
    assert_false(roster_has(&r, 1, &got));
    roster_fini(&r);
}

/* ---- jobs ---- */

static bool is_over(struct world *w, void *id)
{
    struct rec_job row;

    scene_job_row(w, *(int64_t *)id, &row);
    return row.state != REC_QUEUED && row.state != REC_RUNNING;
}

static bool is_home(struct world *w, void *id)
{
    struct rec_job row;

    scene_job_row(w, *(int64_t *)id, &row);
    return row.state == REC_QUEUED && strcmp(row.reason, "window") == 0 &&
        engine_running(w->engine) == 0;
}

static bool is_running(struct world *w, void *id)
{
    struct rec_job row;

    scene_job_row(w, *(int64_t *)id, &row);
    return row.state == REC_RUNNING;
}

static void until(struct place *p, bool (*done)(struct world *w, void *id), int64_t id)
{
    assert_true(world_until(&p->w, done, &id, STEPS_MAX));
    place_good(p);
}

static long events(struct place *p, const char *kind)
{
    char sql[100];

    (void)snprintf(
        sql, sizeof sql, "SELECT count(*) FROM event WHERE job = ?1 AND kind = '%s'", kind);
    return (long)sql_number(p->w.store, sql, 1);
}

static struct scene_job with(const struct scene_job *j, const char *schedule)
{
    struct scene_job ret = *j;

    ret.more = schedule;
    return ret;
}

/* It takes no slot until then, says why, and is taken over at the moment. */
static void test_waits(void **state)
{
    static const struct {
        const char *schedule, *why, *says;
        int64_t opens;
    } t[] = {
        {HOURS("\"15:00-16:00\""), "window", "outside of its hours until 2026-09-21T15:00:00Z",
            MONDAY + 15 * H},
        {",\"schedule\":{\"not_before\":\"2026-09-22T01:00:00Z\"}", "start_time",
            "not before 2026-09-22T01:00:00Z", MONDAY + 25 * H},
    };
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};

    (void)state;
    place_reference((struct world_opts){.max_running = 1}, &small, &want);
    for (size_t i = 0; i < 2; i++) {
        struct scene_job j = with(&small, t[i].schedule), other = small;
        struct shift_now now;
        struct rec_job row;
        int64_t a, b;

        place_open(p, (struct world_opts){.max_running = 1});
        checks_hours(p->c, &(struct checks_hours){.name = "job", .not_before_us = t[i].opens});
        a = scene_submit(&p->w, &j);
        other.name = "other";
        b = scene_submit(&p->w, &other);
        world_start(&p->w);
        until(p, is_over, b);
        assert_job(p, b, REC_COMPLETED, "budget");
        assert_job(p, a, REC_QUEUED, t[i].why);
        scene_job_row(&p->w, a, &row);
        assert_string_equal(row.detail, t[i].says);
        assert_true(engine_hours(p->w.engine, a, &now) && now.until_us == t[i].opens);
        assert_null(engine_waits_for(p->w.engine, a));
        assert_true(port_wall_us() < t[i].opens);
        until(p, is_running, a);
        assert_true(port_wall_us() >= t[i].opens && port_wall_us() < t[i].opens + S);
        assert_false(engine_hours(p->w.engine, a, &now));
        place_rest(p);
        assert_int_equal(events(p, t[i].why), 1);
        assert_job(p, a, REC_COMPLETED, "budget");
        assert_true(scene_result(&p->w, a, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
    }
    rec_result_fini(&want);
    free(p);
}

/* What has begun is over at once. */
static void test_past(void **state)
{
    const struct scene_job j = with(&small,
        ",\"schedule\":{\"not_before\":\"2026-09-20T00:00:00Z\",\"windows\":[{}]}");
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &j);
    world_start(&p->w);
    place_rest(p);
    assert_true(port_wall_us() < MONDAY + 15 * H);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_int_equal(events(p, "window") + events(p, "start_time"), 0);
    place_close(p);
    free(p);
}

/* It gives its slot back while it is at work, and goes on the next day; answers that are on
 * their way when its hours end come in. */
static void test_goes_home(void **state)
{
    const struct scene_job j = with(&big, HOURS("\"14:00-14:14\""));
    const struct world_opts o = {.max_running = 1, .concurrency = 2};
    struct checks_hours hours = {.name = "job", .window = {{840, 854}}, .windows = 1};
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    struct scene_job other = small;
    struct rec_job row;
    int64_t a, b;

    (void)state;
    place_reference(o, &big, &want);
    place_open(p, o);
    checks_hours(p->c, &hours);
    a = scene_submit(&p->w, &j);
    other.name = "other";
    b = scene_submit(&p->w, &other);
    world_start(&p->w);
    until(p, is_running, a);
    while (port_wall_us() < MONDAY + 14 * H + 14 * 60 * S - 1)
        assert_true(world_step(&p->w));
    assert_true(engine_in_flight(p->w.engine) > 0 || engine_running(p->w.engine) == 0);
    until(p, is_running, b);
    assert_true(port_wall_us() < MONDAY + 14 * H + 15 * 60 * S);
    scene_job_row(&p->w, a, &row);
    assert_int_equal(row.state, REC_QUEUED);
    assert_string_equal(row.reason, "window");
    assert_string_equal(row.detail, "outside of its hours until 2026-09-22T14:00:00Z");
    assert_true(row.usage.requests > 20);
    until(p, is_over, b);
    place_rest(p);
    assert_true(port_wall_us() > MONDAY + 38 * H);
    assert_job(p, a, REC_COMPLETED, "budget");
    assert_int_equal(events(p, "window"), 1);
    assert_int_equal(events(p, "running"), 2);
    scene_job_row(&p->w, a, &row);
    assert_int_equal(row.usage.repeated, 0);
    assert_int_equal(row.usage.failures, 0);
    assert_true(scene_result(&p->w, a, &got));
    assert_same_prompt(&want, &got);
    rec_result_fini(&got);
    rec_result_fini(&want);
    place_close(p);
    free(p);
}

/* Wherever it is: the clock is set so that its hours are over, then back. */
static void test_anywhere(void **state)
{
    const struct scene_job j = with(&small, HOURS("\"14:00-15:00\""));
    const struct world_opts o = {.seed = 3, .max_running = 1};
    struct checks_hours hours = {.name = "job", .window = {{840, 900}}, .windows = 1};
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    unsigned home = 0;

    (void)state;
    place_reference(o, &small, &want);
    for (unsigned k = 0; k < 320; k += 7) {
        int64_t id;

        place_open(p, o);
        id = scene_submit(&p->w, &j);
        world_start(&p->w);
        for (unsigned i = 0; i < k && !scene_quiet(&p->w, NULL); i++)
            assert_true(world_step(&p->w));
        p->w.wall_ahead_us = 5 * H;
        if (p->w.alarm) /* or a minute later */
            op_wake(p->w.alarm);
        world_turn(&p->w);
        checks_hours(p->c, &hours);
        if (!is_over(&p->w, &id))
            assert_true(world_until(&p->w, k < 300 ? is_home : is_over, &id, STEPS_MAX));
        if (!is_over(&p->w, &id)) {
            home++;
            assert_int_equal(p->w.wires, 0);
        }
        p->w.wall_ahead_us = 0;
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(port_wall_us() < MONDAY + 15 * H);
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
    }
    assert_true(home > 20);
    rec_result_fini(&want);
    free(p);
}

/* Within a minute after it was set forward or back, the clock counts. */
static void test_jumps(void **state)
{
    const struct scene_job j = with(&big, HOURS("\"15:00-15:30\""));
    struct place *p = calloc(1, sizeof *p);
    uint64_t from;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){.concurrency = 1});
    id = scene_submit(&p->w, &j);
    world_start(&p->w);
    until(p, is_home, id);
    p->w.wall_ahead_us = H;
    from = p->w.now_us;
    until(p, is_running, id);
    assert_true(p->w.now_us - from <= 61000000);
    endpoint_pause(engine_endpoint(p->w.engine, "fake"), ENDPOINT_USER, "");
    for (from = p->w.now_us; p->w.now_us - from < 10000000;) /* nothing else happens */
        assert_true(world_step(&p->w));
    assert_job(p, id, REC_RUNNING, "working");
    from = p->w.now_us;
    p->w.wall_ahead_us = 0;
    until(p, is_home, id);
    assert_true(p->w.now_us - from <= 61000000);
    endpoint_resume(engine_endpoint(p->w.engine, "fake"));
    assert_job(p, id, REC_QUEUED, "window");
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_true(port_wall_us() > MONDAY + 15 * H);
    place_close(p);
    free(p);
}

/* What was running when the daemon died is not taken up outside of its hours. */
static void test_restart(void **state)
{
    const struct scene_job j = with(&big, HOURS("\"14:00-14:30\""));
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    (void)state;
    for (int polite = 0; polite < 2; polite++) {
        place_open(p, (struct world_opts){0});
        checks_hours(p->c,
            &(struct checks_hours){.name = "job", .window = {{840, 870}}, .windows = 1});
        id = scene_submit(&p->w, &j);
        world_start(&p->w);
        for (int i = 0; i < 150; i++)
            assert_true(world_step(&p->w));
        if (polite)
            world_stop(&p->w, false);
        else
            world_crash(&p->w);
        assert_job(p, id, REC_RUNNING, "working");
        p->w.wall_ahead_us = H;
        world_start(&p->w);
        until(p, is_home, id);
        assert_int_equal(events(p, "window"), 1);
        assert_int_equal(events(p, "running"), 1);
        assert_int_equal(engine_in_flight(p->w.engine), 0);
        world_stop(&p->w, false); /* and it stays so */
        world_start(&p->w);
        for (int i = 0; i < 10; i++)
            assert_true(world_step(&p->w));
        assert_job(p, id, REC_QUEUED, "window");
        assert_int_equal(events(p, "window"), 1);
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(port_wall_us() > MONDAY + 38 * H);
        place_close(p);
    }
    free(p);
}

/* A system without the zone is for a person to mend. */
static void test_zone_is_gone(void **state)
{
    const struct scene_job j = with(&small, HOURS("{\"zone\":\"Nowhere/Land\"}"));
    struct place *p = calloc(1, sizeof *p);
    struct rec_job row;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &j);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_PAUSED, "provider");
    scene_job_row(&p->w, id, &row);
    assert_non_null(strstr(row.detail, "no time zone Nowhere/Land"));
    assert_int_equal(p->w.wires, 0);
    place_close(p);
    free(p);
}

/* Without memory for one moment of it, it waits as well, and is found again. */
static void test_refused_memory(void **state)
{
    const struct scene_job j = with(&small, HOURS("{\"hours\":\"15:00-16:00\",\"zone\":"
                                                 "\"Etc/GMT\"}"));
    struct place *p = calloc(1, sizeof *p);
    unsigned long asked;
    long k = 0, refused = 0;

    (void)state;
    do {
        int64_t id;

        place_open(p, (struct world_opts){0});
        checks_free(p->c); /* they need memory, too */
        id = scene_submit(&p->w, &j);
        world_start(&p->w);
        (void)bbt_alloc_fault(k, 0);
        while (!is_home(&p->w, &id))
            assert_true(world_step(&p->w));
        asked = bbt_alloc_fault(-1, 0);
        refused += asked > (unsigned long)k;
        assert_true(port_wall_us() < MONDAY + 14 * H + 14 * 60 * S);
        until(p, is_running, id);
        assert_true(port_wall_us() >= MONDAY + 15 * H && port_wall_us() < MONDAY + 15 * H + S);
        world_stop(&p->w, true);
        world_close(&p->w);
    } while (asked > (unsigned long)k++);
    assert_true(refused > 20);
    free(p);
}

/* Those that wait do not stand before those that do not, however many they are. */
static void test_many(void **state)
{
    const struct scene_job j = with(&small, HOURS("\"15:00-16:00\""));
    struct place *p = calloc(1, sizeof *p);
    struct scene_job last = {.generations = 1, .name = "last", .priority = -100};
    int64_t id = 0;

    (void)state;
    place_open(p, (struct world_opts){.max_running = 1});
    checks_free(p->c); /* they believe in few jobs */
    for (int i = 0; i < 200; i++) {
        char name[16];
        struct scene_job one = j;

        (void)snprintf(name, sizeof name, "job-%d", i);
        one.name = name;
        assert_true(scene_submit(&p->w, &one) > 0);
    }
    id = scene_submit(&p->w, &last);
    world_start(&p->w);
    assert_true(world_until(&p->w, is_over, &id, STEPS_MAX));
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_true(port_wall_us() < MONDAY + 15 * H);
    assert_int_equal(sql_number(p->w.store,
                         "SELECT count(*) FROM job WHERE reason = 'window' AND ?1 = ?1", 0),
        200);
    assert_int_equal(
        sql_number(p->w.store, "SELECT count(*) FROM event WHERE kind = 'window' AND ?1 = ?1", 0),
        200);
    world_stop(&p->w, true);
    world_close(&p->w);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_roster),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_past),
        cmocka_unit_test(test_goes_home),
        cmocka_unit_test(test_anywhere),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_zone_is_gone),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
