/* When will it be done? */
#include "progress.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A running job: `gens` of `most` generations done in `seconds`, `answered` of `needed`
 * requests of the present step. */
static json_t *job(int gens, int most, double seconds, const char *step, int answered, int needed)
{
    return json_pack("{s:i, s:s, s:s, s:{s:i, s:f, s:i}, s:{s:i}, s:{s:s, s:i, s:i}, s:f, s:n}",
        "id", 7, "state", "running", "reason", "rate_limit", "usage", "generations", gens,
        "seconds", seconds, "requests", 1234, "plan", "generations", most, "live", "step", step,
        "answered", answered, "needed", needed, "last_loss", 0.5, "best_dev");
}

static json_t *spec(const char *wall_time, int generations)
{
    json_t *stop = json_object();

    if (wall_time)
        json_object_set_new(stop, "wall_time", json_string(wall_time));
    if (generations)
        json_object_set_new(stop, "generations", json_integer(generations));
    return json_pack("{s:o}", "stop", stop);
}

static void near(double got, double want)
{
    assert_true((isnan(got) && isnan(want)) || fabs(got - want) < 1e-9);
}

static void check(json_t *j, json_t *s, double done, double eta, const char *binds)
{
    struct progress p;

    progress_of(j, s, &p);
    near(p.done, done);
    near(p.eta_s, eta);
    assert_string_equal(p.binds, binds);
    json_decref(j);
    json_decref(s);
}

static void estimates(void **state)
{
    (void)state;
    /* nothing done: no speed yet */
    check(job(0, 50, 0, "train", 3, 60), spec(NULL, 0), 0.05 / 50, NAN, "evaluations");
    /* 10 of 50 in 100 s: 10 s each, half of the next is answered */
    check(job(10, 50, 100, "train", 30, 60), spec(NULL, 0), 10.5 / 50, 395, "evaluations");
    check(job(10, 50, 100, "train", 30, 60), spec(NULL, 50), 10.5 / 50, 395, "generations");
    /* the dev check comes after the training of the same generation: never backwards */
    check(job(10, 50, 100, "dev", 1, 6), spec(NULL, 0), 11.0 / 50, 390, "evaluations");
    /* a step of the start-up is no part of a generation */
    check(job(0, 50, 0, "embed", 1, 2), spec(NULL, 0), 0, NAN, "evaluations");
    /* all done, the test set is measured */
    check(job(50, 50, 500, "test", 1, 38), spec(NULL, 0), 1, 0, "evaluations");
    /* the clock ends it earlier */
    check(job(10, 50, 100, "train", 0, 60), spec("3m", 0), 100.0 / 180, 80, "wall_time");
    check(job(10, 50, 100, "train", 0, 60), spec("2h", 0), 10.0 / 50, 400, "evaluations");
    /* the clock alone */
    check(job(10, 0, 100, "train", 0, 60), spec("400s", 0), 0.25, 300, "wall_time");
    check(job(10, 0, 500, "train", 0, 60), spec("400s", 0), 1, 0, "wall_time");
    /* no end in sight, no spec known */
    check(job(10, 0, 100, "train", 0, 60), NULL, NAN, NAN, "");
    check(json_object(), NULL, NAN, NAN, "");
}

static void bars(void **state)
{
    static const struct {
        double done;
        const char *bar;
    } row[] = {
        {0, "▕    ▏"},
        {NAN, "▕    ▏"},
        {0.25, "▕█   ▏"},
        {0.5, "▕██  ▏"},
        {0.53125, "▕██▏ ▏"},
        {1, "▕████▏"},
        {7, "▕████▏"},
        {-1, "▕    ▏"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        progress_bar(row[i].done, 4, out, sizeof out);
        assert_string_equal(out, row[i].bar);
    }
    progress_bar(1, 100, out, 10); /* no room: no harm */
    assert_true(strlen(out) < 10);
}

static void lines(void **state)
{
    json_t *j = job(10, 50, 100, "train", 30, 60), *s = spec(NULL, 0);
    static const char *const says[] = {
        "job 7 ", "gen 10/50", "train 30/60", "1,234 requests", "ETA 6 min 35 s (evaluations)",
        "loss 0.5000", "dev -", "rate_limit"};
    char out[512], small[24];

    (void)state;
    progress_line(j, s, out, sizeof out);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        assert_non_null(strstr(out, says[i]));
    json_object_set_new(j, "state", json_string("paused"));
    json_object_set_new(j, "reason", json_string("auth"));
    progress_line(j, s, out, sizeof out);
    assert_non_null(strstr(out, "paused: auth"));
    assert_null(strstr(out, "ETA"));
    progress_line(j, s, small, sizeof small);
    assert_true(strlen(small) < sizeof small);
    json_decref(j);
    json_decref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates),
        cmocka_unit_test(bars),
        cmocka_unit_test(lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
