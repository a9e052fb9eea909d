#include "place.h"

#include "engine/predict.h"

static const char *const texts[] = {"the warm film was joy and gem sweet very story",
    "the cold film was dull and grim sour very story", "even plain tepid usual"};

struct caller {
    struct predict p;
    struct op op;
    unsigned ends;
};

static void caller_step(struct op *op)
{
    bbt_container(op, struct caller, op)->ends++;
}

static bool is_done(struct world *w, void *arg)
{
    (void)w;
    return ((struct caller *)arg)->p.done;
}

static void call(struct place *p, struct caller *c, int64_t job)
{
    *c = (struct caller){
        .p = {.job = job, .text_a = texts, .n = 3, .wake = &c->op}};
    op_init(&c->op, &p->w.q, caller_step);
    predict_start(&c->p, p->w.engine);
}

static void hang_up(struct place *p, struct caller *c)
{
    assert_true(world_until(&p->w, is_done, c, STEPS_MAX));
    world_turn(&p->w);
    assert_int_equal(c->ends, 1);
}

static void test_labels(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct caller c;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &(struct scene_job){.generations = 12, .popsize = 6});
    world_start(&p->w);
    place_rest(p);
    for (int round = 0; round < 2; round++) { /* with a known model, and after a restart */
        call(p, &c, id);
        hang_up(p, &c);
        assert_int_equal(c.p.rc, BBT_OK);
        assert_int_equal(c.p.labels, 3);
        assert_string_equal(c.p.label[1], "b");
        for (size_t i = 0; i < 3; i++) {
            const double *q = c.p.prob + i * 3;

            assert_true(fabs(q[0] + q[1] + q[2] - 1) < 1e-9);
            assert_true(q[i] > q[(i + 1) % 3] && q[i] > q[(i + 2) % 3]);
        }
        predict_fini(&c.p);
        world_stop(&p->w, false);
        world_start(&p->w);
    }
    place_close(p);
    free(p);
}

static void test_refusals(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct caller c;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    world_start(&p->w);
    call(p, &c, 99);
    hang_up(p, &c);
    assert_int_equal(c.p.rc, BBT_NOTFOUND);
    predict_fini(&c.p);
    id = scene_submit(&p->w, &(struct scene_job){.model = "other"});
    place_rest(p);
    assert_job(p, id, REC_PAUSED, "provider");
    call(p, &c, id);
    hang_up(p, &c);
    assert_int_equal(c.p.rc, BBT_CONFLICT);
    assert_non_null(strstr(c.p.err.msg, "no prompt yet"));
    predict_fini(&c.p);
    place_close(p);
    free(p);
}

static void test_dropped(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct caller c;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &(struct scene_job){.generations = 1});
    world_start(&p->w);
    place_rest(p);
    world_stop(&p->w, false);
    for (unsigned k = 0;; k++) {
        world_start(&p->w); /* knows nothing of the model: probes first */
        call(p, &c, id);
        for (unsigned i = 0; i < k && !c.p.done; i++)
            (void)world_step(&p->w);
        if (c.p.done)
            break;
        predict_drop(&c.p);
        hang_up(p, &c);
        predict_fini(&c.p);
        world_stop(&p->w, false);
        assert_true(k < 200);
    }
    world_turn(&p->w);
    predict_fini(&c.p);
    place_close(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
