/* Sections that say when. */
#include "form.h"

#include "spec/vweek.h"
#include "spec/window.h"

static size_t read_doc(const char *yaml, struct spec_window *w, struct spec_problems *p)
{
    json_t *tree = form_tree(yaml);

    *w = (struct spec_window){0};
    problem_init(p);
    table_read(&spec_window_table, tree, "", w, p);
    json_decref(tree);
    return p->total;
}

static void as_written(void **state)
{
    static const struct {
        const char *yaml, *back;
        unsigned days, from, to;
    } t[] = {
        {"{}", "{\"hours\":\"00:00-24:00\"}", 0, 0, 1440},
        {"{days: [sun, mon], hours: 22:00-8:00, zone: Europe/Berlin}",
            "{\"days\":[\"mon\",\"sun\"],\"hours\":\"22:00-08:00\",\"zone\":\"Europe/Berlin\"}",
            0x41, 1320, 480},
        {"days: [sat, sat]\nhours: \"02:00-04:00\"",
            "{\"days\":[\"sat\"],\"hours\":\"02:00-04:00\"}", 0x20, 120, 240},
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct spec_window w;
        struct spec_problems p;
        json_t *v;
        char *text;

        assert_int_equal(read_doc(t[i].yaml, &w, &p), 0);
        assert_int_equal(w.week.days, t[i].days);
        assert_int_equal(w.week.hours.from_min, t[i].from);
        assert_int_equal(w.week.hours.to_min, t[i].to);
        v = table_print(&spec_window_table, &w);
        text = json_print(v);
        assert_string_equal(text, t[i].back);
        bbt_free(text);
        json_decref(v);
        table_fini(&spec_window_table, &w);
    }
}

static void wrong(void **state)
{
    struct spec_window w;
    struct spec_problems p;

    (void)state;
    assert_int_equal(read_doc("{days: [mon, funday], hours: 8-9, zone: /etc/passwd}", &w, &p), 3);
    assert_string_equal(p.item[0].message,
        "days: must be a list of days, mon tue wed thu fri sat sun, not the text \"funday\"");
    assert_string_equal(p.item[1].message, "hours: must be hours, not the text \"8-9\"");
    assert_string_equal(
        p.item[2].message, "zone: must be a time zone, not the text \"/etc/passwd\"");
    assert_int_equal(w.week.days, 0);
    assert_int_equal(w.week.hours.to_min, 1440);
    assert_null(w.zone);
    problem_fini(&p);
}

/* ---- in a job file ---- */

static struct job_spec *read_job(const char *schedule, struct spec_problems *p)
{
    char text[600];
    struct job_spec *s = NULL;
    struct bbt_err err;
    json_t *tree;

    (void)snprintf(text, sizeof text,
        "apiVersion: bbt/v1\nkind: TuningJob\nname: n\nprovider: p\nmodel: m\n"
        "data: {train: {file: a.tsv, shots: 4}}\n"
        "task: {template: '{prompt} {text} {mask}', labels: {a: b, c: d}}\n"
        "stop: {evaluations: 80}\n%s\n",
        schedule);
    tree = form_tree(text);
    problem_init(p);
    assert_true((job_spec_parse(tree, JOB_FILE, &s, p, &err) == BBT_OK) == (p->total == 0));
    json_decref(tree);
    return s;
}

static void of_a_job(void **state)
{
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        {"schedule: {windows: [nights]}",
            "schedule.windows[0].hours: must be hours, not the text \"nights\""},
        {"schedule: {windows: [{days: [fun]}]}",
            "schedule.windows[0].days: must be a list of days"},
        {"schedule: {windows: [{zone: a b}]}",
            "schedule.windows[0].zone: must be a time zone"},
        {"schedule: {windows: 22:00-08:00}", "schedule.windows: must be a list"},
        {"schedule: {not_before: 2026-11-01}",
            "schedule.not_before: must be a moment, not the text \"2026-11-01\""},
        {"schedule: {window: []}", "schedule: unknown key \"window\""},
    };
    struct spec_problems p;
    struct job_spec *s = read_job("", &p);
    const struct spec_window *w;

    (void)state;
    assert_true(s->schedule.not_before_us == 0 && s->schedule.windows.nr == 0);
    job_spec_free(s);
    s = read_job("schedule:\n  not_before: 2026-11-01T22:00:00.25+01:00\n"
                 "  windows: [22:00-8:00, {days: [sat], zone: Europe/Berlin}]",
        &p);
    w = s->schedule.windows.item;
    assert_true(s->schedule.not_before_us == INT64_C(1793566801000000)); /* not a bit before */
    assert_int_equal(s->schedule.windows.nr, 2);
    assert_int_equal(w[0].week.hours.from_min, 1320);
    assert_int_equal(w[0].week.hours.to_min, 480);
    assert_null(w[0].zone);
    assert_int_equal(w[1].week.days, 0x20);
    assert_string_equal(w[1].zone, "Europe/Berlin");
    job_spec_free(s);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(read_job(wrong[i].yaml, &p));
        assert_int_equal(p.nr, 1);
        if (!strstr(p.item[0].message, wrong[i].says))
            fail_msg("%s", p.item[0].message);
        problem_fini(&p);
    }
}

static void prints_without_memory(void **state)
{
    static const struct key k = {.type = KEY_DAYS};
    uint8_t days = 0x7f;

    (void)state;
    for (long n = 0;; n++) {
        json_t *v;

        (void)bbt_alloc_fault(n, 0);
        v = vweek_print(&k, &days);
        (void)bbt_alloc_fault(-1, 0);
        if (v) {
            assert_int_equal(json_array_size(v), 7);
            json_decref(v);
            assert_true(n > 7);
            return;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_written),
        cmocka_unit_test(wrong),
        cmocka_unit_test(of_a_job),
        cmocka_unit_test(prints_without_memory),
    };

    json_use_alloc();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
