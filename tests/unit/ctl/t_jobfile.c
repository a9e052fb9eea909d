/* Job files with their data: everything wrong is told at once, with its place. */
#include "jobfile.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "spec/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static const char job_text[] = "apiVersion: bbt/v1\n"
                               "kind: TuningJob\n"
                               "name: tiny\n"
                               "provider: local\n"
                               "model: m\n"
                               "data:\n"
                               "  train: {file: train.tsv, shots: 2}\n"
                               "  dev: {file: dev.tsv, shots: 1}\n"
                               "task:\n"
                               "  template: \"{text} It was {mask}.\"\n"
                               "  labels: {up: good, down: bad}\n"
                               "stop: {evaluations: 40}\n";

static void put(const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), BBT_OK);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/t-jobfile-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    put("train.tsv", "text\tlabel\na\tup\nb\tdown\nc\tup\nd\tdown\n");
    put("dev.tsv", "text\tlabel\ne\tup\nf\tdown\n");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"job.yaml", "train.tsv", "dev.tsv", "bad.tsv"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static int load_with(const char *text, const struct opt_args *a, struct jobfile *j)
{
    static char path[128];
    const struct ctl c = {.quiet = true};

    put("job.yaml", text);
    (void)snprintf(path, sizeof path, "%s/job.yaml", folder);
    return jobfile_load(&c, path, a, j);
}

static void give(struct opt_args *a, const struct opt *opt, const char *value)
{
    if (!value)
        return;
    a->given[a->given_n].opt = opt;
    a->given[a->given_n++].value = value;
}

/* Loads `text` as job.yaml with up to two --set. */
static int load(const char *text, const char *set1, const char *set2, struct jobfile *j)
{
    static const struct opt opt_set = {"set", 0, "K=V", ""};
    struct opt_args a = {0};

    give(&a, &opt_set, set1);
    give(&a, &opt_set, set2);
    return load_with(text, &a, j);
}

/* The same with --at and up to two --window. */
static int load_hours(const char *more, const char *at, const char *one, const char *two,
    struct jobfile *j)
{
    static const struct opt window = {"window", 0, "HOURS", ""}, start = {"at", 0, "TIME", ""};
    struct opt_args a = {0};
    char text[1000];

    (void)snprintf(text, sizeof text, "%s%s", job_text, more);
    give(&a, &window, one);
    give(&a, &start, at);
    give(&a, &window, two);
    return load_with(text, &a, j);
}

static bool told(const struct jobfile *j, const char *says)
{
    for (size_t i = 0; i < j->faults.n; i++)
        if (strstr(j->faults.line[i], says))
            return true;
    return false;
}

static void good(void **state)
{
    static const char bytes[] = "text\tlabel\na\tup\nb\tdown\nc\tup\nd\tdown\n";
    struct jobfile j;
    struct job_spec *back = NULL;
    struct spec_problems problems;
    uint8_t sum[DIGEST_LEN];
    char hex[DIGEST_HEX], *wire;
    json_t *tree = NULL;

    (void)state;
    assert_int_equal(load(job_text, NULL, NULL, &j), CTL_OK);
    assert_int_equal(j.data[JOBFILE_TRAIN].rows, 4);
    assert_int_equal(j.data[JOBFILE_DEV].rows, 2);
    assert_null(j.data[JOBFILE_TEST].path);
    assert_int_equal(digest_sha256(bytes, sizeof bytes - 1, sum), BBT_OK);
    digest_hex(sum, hex);
    assert_string_equal(j.data[JOBFILE_TRAIN].sha256, hex);

    /* what goes over the wire is what the daemon reads */
    wire = jobfile_wire(&j);
    assert_non_null(wire);
    assert_int_equal(json_parse(wire, strlen(wire), "wire", &tree, NULL), BBT_OK);
    problem_init(&problems);
    assert_int_equal(job_spec_parse(tree, JOB_WIRE, &back, &problems, NULL), BBT_OK);
    assert_string_equal(back->train.blob, hex);
    assert_string_equal(back->name, "tiny");
    problem_fini(&problems);
    job_spec_free(back);
    json_decref(tree);
    bbt_free(wire);
    jobfile_fini(&j);
}

