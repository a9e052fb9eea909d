#include "place.h"
#include "store/st_job.h"

static const struct scene_job small = {.generations = 2};

static bool two_running(struct world *w, void *arg)
{
    (void)arg;
    return engine_running(w->engine) >= 2;
}

static bool one_running(struct world *w, void *arg)
{
    (void)arg;
    return engine_running(w->engine) == 1;
}

static bool none_running(struct world *w, void *arg)
{
    (void)arg;
    return engine_running(w->engine) == 0;
}

/* Never more at once than the configuration says; by priority, then by age. */
static void test_max_running(void **state)
{
    static const int priority[] = {0, 0, 50, -50};
    struct place *p = calloc(1, sizeof *p);
    int64_t id[4], order[4];
    size_t n = 0;

    (void)state;
    place_open(p, (struct world_opts){.max_running = 1});
    for (int i = 0; i < 4; i++)
        id[i] = scene_submit(
            &p->w, &(struct scene_job){.generations = 1, .priority = priority[i]});
    world_start(&p->w);
    while (!scene_quiet(&p->w, NULL)) {
        assert_true(world_step(&p->w));
        assert_true(engine_running(p->w.engine) <= 1);
        for (int i = 0; i < 4; i++) {
            struct engine_live live;

            if (engine_live(p->w.engine, id[i], &live) && (n == 0 || order[n - 1] != id[i]))
                order[n++] = id[i];
        }
    }
    assert_int_equal(n, 4);
    assert_true(order[0] == id[2] && order[1] == id[0] && order[2] == id[1] &&
        order[3] == id[3]);
    place_close(p);
    free(p);
}

static void test_several_share(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    (void)state;
    place_open(p, (struct world_opts){.max_running = 3, .concurrency = 2});
    checks_free(p->c);
    p->c = checks_new(&p->w, 2);
    for (unsigned i = 0; i < 5; i++)
        (void)scene_submit(&p->w, &(struct scene_job){.generations = 2, .seed = i + 1});
    world_start(&p->w);
    assert_true(world_until(&p->w, two_running, NULL, 1000));
    place_rest(p);
    for (int64_t i = 1; i <= 5; i++)
        assert_job(p, i, REC_COMPLETED, "budget");
    place_close(p);
    free(p);
}

/* Requests that the other one has when the first of two equal jobs is complete. */
static double left_behind(int64_t priority, unsigned when)
{
    const struct scene_job j = {.generations = 8, .popsize = 12, .shots = 4};
    struct place *p = calloc(1, sizeof *p);
    struct bbt_err err;
    struct rec_job one, two;
    int64_t a, b;

    place_open(p, (struct world_opts){.concurrency = 10});
    a = scene_submit(&p->w, &j);
    b = scene_submit(&p->w, &j);
    world_start(&p->w);
    for (unsigned i = 0; i < when; i++)
        (void)world_step(&p->w);
    assert_int_equal(store_job_priority(p->w.store, a, priority, 1, &err), BBT_OK);
    engine_priority(p->w.engine, a, priority);
    assert_int_equal(store_job_priority(p->w.store, b, -priority, 1, &err), BBT_OK);
    engine_priority(p->w.engine, b, -priority);
    engine_priority(p->w.engine, 99, 5); /* nobody's: fine */
    do {
        assert_true(world_step(&p->w));
        scene_job_row(&p->w, a, &one);
        scene_job_row(&p->w, b, &two);
    } while (one.state == REC_RUNNING || one.state == REC_QUEUED);
    place_rest(p);
    place_close(p);
    free(p);
    return (double)two.usage.requests / (double)one.usage.requests;
}

/* A new priority is at once a running job's share, at whatever moment it comes. */
static void test_priority(void **state)
{
    double same = left_behind(0, 200);

    (void)state;
    assert_true(same > 0.85);
    for (unsigned when = 0; when < 210; when += 15)
        assert_true(left_behind(100, when) < 0.75 * same);
}

/* A paused job is let go and its room given to the next; resumed, it ends as if nothing was. */
static void test_pause_makes_room(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    int64_t a, b;

    (void)state;
    place_reference((struct world_opts){.max_running = 1}, &small, &want);
    place_open(p, (struct world_opts){.max_running = 1});
    a = scene_submit(&p->w, &small);
    b = scene_submit(&p->w, &small);
    world_start(&p->w);
    for (int i = 0; i < 120; i++)
        assert_true(world_step(&p->w));
    assert_job(p, a, REC_RUNNING, "working");
    assert_true(scene_move(&p->w, a, REC_PAUSED));
    assert_false(scene_move(&p->w, a, REC_PAUSED));
    place_rest(p);
    assert_job(p, a, REC_PAUSED, "user");
    assert_job(p, b, REC_COMPLETED, "budget");
    assert_true(scene_move(&p->w, a, REC_QUEUED));
    place_rest(p);
    assert_job(p, a, REC_COMPLETED, "budget");
    assert_true(scene_result(&p->w, a, &got));
    assert_same_prompt(&want, &got);
    rec_result_fini(&got);
    rec_result_fini(&want);
    place_close(p);
    free(p);
}

/* Paused and resumed at once, again and again, while the halt is still under way. */
static void test_nervous_user(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    for (int i = 0; i < 60; i++) {
        for (int k = 0; k < i % 7; k++)
            (void)world_step(&p->w);
        (void)scene_move(&p->w, id, REC_PAUSED);
        if (i % 3)
            (void)world_step(&p->w);
        (void)scene_move(&p->w, id, REC_QUEUED);
    }
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    place_close(p);
    free(p);
}

