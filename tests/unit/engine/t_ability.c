/* The table of what a probe found: for a good server of each kind, and for failures, each in the
 * row where it belongs. */
#include "bench.h"

#include "engine/ability.h"

struct trial {
    struct bench *b;
    struct probe p;
    struct ability row[ABILITY_MAX];
    size_t n;
};

/* Probes a server of that kind; `flaw` as in fakelm.h, `fate` of the first requests, ended by
 * NET_GOOD. */
static struct trial *try(
    const char *kind, bool plain, struct fakelm_flaws flaw, const enum world_net *fate)
{
    struct trial *t = calloc(1, sizeof *t);
    char folder[128];

    assert_non_null(t);
    t->b = bench_open((struct world_opts){.kind = kind, .give_up = "1s"});
    t->b->p.w.lm.flaw = flaw;
    t->b->p.w.script = fate;
    while (fate && fate[t->b->p.w.script_n] != NET_GOOD)
        t->b->p.w.script_n++;
    t->p = (struct probe){.ep = &t->b->ep, .model = &t->b->ep.models[0], .plain = plain,
        .tokenizer = kind ? NULL : scene_tokenizer(&t->b->p.w, folder, sizeof folder),
        .compose = PROV_PREPEND, .at = PROV_AT_HIDDEN, .wake = &t->b->seen};
    probe_start(&t->p, &t->b->p.w.q);
    bench_until(t->b, &t->p.done);
    t->n = ability_list(&t->p, t->row);
    assert_in_range(t->n, 10, ABILITY_MAX);
    return t;
}

static void end(struct trial *t)
{
    probe_fini(&t->p);
    bench_close(t->b);
    free(t);
}

static void expect(
    const struct trial *t, const char *name, enum ability_is is, const char *says)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct ability *r = &t->row[i];

        if (strcmp(r->name, name) != 0)
            continue;
        if (r->is != is || !strstr(r->text, says))
            fail_msg("%s is %s: \"%s\"", name, ability_is_name(r->is), r->text);
        return;
    }
    fail_msg("no row %s", name);
}

static void good_servers(void **state)
{
    struct trial *t = try(NULL, false, (struct fakelm_flaws){0}, NULL);

    (void)state;
    assert_int_equal(t->p.rc, BBT_OK);
    expect(t, "tls", ABILITY_OPEN, "http");
    expect(t, "key", ABILITY_OPEN, "none is configured");
    expect(t, "model", ABILITY_YES, "6 numbers");
    expect(t, "tokeniser", ABILITY_YES, "folder");
    expect(t, "soft_prompts", ABILITY_YES, "moves scores");
    expect(t, "repeats", ABILITY_YES, "same answer");
    expect(t, "batch", ABILITY_YES, "4 examples");
    expect(t, "embedding_std", ABILITY_YES, "the server tells");
    expect(t, "fingerprint", ABILITY_YES, "fakelm 1 fake");
    end(t);
    t = try("sglang-score", false, (struct fakelm_flaws){0}, NULL);
    assert_int_equal(t->p.rc, BBT_OK);
    assert_true(t->b->ep.models[0].tried);
    assert_int_equal(t->b->ep.models[0].m.bos_id, 2);
    expect(t, "tokeniser", ABILITY_YES, "begins with token 2");
    expect(t, "soft_prompts", ABILITY_YES, "moves scores");
    expect(t, "context", ABILITY_YES, "256 tokens");
    expect(t, "embedding_std", ABILITY_OPEN, "must be a number");
    end(t);
    t = try("sglang-score", true, (struct fakelm_flaws){0}, NULL); /* nothing soft is tried */
    assert_int_equal(t->p.rc, BBT_OK);
    assert_false(t->b->ep.models[0].tried);
    assert_int_equal(t->b->ep.models[0].m.hidden, FAKELM_HIDDEN); /* but not forgotten */
    assert_int_equal(t->b->p.w.lm.asked, 0);
    expect(t, "soft_prompts", ABILITY_OPEN, "not tried");
    end(t);
    t = try("openai", false, (struct fakelm_flaws){0}, NULL);
    assert_int_equal(t->p.rc, BBT_OK);
    assert_int_equal(t->b->p.w.lm.asked, 2);
    expect(t, "soft_prompts", ABILITY_NO, "text only");
    expect(t, "label_logprobs", ABILITY_YES, "text");
    expect(t, "tokeniser", ABILITY_OPEN, "none");
    end(t);
}

static void failures(void **state)
{
    static const enum world_net no[] = {NET_401, NET_GOOD},
                                down[] = {[0 ... 30] = NET_RESET, NET_GOOD};
    struct trial *t = try(NULL, false, (struct fakelm_flaws){.ignores_prompt = true}, NULL);

    (void)state;
    expect(t, "soft_prompts", ABILITY_NO, "ignores the prompt");
    expect(t, "model", ABILITY_YES, "sim");
    expect(t, "batch", ABILITY_OPEN, "not tried");
    end(t);
    t = try("sglang-score", false, (struct fakelm_flaws){.ignores_prompt = true}, NULL);
    expect(t, "soft_prompts", ABILITY_NO, "ignores");
    end(t);
    t = try("openai", false, (struct fakelm_flaws){0}, no);
    expect(t, "key", ABILITY_NO, "401");
    expect(t, "model", ABILITY_OPEN, "not tried");
    end(t);
    t = try(NULL, false, (struct fakelm_flaws){.hidden_states = true}, NULL);
    expect(t, "model", ABILITY_NO, "hidden states");
    end(t);
    t = try(NULL, false, (struct fakelm_flaws){0}, down);
    expect(t, "reach", ABILITY_NO, "gave up");
    end(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_servers),
        cmocka_unit_test(failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