static void sets(void **state)
{
    struct jobfile j;

    (void)state;
    assert_int_equal(load(job_text, "optimizer.seed=77", "task.template={text} {mask} !", &j),
        CTL_OK);
    assert_int_equal(j.spec->seed, 77);
    assert_string_equal(j.spec->template, "{text} {mask} !");
    jobfile_fini(&j);

    /* a wrong value is told by the option that brought it, not by a line of the file */
    assert_int_equal(load(job_text, "optimizer.popsize=two", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "--set optimizer.popsize=two: "));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "optimizer.sead=2", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "--set optimizer.sead=2: ") && told(&j, "seed"));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "name.first=x", NULL, &j), CTL_USAGE);
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "name", NULL, &j), CTL_USAGE);
    jobfile_fini(&j);
}

/* What the file says about hours is not mixed with what the command line says. */
static void hours(void **state)
{
    const char *file = "schedule:\n  windows: [{days: [sat, sun]}]\n"
                       "  not_before: 2026-11-01T00:00:00Z\n";
    const struct spec_window *w;
    struct jobfile j;

    (void)state;
    assert_int_equal(load_hours(file, NULL, NULL, NULL, &j), CTL_OK);
    assert_int_equal(j.spec->schedule.windows.nr, 1);
    jobfile_fini(&j);

    assert_int_equal(
        load_hours(file, NULL, "22:00-8:00", "{days: [mon], hours: 12:00-13:00}", &j), CTL_OK);
    w = j.spec->schedule.windows.item;
    assert_int_equal(j.spec->schedule.windows.nr, 2);
    assert_int_equal(w[0].week.hours.from_min, 1320);
    assert_int_equal(w[0].week.days, 0);
    assert_int_equal(w[1].week.days, 1);
    assert_true(j.spec->schedule.not_before_us == INT64_C(1793491200000000));
    jobfile_fini(&j);

    assert_int_equal(load_hours("", "2026-11-01T22:00:00+01:00", NULL, NULL, &j), CTL_OK);
    assert_true(j.spec->schedule.not_before_us == INT64_C(1793566800000000));
    jobfile_fini(&j);

    assert_int_equal(load_hours("", NULL, "8-9", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "--set schedule.windows=[8-9]: schedule.windows[0].hours: must be"));
    jobfile_fini(&j);
    assert_int_equal(load_hours("", "tonight", NULL, NULL, &j), CTL_SPEC);
    assert_true(told(&j, "--set schedule.not_before=tonight: schedule.not_before: must be"));
    jobfile_fini(&j);
    assert_int_equal(load_hours("", "24:00", NULL, NULL, &j), CTL_SPEC);
    jobfile_fini(&j);
}

/* The next time that the clock here shows it. */
static void next_time(void **state)
{
    static const struct {
        const char *text;
        int64_t minute;
    } at[] = {{"0:00", 0}, {"23:59", 1439}, {"06:30", 390}, {"12:00", 720}, {"18:07", 1087}};

    (void)state;
    assert_int_equal(setenv("TZ", "HERE-5:30", 1), 0);
    tzset();
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        int64_t now = clock_wall_us() / 1000000, s;
        struct jobfile j;

        assert_int_equal(load_hours("", at[i].text, NULL, NULL, &j), CTL_OK);
        s = j.spec->schedule.not_before_us / 1000000;
        assert_true(s > now && s <= clock_wall_us() / 1000000 + 86400);
        assert_int_equal((s + 19800) % 86400, at[i].minute * 60);
        jobfile_fini(&j);
    }
}

