/* The table of an estimate: the design's example, and what is left out where it is not known. */
#include "estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is printed, without standard error. */
static void shown(const char *json, char *out, size_t room)
{
    struct ctl c = {.form = FORM_TABLE, .quiet = true, .utc = true};
    json_t *v = NULL;
    FILE *f = tmpfile();
    int keep = dup(STDOUT_FILENO);
    size_t n;

    assert_non_null(f);
    assert_int_equal(json_parse(json, strlen(json), "estimate", &v, NULL), BBT_OK);
    (void)fflush(stdout);
    assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
    assert_int_equal(estimate_show(&c, v), CTL_OK);
    (void)fflush(stdout);
    assert_true(dup2(keep, STDOUT_FILENO) >= 0);
    (void)close(keep);
    rewind(f);
    n = fread(out, 1, room - 1, f);
    out[n] = '\0';
    (void)fclose(f);
    json_decref(v);
}

static const char full[] =
    "{\"name\":\"sst2-16shot\",\"provider\":\"lmaas-a\",\"model\":\"roberta-large\","
    "\"generations\":400,\"popsize\":20,\"train_examples\":32,"
    "\"per_generation\":{\"evaluations\":20,\"examples\":640,\"requests\":20,"
    "\"tokens_in\":49920,\"tokens_out\":640},"
    "\"whole\":{\"evaluations\":8000,\"examples\":258560,\"requests\":8080,"
    "\"tokens_in\":20167680,\"tokens_out\":258560},"
    "\"price\":{\"currency\":\"USD\",\"free\":false,\"as_of\":\"2025-11-01\","
    "\"per_generation\":\"0.005248\",\"low\":\"1.060096\",\"high\":\"2.120192\"},"
    "\"limits\":{\"requests\":{\"limit\":12000,\"ok\":true},"
    "\"tokens\":{\"limit\":20000000,\"ok\":false},\"usd\":{\"limit\":\"4.00\",\"ok\":true}},"
    "\"time\":{\"requests_per_minute\":300,\"tokens_per_minute\":0,\"alone_seconds\":1616,"
    "\"now_seconds\":4848,\"others\":2},"
    "\"schedule\":{\"windows\":[{\"hours\":\"22:00-08:00\"},{\"hours\":\"12:00-13:30\","
    "\"days\":[\"sat\",\"sun\"],\"zone\":\"Europe/Berlin\"}],"
    "\"not_before\":\"2026-11-01T21:00:00Z\"},"
    "\"today\":{\"cap\":null},\"warnings\":[]}";

static void the_designs_example(void **state)
{
    char out[2000];

    (void)state;
    shown(full, out, sizeof out);
    assert_string_equal(out,
        "sst2-16shot · lmaas-a/roberta-large · 400 generations × 20 candidates × 32 examples\n"
        "                         per generation        whole job        limit\n"
        "evaluations                          20            8,000\n"
        "examples                            640          258,560\n"
        "requests                             20            8,080       12,000  ok\n"
        "tokens in / out            49,920 / 640 20.2 M / 258,560       20.0 M  not enough\n"
        "price of 2025-11-01             $0.0052   $1.06 to $2.12        $4.00  ok\n"
        "time at 300 requests/min: 26 min 56 s alone, 1 h 20 min beside 2 running jobs\n"
        "window 22:00-08:00, 12:00-13:30 sat sun (Europe/Berlin)\n"
        "not before 2026-11-01T21:00:00Z\n");
}

static void what_is_not_known_is_not_said(void **state)
{
    char out[2000];

    (void)state;
    shown("{\"name\":\"a\",\"provider\":\"p\",\"model\":\"m\",\"generations\":0,\"popsize\":4,"
          "\"train_examples\":6,\"per_generation\":{\"evaluations\":4,\"examples\":24,"
          "\"requests\":8,\"tokens_in\":100,\"tokens_out\":0},\"whole\":null,\"price\":null,"
          "\"limits\":{},\"time\":null,\"warnings\":[\"x\"]}",
        out, sizeof out);
    assert_string_equal(out,
        "a · p/m × 4 candidates × 6 examples\n"
        "                         per generation        whole job             \n"
        "evaluations                           4             open\n"
        "examples                             24             open\n"
        "requests                              8             open\n"
        "tokens in / out                 100 / 0             open\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_designs_example),
        cmocka_unit_test(what_is_not_known_is_not_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
