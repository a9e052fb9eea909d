/* Providers that are left alone, and what is known about that after a restart. */
#include "place.h"

#include "engine/admit.h"
#include "engine/channel.h"
#include "engine/rests.h"
#include "store/st_event.h"
#include "store/st_rate.h"

#define S UINT64_C(1000000)

static const struct scene_job small = {.generations = 3};

static struct endpoint *fake(struct place *p)
{
    return engine_endpoint(p->w.engine, "fake");
}

static bool stopped(struct world *w, void *id)
{
    struct rec_job row;

    scene_job_row(w, *(int64_t *)id, &row);
    return row.state == REC_PAUSED;
}

static void wait_paused(struct place *p, int64_t id)
{
    assert_true(world_until(&p->w, stopped, &id, STEPS_MAX));
}

static void some_steps(struct place *p, unsigned n)
{
    while (n--)
        if (!world_step(&p->w))
            return;
}

/* No money: the running jobs pause with the server's sentence, those in the queue stay there,
 * over a crash too; a person's word lets all go on. */
static void test_no_money(void **state)
{
    static const enum world_net fates[] = {NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD,
        NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD,
        NET_GOOD, NET_GOOD, NET_402};
    struct place *p = calloc(1, sizeof *p);
    struct rec_job row;
    int64_t id[4];
    uint64_t asked;

    (void)state;
    assert_non_null(p);
    place_open(p, (struct world_opts){.max_running = 2});
    for (unsigned i = 0; i < 4; i++)
        id[i] = scene_submit(&p->w, &(struct scene_job){.generations = 3, .seed = i + 1});
    p->w.script = fates;
    p->w.script_n = sizeof fates / sizeof fates[0];
    world_start(&p->w);
    wait_paused(p, id[0]);
    wait_paused(p, id[1]);
    for (unsigned i = 0; i < 2; i++) {
        assert_job(p, id[i], REC_PAUSED, "quota");
        scene_job_row(&p->w, id[i], &row);
        assert_non_null(strstr(row.detail, "no money"));
    }
    some_steps(p, 2000);
    assert_int_equal(engine_running(p->w.engine), 0);
    assert_job(p, id[2], REC_QUEUED, "");
    assert_string_equal(endpoint_why(fake(p), port_now_us()), "provider_paused");
    assert_ptr_equal(engine_waits_for(p->w.engine, id[2]), fake(p));
    assert_null(engine_waits_for(p->w.engine, id[0]));
    asked = p->w.lm.asked;
    world_crash(&p->w);
    world_start(&p->w);
    some_steps(p, 2000);
    assert_true(p->w.lm.asked == asked);
    assert_string_equal(endpoint_why(fake(p), port_now_us()), "provider_paused");
    assert_job(p, id[3], REC_QUEUED, "");
    assert_true(scene_move(&p->w, id[0], REC_QUEUED)); /* lets the provider go, too */
    assert_true(scene_move(&p->w, id[1], REC_QUEUED));
    place_rest(p);
    for (unsigned i = 0; i < 4; i++)
        assert_job(p, id[i], REC_COMPLETED, "budget");
    world_crash(&p->w);
    world_start(&p->w);
    some_steps(p, 100);
    assert_string_equal(endpoint_why(fake(p), port_now_us()), "working");
    place_close(p);
    free(p);
}

/* A bad credential: the same, but a restart reads credentials anew, and so tries once. */
static void test_bad_key(void **state)
{
    static const enum world_net fates[] = {NET_GOOD, NET_GOOD, NET_GOOD, NET_401};
    struct place *p = calloc(1, sizeof *p);
    int64_t a, b;

    (void)state;
    assert_non_null(p);
    place_open(p, (struct world_opts){.max_running = 1});
    a = scene_submit(&p->w, &small);
    b = scene_submit(&p->w, &(struct scene_job){.generations = 3, .seed = 5});
    p->w.script = fates;
    p->w.script_n = 4;
    world_start(&p->w);
    wait_paused(p, a);
    some_steps(p, 1000);
    assert_job(p, a, REC_PAUSED, "auth");
    assert_job(p, b, REC_QUEUED, "");
    world_stop(&p->w, false);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, b, REC_COMPLETED, "budget");
    assert_job(p, a, REC_PAUSED, "auth");
    place_close(p);
    free(p);
}

