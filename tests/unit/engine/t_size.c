/* Requests that are too large for a server, or for its limit: they become smaller, once, and all
 * else stays as it was. */
#include "place.h"
#include "sql.h"

#include "engine/predict.h"

static const struct scene_job small = {.generations = 4, .popsize = 4};

static int64_t told(struct place *p, int64_t job)
{
    return sql_number(p->w.store, "SELECT count(*) FROM event WHERE job = ? AND kind = 'batch'",
        job);
}

static size_t rows_max(struct place *p)
{
    return engine_endpoint(p->w.engine, "fake")->models[0].rows_max;
}

/* No example was paid for twice: each phase has as many as without a limit. */
static void assert_once(struct place *p, int64_t job, const struct rec_usage *want)
{
    struct rec_job row;

    scene_job_row(&p->w, job, &row);
    assert_int_equal(row.usage.examples, want->examples);
    assert_int_equal(row.usage.tokens_in, want->tokens_in);
    assert_int_equal(row.usage.evaluations, want->evaluations);
    assert_int_equal(row.usage.repeated, 0);
    assert_true(row.usage.failures > 0);
}

/* One job, of four examples a request, that may have less; as without that limit. */
static void limited(const char *kind, const struct scene_job *j, unsigned most, int events)
{
    struct world_opts o = {.kind = kind};
    struct rec_result want = {0}, got = {0};
    struct rec_job row;
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    place_open(p, o);
    id = scene_submit(&p->w, j);
    world_start(&p->w);
    place_rest(p);
    scene_job_row(&p->w, id, &row);
    assert_true(scene_result(&p->w, id, &want));
    assert_int_equal(told(p, id), 0);
    place_close(p);
    o.rows_max = most;
    place_open(p, o);
    checks_examples(p->c, 6);
    id = scene_submit(&p->w, j);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_int_equal(told(p, id), events);
    assert_int_equal(rows_max(p), events == 2 ? 1 : 2);
    assert_once(p, id, &row.usage);
    assert_true(scene_result(&p->w, id, &got));
    assert_same_prompt(&want, &got);
    rec_result_fini(&want);
    rec_result_fini(&got);
    place_close(p);
    free(p);
}

static void test_halved(void **state)
{
    struct scene_job j = small;

    (void)state;
    for (int talks = 0; talks < 2; talks++)
        for (unsigned most = 1; most < 4; most++)
            limited(talks ? "sglang-score" : NULL, &small, most, most == 1 ? 2 : 1);
    j.dev_mean = true;
    j.more = ",\"baselines\":[\"manual\",{\"in_context\":{\"shots\":1,\"orders\":2}}]";
    limited(NULL, &j, 2, 1);
}

/* The limit of a minute's tokens is one, too. */
static void test_by_tokens(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    int64_t id;

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    place_open(p, (struct world_opts){.requests_per_minute = 1000, .tokens_per_minute = 40});
    checks_limits(p->c, 1000, 40);
    checks_examples(p->c, 6);
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_in_range(told(p, id), 1, 2);
    assert_true(scene_result(&p->w, id, &got));
    assert_same_prompt(&want, &got);
    rec_result_fini(&want);
    rec_result_fini(&got);
    place_close(p);
    free(p);
}

/* Jobs that share the model learn from their own refusals, and no more than there is to learn. */
static void test_two_jobs(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct scene_job j = small;
    int64_t id[3];

    (void)state;
    place_open(p, (struct world_opts){.rows_max = 2, .concurrency = 2});
    checks_examples(p->c, 6);
    for (unsigned i = 0; i < 2; i++) {
        j.name = i ? "b" : "a";
        id[i] = scene_submit(&p->w, &j);
    }
    world_start(&p->w);
    place_rest(p);
    j.name = "c";
    id[2] = scene_submit(&p->w, &j); /* comes later: nothing is left to be learned */
    place_rest(p);
    for (unsigned i = 0; i < 3; i++) {
        assert_job(p, id[i], REC_COMPLETED, "budget");
        assert_int_equal(told(p, id[i]), i < 2);
    }
    assert_int_equal(rows_max(p), 2);
    place_close(p);
    free(p);
}

static bool in_step(struct world *w, void *step)
{
    struct engine_live live;

    return engine_live(w->engine, 1, &live) && strcmp(live.progress.step, step) == 0;
}

/* Demonstrations make requests too large that were not before. What was measured until then is
 * cut otherwise now, and not asked again. */
static void test_late(void **state)
{
    struct scene_job j = small;
    struct place *p = calloc(1, sizeof *p);
    struct rec_job row;
    char last[] = "calibrate";
    int64_t id;

    (void)state;
    j.more = ",\"baselines\":[\"manual\",{\"in_context\":{\"shots\":1,\"orders\":3}}]";
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &j);
    world_start(&p->w);
    place_rest(p);
    scene_job_row(&p->w, id, &row);
    place_close(p);
    place_open(p, (struct world_opts){0});
    checks_examples(p->c, 6);
    id = scene_submit(&p->w, &j);
    assert_int_equal(id, 1);
    world_start(&p->w);
    assert_true(world_until(&p->w, in_step, last, STEPS_MAX));
    p->w.body_max = p->w.body_most;
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_in_range(told(p, id), 1, 2);
    assert_once(p, id, &row.usage);
    place_close(p);
    free(p);
}

