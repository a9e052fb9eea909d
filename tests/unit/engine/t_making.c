/* Parts made ahead of the first request: all of them, elsewhere than in the loop's turns, by the
 * model as it was; what cannot be made is left for the request itself. */
#include "bench.h"

#include "engine/making.h"
#include "prov/chain.h"

#define BATCHES 4
#define PROMPTS 3

static unsigned made, turn_made, fail_at;
static bool in_turn;
static char params_seen[64];
static size_t part_bytes;

static enum bbt_rc make(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err)
{
    struct pen p;

    made++;
    turn_made += in_turn;
    (void)snprintf(params_seen, sizeof params_seen, "%s", m->params ? m->params : "");
    if (made == fail_at)
        return bbt_fail(err, BBT_INVALID, "no");
    p = chain_part(ret, SIZE_MAX / 2);
    pen_format(&p, "%zu", ask->labels); /* tells which question it was */
    (void)pen_room(&p, part_bytes);
    return chain_part_end(&p, ret, err);
}

static const struct prov_adapter adapter = {.part_batch = make, .part_prompt = make};

static void ask_batch(const void *arg, size_t i, struct prov_ask *ret)
{
    (void)arg;
    *ret = (struct prov_ask){.labels = 100 + i};
}

static void ask_prompt(const void *arg, size_t i, struct prov_ask *ret)
{
    (void)arg;
    *ret = (struct prov_ask){.labels = 200 + i};
}

struct shop {
    struct bench *b;
    struct prov_model model;
    struct parts batches, prompts;
    struct making m;
};

static void shop_open(struct shop *s)
{
    *s = (struct shop){.b = bench_open((struct world_opts){0})};
    made = turn_made = fail_at = 0;
    part_bytes = 10;
    s->model.edition = 5;
    s->model.params = bbt_strdup("{\"a\":1}");
    assert_int_equal(parts_init(&s->batches, BATCHES, NULL), BBT_OK);
    assert_int_equal(parts_init(&s->prompts, PROMPTS, NULL), BBT_OK);
}

static void run(struct shop *s)
{
    s->m = (struct making){.adapter = &adapter, .model = &s->model, .batches = &s->batches,
        .prompts = &s->prompts, .ask_batch = ask_batch, .ask_prompt = ask_prompt,
        .wake = &s->b->seen};
    assert_int_equal(making_start(&s->m, &s->b->p.w.q, NULL), BBT_OK);
    in_turn = true;
    world_turn(&s->b->p.w);
    in_turn = false;
    /* a probe replaces the model while the worker is at it */
    bbt_free(s->model.params);
    s->model.params = bbt_strdup("{\"b\":2}");
    bench_until(s->b, &s->m.done);
    making_fini(&s->m);
}

static void shop_close(struct shop *s)
{
    parts_fini(&s->batches);
    parts_fini(&s->prompts);
    prov_model_fini(&s->model);
    bench_close(s->b);
}

/* The part of question `i`, as the loop would use it; its first bytes. */
static void assert_part(struct parts *p, size_t i, const struct prov_model *m, size_t question)
{
    const struct prov_ask ask = {.labels = question};
    const struct prov_part *part;
    char want[16];

    (void)snprintf(want, sizeof want, "%zu", question);
    assert_int_equal(parts_use(p, i, make, m, &ask, &part, NULL), BBT_OK);
    assert_non_null(part);
    assert_memory_equal(part->bytes.data, want, strlen(want));
    parts_drop(p, i);
}

static void test_all_made(void **state)
{
    struct shop s;

    (void)state;
    shop_open(&s);
    run(&s);
    assert_int_equal(made, BATCHES + PROMPTS);
    assert_int_equal(turn_made, 0);
    assert_string_equal(params_seen, "{\"a\":1}");
    for (size_t i = 0; i < BATCHES; i++)
        assert_part(&s.batches, i, &s.model, 100 + i);
    for (size_t i = 0; i < PROMPTS; i++)
        assert_part(&s.prompts, i, &s.model, 200 + i);
    assert_int_equal(made, BATCHES + PROMPTS);
    run(&s); /* all there: nothing to do */
    assert_int_equal(made, BATCHES + PROMPTS);
    s.model.edition++;
    run(&s); /* the model is another */
    assert_int_equal(made, 2 * (BATCHES + PROMPTS));
    shop_close(&s);
}

static void test_left_over(void **state)
{
    struct shop s;

    (void)state;
    shop_open(&s);
    fail_at = 2;
    run(&s);
    fail_at = 0;
    assert_int_equal(made, 2 + PROMPTS); /* the batches end at the one that failed */
    assert_part(&s.batches, 1, &s.model, 101);
    assert_part(&s.batches, 3, &s.model, 103);
    shop_close(&s);
    shop_open(&s);
    part_bytes = PARTS_KEEP_MAX / 2;
    run(&s);
    assert_true(made < BATCHES + PROMPTS); /* not more than is kept */
    assert_true(s.batches.bytes < 2 * PARTS_KEEP_MAX);
    shop_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_made),
        cmocka_unit_test(test_left_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