/* A person's pause: nothing is sent, nobody is paused or fails, and the result is the same. */
static void test_by_hand(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    struct engine_live live;
    uint64_t sent;
    int64_t a, b;

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    place_open(p, (struct world_opts){0});
    a = scene_submit(&p->w, &small);
    world_start(&p->w);
    some_steps(p, 150);
    endpoint_pause(fake(p), ENDPOINT_USER, "the bill comes first");
    some_steps(p, 200);
    sent = fake(p)->sent;
    b = scene_submit(&p->w, &small);
    some_steps(p, 5000);
    assert_true(fake(p)->sent == sent);
    assert_true(engine_live(p->w.engine, a, &live));
    assert_string_equal(live.why, "provider_paused");
    assert_job(p, b, REC_QUEUED, "");
    engine_release(p->w.engine); /* somebody resumes another job: not this pause */
    some_steps(p, 1000);
    assert_true(fake(p)->sent == sent);
    world_stop(&p->w, false); /* and so does a restart leave it */
    world_start(&p->w);
    some_steps(p, 2000);
    assert_string_equal(endpoint_why(fake(p), port_now_us()), "provider_paused");
    assert_string_equal(fake(p)->pause_text, "the bill comes first");
    assert_int_equal(fake(p)->sent, 0);
    endpoint_resume(fake(p));
    engine_poke(p->w.engine);
    place_rest(p);
    assert_job(p, a, REC_COMPLETED, "budget");
    assert_job(p, b, REC_COMPLETED, "budget");
    assert_true(scene_result(&p->w, a, &got));
    assert_same_prompt(&got, &want);
    rec_result_fini(&got);
    rec_result_fini(&want);
    place_close(p);
    free(p);
}

static int64_t events_of(struct place *p, const char *kind)
{
    struct rec_event *e = NULL;
    struct bbt_err err;
    size_t n = 0;
    int64_t found = 0;

    assert_int_equal(store_event_list(p->w.store, 0, 0, 100, &e, &n, &err), BBT_OK);
    for (size_t i = 0; i < n; i++)
        found += strcmp(e[i].kind, kind) == 0;
    bbt_free(e);
    return found;
}

/* What somebody's pause or resume has written is not undone by what the engine knew before: it
 * writes nothing until that has come back. */
static void test_not_behind_an_act(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    (void)state;
    assert_non_null(p);
    place_open(p, (struct world_opts){0});
    world_start(&p->w);
    some_steps(p, 100);
    endpoint_pause(fake(p), ENDPOINT_USER, "the bill comes first");
    fake(p)->acting++; /* a resume is on its way to the store */
    engine_poke(p->w.engine);
    some_steps(p, 100);
    assert_int_equal(events_of(p, "provider-paused"), 0);
    world_crash(&p->w); /* it was answered, and no more than that */
    world_start(&p->w);
    some_steps(p, 100);
    assert_string_equal(endpoint_why(fake(p), port_now_us()), "working");
    endpoint_pause(fake(p), ENDPOINT_USER, "the bill comes first");
    fake(p)->acting++;
    some_steps(p, 100);
    fake(p)->acting--; /* it failed: the pause stands, and is kept */
    op_wake(fake(p)->channel->alarm);
    some_steps(p, 100);
    assert_int_equal(events_of(p, "provider-paused"), 1);
    place_close(p);
    free(p);
}

/* Watchers hear that a provider's event is durable, though no job has anything to tell. */
static void test_told(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    unsigned told;

    (void)state;
    assert_non_null(p);
    place_open(p, (struct world_opts){0});
    world_start(&p->w);
    some_steps(p, 100);
    told = p->w.changes;
    endpoint_pause(fake(p), ENDPOINT_USER, "the bill comes first");
    engine_poke(p->w.engine);
    some_steps(p, 100);
    assert_int_equal(events_of(p, "provider-paused"), 1);
    assert_int_equal(p->w.changes, told + 1);
    endpoint_resume(fake(p));
    engine_poke(p->w.engine);
    some_steps(p, 100);
    assert_int_equal(events_of(p, "provider-resumed"), 1);
    assert_int_equal(p->w.changes, told + 2);
    place_close(p);
    free(p);
}