static void test_cancel(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    (void)state;
    for (int k = 0;; k += 7) {
        assert_true(k < 1000);
        place_open(p, (struct world_opts){0});
        id = scene_submit(&p->w, &small);
        world_start(&p->w);
        for (int i = 0; i < k; i++)
            (void)world_step(&p->w);
        if (scene_quiet(&p->w, NULL)) { /* too late: it is complete */
            assert_false(scene_move(&p->w, id, REC_CANCELLED));
            place_close(p);
            break;
        }
        assert_true(scene_move(&p->w, id, REC_CANCELLED));
        assert_true(world_until(&p->w, none_running, NULL, 1000));
        assert_int_equal(engine_in_flight(p->w.engine), 0);
        place_rest(p);
        assert_job(p, id, REC_CANCELLED, "user");
        assert_false(scene_move(&p->w, id, REC_QUEUED));
        place_close(p);
    }
    free(p);
}

/* After a crash: taken up again, or held for a person, as the configuration says. */
static void test_restart(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    int64_t a, b;

    (void)state;
    for (int hold = 0; hold < 2; hold++) {
        place_open(p, (struct world_opts){
            .max_running = 1, .on_restart = hold ? "hold" : "resume"});
        a = scene_submit(&p->w, &small);
        b = scene_submit(&p->w, &small);
        world_start(&p->w);
        for (int i = 0; i < 100; i++)
            assert_true(world_step(&p->w));
        world_crash(&p->w);
        assert_job(p, a, REC_RUNNING, "working");
        world_start(&p->w);
        place_rest(p);
        assert_job(p, b, REC_COMPLETED, "budget");
        if (hold) {
            assert_job(p, a, REC_PAUSED, "restart_hold");
            assert_true(scene_move(&p->w, a, REC_QUEUED));
            place_rest(p);
        }
        assert_job(p, a, REC_COMPLETED, "budget");
        place_close(p);
    }
    free(p);
}

/* The disk is full for a while: nothing is sent, nothing is lost, nothing is failed. */
static void test_ill_disk(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    bool seen = false;
    int64_t id;

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    for (uint64_t at = 0; at < 60; at += 4) {
        place_open(p, (struct world_opts){0});
        p->w.faults.full_from = p->w.now_us + at * 100000;
        p->w.faults.full_until = p->w.faults.full_from + 30000000;
        id = scene_submit(&p->w, &small);
        world_start(&p->w);
        while (!scene_quiet(&p->w, NULL)) {
            assert_true(world_step(&p->w));
            seen |= engine_ill(p->w.engine) != NULL;
        }
        assert_null(engine_ill(p->w.engine));
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
    }
    assert_true(seen);
    rec_result_fini(&want);
    free(p);
}

/* Single commits that fail, anywhere. */
static void test_failing_commits(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    for (unsigned i = 0; i < 20; i++) {
        int64_t id;

        place_open(p, (struct world_opts){.seed = 1});
        p->w.draws = i * 100000; /* other chances, the same job */
        p->w.faults.commit = 0.15;
        id = scene_submit(&p->w, &small);
        world_start(&p->w);
        place_rest(p);
        assert_true(p->w.io_errors > 0);
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
    }
    rec_result_fini(&want);
    free(p);
}

static void test_live(void **state)
{
    static const enum world_net slow[] = {NET_429_AFTER};
    struct place *p = calloc(1, sizeof *p);
    struct engine_live live = {0};
    size_t n = 0;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    world_start(&p->w);
    assert_false(engine_live(p->w.engine, 1, &live));
    id = scene_submit(&p->w, &small);
    while (strcmp(live.progress.step ? live.progress.step : "", "train") != 0) {
        assert_true(world_step(&p->w));
        (void)engine_live(p->w.engine, id, &live);
    }
    assert_int_equal(live.progress.needed, 4 * 2);
    p->w.script = slow;
    p->w.script_n = 1;
    while (live.wait_us == 0) {
        assert_true(world_step(&p->w));
        assert_true(engine_live(p->w.engine, id, &live));
    }
    assert_string_equal(live.why, "rate_limit");
    assert_non_null(strstr(live.trouble, "slow down"));
    assert_int_equal(engine_endpoints(p->w.engine, &n)->failed, 1);
    assert_int_equal(n, 1);
    assert_non_null(engine_endpoint(p->w.engine, "fake"));
    assert_null(engine_endpoint(p->w.engine, "fak"));
    place_rest(p);
    place_close(p);
    free(p);
}

/* A polite stop takes in what is on the wire; the next start goes on. */
static void test_stop_anywhere(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    for (unsigned k = 0; k < 260; k += 9) {
        int64_t id;

        place_open(p, (struct world_opts){0});
        id = scene_submit(&p->w, &small);
        world_start(&p->w);
        for (unsigned i = 0; i < k; i++)
            (void)world_step(&p->w);
        world_stop(&p->w, k % 2);
        world_start(&p->w);
        place_rest(p);
        assert_job(p, id, REC_COMPLETED, "budget");
        assert_true(scene_result(&p->w, id, &got));
        assert_same_prompt(&want, &got);
        rec_result_fini(&got);
        place_close(p);
    }
    rec_result_fini(&want);
    free(p);
}

static void test_unknown_provider(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_job row;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    id = scene_submit(&p->w, &(struct scene_job){.model = "gone"});
    world_start(&p->w);
    assert_true(world_until(&p->w, one_running, NULL, 100));
    place_rest(p);
    assert_job(p, id, REC_PAUSED, "provider");
    scene_job_row(&p->w, id, &row);
    assert_non_null(strstr(row.detail, "\"gone\""));
    place_close(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_running),
        cmocka_unit_test(test_several_share),
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_pause_makes_room),
        cmocka_unit_test(test_nervous_user),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_ill_disk),
        cmocka_unit_test(test_failing_commits),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_stop_anywhere),
        cmocka_unit_test(test_unknown_provider),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