/* Not even one example fits: the job says so and waits. A person can change that; what was
 * learned is kept over the new probe. */
static void test_hopeless(void **state)
{
    struct rec_result want = {0}, got = {0};
    struct place *p = calloc(1, sizeof *p);
    char train[] = "train";
    struct rec_job row;
    int64_t id;

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    place_open(p, (struct world_opts){0});
    checks_examples(p->c, 6);
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    assert_true(world_until(&p->w, in_step, train, STEPS_MAX));
    p->w.body_max = 100;
    place_rest(p);
    assert_job(p, id, REC_PAUSED, "provider");
    scene_job_row(&p->w, id, &row);
    assert_non_null(strstr(row.detail, "413"));
    assert_non_null(strstr(row.detail, "shorten the texts"));
    assert_int_equal(told(p, id), 2);
    p->w.body_max = 0;
    assert_true(scene_move(&p->w, id, REC_QUEUED));
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_int_equal(rows_max(p), 1);
    assert_true(scene_result(&p->w, id, &got));
    assert_same_prompt(&want, &got);
    rec_result_fini(&want);
    rec_result_fini(&got);
    place_close(p);
    free(p);
}

/* ---- deaths and pauses at every step of it ---- */

static void disturbed(unsigned most, bool die)
{
    struct scene_job j = {.generations = 2, .dev_every = 1};
    struct rec_result want = {0}, got = {0};
    const char *pre = getenv("LD_PRELOAD");
    unsigned stride = pre && strstr(pre, "vgpreload") ? 29 : 1; /* valgrind is slow */
    bool late = false;

    place_reference((struct world_opts){0}, &j, &want);
    for (unsigned k = 1; !late; k += stride) {
        struct place *p = calloc(1, sizeof *p);
        int64_t id;

        place_open(p, (struct world_opts){.rows_max = most});
        checks_examples(p->c, 6);
        id = scene_submit(&p->w, &j);
        world_start(&p->w);
        for (unsigned i = 0; i < k && !late; i++)
            late = !world_step(&p->w) || scene_quiet(&p->w, NULL);
        if (die) {
            world_crash(&p->w);
            world_start(&p->w);
        } else if (scene_move(&p->w, id, REC_PAUSED)) {
            place_rest(p);
            assert_job(p, id, REC_PAUSED, "user");
            assert_true(scene_move(&p->w, id, REC_QUEUED));
        }
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
        free(p);
    }
    rec_result_fini(&want);
}

static void test_killed(void **state)
{
    (void)state;
    disturbed(1, true);
    disturbed(3, true);
}

static void test_paused(void **state)
{
    (void)state;
    disturbed(1, false);
}

/* ---- predictions ---- */

static const char *const texts[] = {"the warm film was joy and gem sweet very story",
    "the cold film was dull and grim sour very story", "even plain tepid usual",
    "the warm film was gold and smile sweet very story"};

static void on_end(struct op *op)
{
    (void)op;
}

static bool is_done(struct world *w, void *arg)
{
    (void)w;
    return ((struct predict *)arg)->done;
}

/* The answer, or what came of hanging up after some steps. */
static void predict(struct place *p, int64_t job, struct predict *ret, unsigned hang_up)
{
    struct op end;

    op_init(&end, &p->w.q, on_end);
    *ret = (struct predict){.job = job, .text_a = texts, .n = 4, .wake = &end};
    predict_start(ret, p->w.engine);
    for (unsigned i = 0; i < hang_up && !ret->done; i++)
        (void)world_step(&p->w);
    if (hang_up)
        predict_drop(ret);
    assert_true(world_until(&p->w, is_done, ret, STEPS_MAX));
    world_turn(&p->w);
    op_fini(&end);
}

static void predictions(const char *kind)
{
    struct place *p = calloc(1, sizeof *p);
    struct predict before, after;
    bool through = false;
    int64_t id;

    place_open(p, (struct world_opts){.kind = kind});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    place_rest(p);
    predict(p, id, &before, 0);
    assert_int_equal(before.rc, BBT_OK);
    p->w.lm.rows_max = 1;
    for (unsigned k = 1; !through; k++) {
        engine_endpoint(p->w.engine, "fake")->models[0].rows_max = 0;
        predict(p, id, &after, k);
        assert_true(after.rc == BBT_OK || after.rc == BBT_CANCELED);
        through = after.rc == BBT_OK;
        if (!through)
            predict_fini(&after);
    }
    assert_int_equal(rows_max(p), 1);
    assert_memory_equal(before.prob, after.prob, 4 * 3 * sizeof *after.prob);
    predict_fini(&before);
    predict_fini(&after);
    p->w.body_max = 100;
    predict(p, id, &after, 0);
    assert_int_equal(after.rc, BBT_INVALID);
    assert_non_null(strstr(after.err.msg, "shorten the texts"));
    predict_fini(&after);
    place_close(p);
    free(p);
}

static void test_predictions(void **state)
{
    (void)state;
    predictions(NULL);
    predictions("sglang-score");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halved),
        cmocka_unit_test(test_by_tokens),
        cmocka_unit_test(test_two_jobs),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_hopeless),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_predictions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