/* Two hours without a server: all jobs complete, few requests tried it, the live reason says
 * outage and how long it waits. */
static void test_outage(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    struct engine_live live;
    uint64_t sent, end;
    int64_t id;

    (void)state;
    place_reference((struct world_opts){.concurrency = 5}, &small, &want);
    place_open(p, (struct world_opts){.concurrency = 5});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    some_steps(p, 150);
    p->w.faults.down_from = p->w.now_us;
    end = p->w.faults.down_until = p->w.now_us + 7200 * S;
    sent = fake(p)->sent;
    while (p->w.now_us < end - 1800 * S || fake(p)->gate.inflight)
        assert_true(world_step(&p->w));
    assert_true(engine_live(p->w.engine, id, &live));
    assert_string_equal(live.why, "outage");
    assert_true(live.wait_us > 0 && live.wait_us <= 900 * S);
    while (p->w.now_us < end)
        assert_true(world_step(&p->w));
    /* ten to open, those under way, then 30 s doubling to 15 min: 5 + 7200 / 900 */
    assert_true(fake(p)->sent - sent <= 10 + 5 + 5 + 8);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_true(p->w.now_us < end + 1200 * S);
    assert_true(scene_result(&p->w, id, &got));
    assert_same_prompt(&got, &want);
    rec_result_fini(&got);
    rec_result_fini(&want);
    place_close(p);
    free(p);
}

/* A limit per minute: kept at the server's end, over crashes, and the result is the same. */
static void test_limit(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_result want = {0}, got = {0};
    struct rec_sent *rows = NULL;
    struct bbt_err err;
    struct engine_live live;
    size_t n = 0;
    int64_t id;

    (void)state;
    place_reference((struct world_opts){0}, &small, &want);
    place_open(p, (struct world_opts){.requests_per_minute = 20, .tokens_per_minute = 2000});
    checks_limits(p->c, 20, 2000);
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    for (int crash = 0; crash < 5; crash++) {
        some_steps(p, 60);
        world_crash(&p->w);
        world_start(&p->w);
    }
    some_steps(p, 60);
    assert_true(engine_live(p->w.engine, id, &live));
    assert_string_equal(live.why, "rate_limit");
    assert_true(live.wait_us > 0 && live.wait_us < 61 * S);
    assert_int_equal(store_sent_list(p->w.store, 0, &rows, &n, &err), BBT_OK);
    assert_true(n > 0);
    assert_string_equal(rows[0].quota, "shared");
    bbt_free(rows);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_true(scene_result(&p->w, id, &got));
    assert_same_prompt(&got, &want);
    rec_result_fini(&got);
    rec_result_fini(&want);
    place_close(p);
    free(p);
}

/* The same limit, told by the server's answers alone. */
static void test_learned_limit(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){0});
    p->w.says[0] = "x-ratelimit-limit-requests";
    p->w.says[1] = "20";
    checks_limits(p->c, 20, 0);
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_true(p->w.now_us > 60 * S);
    assert_int_equal(fake(p)->channel->lane.quota.cap[SLIDE_REQUESTS], 19);
    place_close(p);
    free(p);
}

/* One example is larger than a minute's allowance: a sentence with a way out, no endless wait. */
static void test_oversize(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    struct rec_job row;
    int64_t id;

    (void)state;
    place_open(p, (struct world_opts){.requests_per_minute = 20, .tokens_per_minute = 10});
    id = scene_submit(&p->w, &small);
    world_start(&p->w);
    place_rest(p);
    assert_job(p, id, REC_PAUSED, "provider");
    scene_job_row(&p->w, id, &row);
    assert_non_null(strstr(row.detail, "shorten the texts"));
    place_close(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_money),
        cmocka_unit_test(test_bad_key),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_not_behind_an_act),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_learned_limit),
        cmocka_unit_test(test_oversize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