static void set_values(void **state)
{
    static const struct {
        const char *set, *json;
    } row[] = {
        {"a=1", "{\"a\":1}"},
        {"a=1.5", "{\"a\":1.5}"},
        {"a=true", "{\"a\":true}"},
        {"a=no", "{\"a\":\"no\"}"}, /* YAML 1.2 */
        {"a=", "{\"a\":null}"},
        {"a=x=y", "{\"a\":\"x=y\"}"},
        {"a=[1, 2]", "{\"a\":[1,2]}"},
        {"a=a: b", "{\"a\":\"a: b\"}"},
        {"a=b: {c", "{\"a\":\"b: {c\"}"},
        {"a.b.c=1", "{\"a\":{\"b\":{\"c\":1}}}"},
        {"a={mask} x", "{\"a\":\"{mask} x\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        json_t *tree = json_object();
        char *text;

        assert_int_equal(jobfile_set(tree, row[i].set, NULL), BBT_OK);
        text = json_print(tree);
        assert_string_equal(text, row[i].json);
        bbt_free(text);
        json_decref(tree);
    }
}

/* Several at once, each with its line. */
static void broken(void **state)
{
    struct jobfile j;

    (void)state;
    assert_int_equal(load("apiVersion: bbt/v1\n"
                          "kind: TuningJob\n"
                          "nam: tiny\n"
                          "provider: local\n"
                          "model: m\n"
                          "data:\n"
                          "  train: {file: train.tsv, shots: many}\n"
                          "task:\n"
                          "  template: \"{text} {mask}\"\n"
                          "  labels: {up: good, down: bad}\n"
                          "stop: {evaluations: 40}\n",
                         NULL, NULL, &j),
        CTL_SPEC);
    assert_true(j.faults.n >= 2);
    assert_true(told(&j, "job.yaml:3:1: ") && told(&j, "\"nam\"") && told(&j, "name"));
    assert_true(told(&j, "job.yaml:7:35: "));
    jobfile_fini(&j);
}

static void bad_data(void **state)
{
    struct jobfile j;

    (void)state;
    put("bad.tsv", "text\tlabel\na\tup\nb\tsideways\n");
    assert_int_equal(
        load(job_text, "data.train.file=bad.tsv", "data.train.shots=1", &j), CTL_SPEC);
    assert_true(told(&j, "bad.tsv:3: label \"sideways\" is not in task.labels (known: up, down)"));
    jobfile_fini(&j);

    assert_int_equal(load(job_text, "data.train.file=none.tsv", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "none.tsv: No such file"));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "data.train.file=job.yaml", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "unknown kind of data file"));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "data.train.shots=3", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "3 of each label are needed, but train.tsv has 2 with label \"up\""));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "data.columns.text=txt", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "txt"));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "task.template=no mask here {text}", NULL, &j), CTL_SPEC);
    assert_true(told(&j, "{mask}"));
    jobfile_fini(&j);
    assert_int_equal(load(job_text, "task.template={text_a} {text_b} {mask}", NULL, &j),
        CTL_SPEC);
    assert_true(told(&j, "{text_b}"));
    jobfile_fini(&j);
}

static void not_a_job(void **state)
{
    static const char *const texts[] = {"", "- a\n- b\n", "just text\n", "a: [1\n", "a: 1\na: 2\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct jobfile j;

        assert_int_equal(load(texts[i], NULL, NULL, &j), CTL_SPEC);
        assert_true(j.faults.n > 0);
        jobfile_fini(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(sets),
        cmocka_unit_test(hours),
        cmocka_unit_test(next_time),
        cmocka_unit_test(set_values),
        cmocka_unit_test(broken),
        cmocka_unit_test(bad_data),
        cmocka_unit_test(not_a_job),
    };

    json_use_alloc();
    /* what is told to people is checked by its lines */
    if (!freopen("/dev/null", "w", stderr))
        return 99;
    return cmocka_run_group_tests(tests, setup, teardown);
}
