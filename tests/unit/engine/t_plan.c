/* Counts made beforehand, held against a job that was run: 200 evaluations of the demo with 96
 * training, 96 dev and 1200 test texts, 32 to a request, made 691 requests. And the figures of
 * the design's example: 8,080 requests, 20.2 million tokens, 2.12 dollars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/plan.h"

static struct task_set set(size_t n, size_t per, uint64_t tokens)
{
    return (struct task_set){.n = n, .batches = (n + per - 1) / per, .tokens = tokens};
}

static void counts(void **state)
{
    struct job_spec s = {.prompt = JOB_SOFT, .popsize = 20, .stop_evaluations = 200, .dev_every = 5,
        .dev_mean = true, .limits = {.usd = MONEY_NONE}};
    struct task t = {.train = set(96, 32, 2207), .dev = set(96, 32, 2000),
        .test = set(1200, 32, 27000), .train_plain = set(96, 32, 1900),
        .test_plain = set(1200, 32, 25000)};
    struct plan p;

    (void)state;
    plan_count(&s, &t, false, &p);
    assert_int_equal(p.generations, 10);
    assert_int_equal(p.generation.evaluations, 20);
    assert_int_equal(p.whole.evaluations, 200);
    assert_int_equal(p.generation.examples, 1920);
    assert_int_equal(p.whole.examples, 200 * 96 + 4 * 96 + 2 * 1200 + 96);
    assert_int_equal(p.generation.requests, 60);
    assert_int_equal(p.whole.requests, 691);
    assert_int_equal(
        p.whole.tokens_in, 200 * 2207 + 4 * 2000 + 27000 + 25000 + 1900);
    assert_int_equal(p.whole.tokens_out, 0);

    s.dev_mean = false;
    t.test = t.test_plain = t.train_plain = (struct task_set){0};
    plan_count(&s, &t, false, &p);
    assert_int_equal(p.whole.requests, 600 + 2 * 3); /* nothing after the search */

    s.dev_every = 4; /* generations 4 and 8, and the last */
    plan_count(&s, &t, false, &p);
    assert_int_equal(p.whole.requests, 600 + 3 * 3);

    s.mode = JOB_CONCAT; /* rows in front of every text */
    s.tokens = 50;
    plan_count(&s, &t, true, &p);
    assert_int_equal(p.generation.tokens_in, 20 * (2207 + 96 * 50));
    assert_int_equal(p.generation.tokens_out, 20 * 96);

    s.stop_evaluations = 0; /* open: ended by time or score */
    plan_count(&s, &t, false, &p);
    assert_int_equal(p.generations, 0);
    assert_int_equal(p.generation.requests, 60);
    assert_int_equal(p.whole.requests, 0);
}

static void the_designs_example(void **state)
{
    const struct price_rate rate = {100000000, 400000000, 0};
    struct job_spec s = {.prompt = JOB_SOFT, .popsize = 20, .stop_evaluations = 8000,
        .dev_every = 5,
        .limits = {.requests = 12000, .tokens = 30000000, .usd = UINT64_C(4000000000)}};
    struct task t = {.train = set(32, 32, 32 * 78), .dev = set(32, 32, 32 * 78)};
    struct plan p;

    (void)state;
    plan_count(&s, &t, true, &p);
    assert_int_equal(p.generations, 400);
    assert_int_equal(p.whole.examples, 258560);
    assert_int_equal(p.whole.requests, 8080);
    assert_int_equal(p.generation.tokens_in, 49920);
    assert_int_equal(p.whole.tokens_in, 20167680);
    assert_int_equal(p.whole.tokens_out, 258560);
    assert_int_equal(plan_cost(&rate, &p.generation), 5248000); /* 0.0052 */
    assert_int_equal(plan_cost(&rate, &p.whole), 2120192000);   /* 2.12 */
    assert_true(plan_fits(&p, &s, &rate) >= 400);

    s.limits.usd = 200000000; /* 0.20: five generations and a check are 0.0265 */
    assert_int_equal(plan_fits(&p, &s, &rate), 35);
    s.limits.requests = 304; /* 101 each */
    assert_int_equal(plan_fits(&p, &s, &rate), 15);
    s.limits.tokens = 1;
    assert_int_equal(plan_fits(&p, &s, &rate), 0);
    s.limits.requests = s.limits.tokens = 0;
    s.limits.usd = MONEY_NONE;
    assert_int_equal(plan_fits(&p, &s, &rate), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(the_designs_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
