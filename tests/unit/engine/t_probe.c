#include "bench.h"

static struct probe probed(struct bench *b)
{
    char folder[128];
    struct probe p;

    bench_probe(b, &p, scene_tokenizer(&b->p.w, folder, sizeof folder));
    p.tokenizer = NULL;
    return p;
}

static void test_good(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct bench *b = bench_open((struct world_opts){
            .seed = i + 1, .json = i & 1, .vocab = i > 2, .prompt_rank = 2 + i % 3});
        struct probe p = probed(b);

        if (p.rc != BBT_OK)
            print_error("%u: %s\n", i, p.err.msg);
        assert_int_equal(p.rc, BBT_OK);
        assert_true(b->ep.models[0].m.probed);
        assert_int_equal(b->ep.models[0].m.hidden, FAKELM_HIDDEN);
        assert_int_equal(b->ep.models[0].m.use_binary, !(i & 1));
        assert_true(b->ep.models[0].m.has_embedding);
        assert_true(p.drift == 0 && p.effect > 1e-6);
        assert_int_equal(b->p.w.lm.asked, 3); /* A, B, A */
        probe_fini(&p);
        bench_close(b);
    }
}

#define FLAW(...) (struct fakelm_flaws){__VA_ARGS__}

/* Each refusal says why, and nothing is learned about the model. */
static void test_refusals(void **state)
{
    const struct {
        struct fakelm_flaws flaw;
        const char *says;
    } bad[] = {
        {FLAW(.ignores_prompt = true), "ignores the prompt"},
        {FLAW(.drift = 0.5), "asked twice"},
        {FLAW(.hidden_states = true), "hidden states"},
        {FLAW(.garbage_metadata = true), "model metadata"},
        {FLAW(.says_no_width = true), "how wide"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bench *b = bench_open((struct world_opts){0});
        struct probe p;

        b->p.w.lm.flaw = bad[i].flaw;
        p = probed(b);
        if (p.rc == BBT_OK || !strstr(p.err.msg, bad[i].says))
            print_error("%zu: \"%s\" does not say \"%s\"\n", i, p.err.msg, bad[i].says);
        assert_int_not_equal(p.rc, BBT_OK);
        assert_string_equal(p.reason, "provider");
        assert_non_null(strstr(p.err.msg, bad[i].says));
        assert_false(b->ep.models[0].m.probed);
        probe_fini(&p);
        bench_close(b);
    }
}

/* Last bits may differ between two answers; more may not. */
static void test_small_drift(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct probe p;

    (void)state;
    b->p.w.lm.flaw.drift = 1e-4;
    p = probed(b);
    assert_int_equal(p.rc, BBT_OK);
    assert_true(p.drift > 1e-5 && p.drift < 1e-3);
    probe_fini(&p);
    bench_close(b);
}

static void test_no_tokenizer(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct probe p;

    (void)state;
    bench_probe(b, &p, "/nonexistent/tokenizer");
    assert_int_equal(p.rc, BBT_NOTFOUND);
    assert_string_equal(p.reason, "provider");
    assert_int_equal(b->ep.sent, 0);
    probe_fini(&p);
    bench_close(b);
}

/* A server that comes up while we wait. */
static void test_trouble_on_the_way(void **state)
{
    static const enum world_net fates[] = {NET_RESET, NET_429_AFTER, NET_GOOD, NET_HANG};
    struct bench *b = bench_open((struct world_opts){0});
    struct probe p;

    (void)state;
    b->p.w.script = fates;
    b->p.w.script_n = 4;
    p = probed(b);
    assert_int_equal(p.rc, BBT_OK);
    assert_int_equal(b->ep.failed, 3);
    probe_fini(&p);
    b->p.w.script = (const enum world_net[]){NET_401};
    b->p.w.script_n = 1;
    b->ep.models[0].m.probed = false;
    p = probed(b);
    assert_int_equal(p.rc, BBT_DENIED);
    assert_string_equal(p.reason, "auth");
    probe_fini(&p);
    bench_close(b);
}

/* Dropped after every number of steps: it ends, and is not called a success. */
static void test_dropped_anywhere(void **state)
{
    (void)state;
    for (unsigned k = 0;; k++) {
        struct bench *b = bench_open((struct world_opts){0});
        char folder[128];
        struct probe p = {.ep = &b->ep, .model = &b->ep.models[0], .compose = PROV_ADD,
            .tokenizer = scene_tokenizer(&b->p.w, folder, sizeof folder), .wake = &b->seen};
        bool late;

        probe_start(&p, &b->p.w.q);
        for (unsigned i = 0; i < k && !p.done; i++)
            (void)world_step(&b->p.w);
        late = p.done;
        if (!late)
            probe_drop(&p);
        bench_until(b, &p.done);
        if (!late && p.rc == BBT_OK) /* all three canaries were in already */
            assert_int_equal(b->p.w.lm.asked, 3);
        probe_fini(&p);
        bench_close(b);
        if (late)
            break;
        assert_true(k < 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_small_drift),
        cmocka_unit_test(test_no_tokenizer),
        cmocka_unit_test(test_trouble_on_the_way),
        cmocka_unit_test(test_dropped_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
