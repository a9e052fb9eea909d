/* Counts of a dry run, held against a job that was run: 200 evaluations of the demo with 96
 * training, 96 dev and 1200 test texts, 32 to a request, made 691 requests. */
#include "estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void counts(void **state)
{
    struct job_spec s = {.popsize = 20, .stop_evaluations = 200, .dev_every = 5,
        .dev_mean = true};
    json_t *a = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "train_examples", 96,
        "dev_examples", 96, "test_examples", 1200, "train_requests", 3, "dev_requests", 3,
        "test_requests", 38, "tokens_per_evaluation", 2207, "dev_tokens", 2000, "test_tokens",
        27000);
    struct estimate e;

    (void)state;
    estimate_count(&s, a, &e);
    assert_int_equal(e.generations, 10);
    assert_int_equal(e.evaluations[0], 20);
    assert_int_equal(e.evaluations[1], 200);
    assert_int_equal(e.examples[0], 1920);
    assert_int_equal(e.examples[1], 200 * 96 + 4 * 96 + 2 * 1200 + 96);
    assert_int_equal(e.requests[0], 60);
    assert_int_equal(e.requests[1], 691);
    assert_int_equal(e.tokens[1], 200 * 2207 + 4 * 2000 + 2 * 27000 + 2207);

    s.dev_mean = false;
    json_object_set_new(a, "test_examples", json_integer(0));
    estimate_count(&s, a, &e);
    assert_int_equal(e.requests[1], 600 + 2 * 3); /* nothing after the search */

    s.dev_every = 4; /* generations 4 and 8, and the last */
    estimate_count(&s, a, &e);
    assert_int_equal(e.requests[1], 600 + 3 * 3);

    s.stop_evaluations = 0; /* open: ended by time or score */
    estimate_count(&s, a, &e);
    assert_int_equal(e.generations, 0);
    assert_int_equal(e.requests[0], 60);
    assert_int_equal(e.requests[1], 0);
    json_decref(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
