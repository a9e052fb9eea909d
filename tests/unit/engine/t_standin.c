/* A job whose provider is away, and another one that may be of the same weights. The law: the
 * prompt is that of the run that nobody disturbed, and only time differs. */
#include "place.h"

#include "engine/standin.h"

#define HOUR_US (UINT64_C(3600) * 1000000)

static const struct scene_job job = {.generations = 6, .more = ",\"fallback\":[\"spare\"]"};

/* Done and undisturbed? *ret_us is when it ended, in time since the world began. */
static void play(struct place *p, uint64_t *ret_us)
{
    struct world_opts calm = {.seed = 1, .spare = true};
    struct rec_result want = {0}, got = {0};
    int64_t id = scene_submit(&p->w, &job);

    world_start(&p->w);
    place_rest(p);
    *ret_us = p->w.now_us;
    assert_job(p, id, REC_COMPLETED, "budget");
    assert_true(scene_result(&p->w, id, &got));
    place_close(p);
    place_reference(calm, &job, &want);
    assert_same_prompt(&want, &got);
    rec_result_fini(&want);
    rec_result_fini(&got);
    free(p);
}

static struct place *place_new(struct world_opts o, uint64_t down_from, uint64_t down_until)
{
    struct place *p = calloc(1, sizeof *p);

    assert_non_null(p);
    o.concurrency = 6; /* of both */
    place_open(p, o);
    p->w.faults.down_from = down_from;
    p->w.faults.down_until = down_until;
    return p;
}

static void goes_elsewhere(void **state)
{
    struct world_opts o = {.seed = 1, .spare = true};
    uint64_t ended;

    (void)state;
    play(place_new(o, 3000000, 9 * HOUR_US), &ended);
    assert_true(ended < HOUR_US);
}

/* Nobody knows yet what the job would begin with. */
static void begins_at_home(void **state)
{
    struct world_opts o = {.seed = 1, .spare = true};
    uint64_t ended;

    (void)state;
    play(place_new(o, 0, 3 * HOUR_US), &ended);
    assert_true(ended > 3 * HOUR_US);
}

static void other_weights(void **state)
{
    struct world_opts o = {.seed = 1, .spare = true, .stranger = true};
    struct place *p = place_new(o, 3000000, 3 * HOUR_US);
    uint64_t ended;

    (void)state;
    play(p, &ended);
    assert_true(ended > 3 * HOUR_US);
}

static const enum world_net refused[] = {NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD,
    NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_GOOD, NET_401};

/* Its credential is refused: the job goes on where it is not. */
static void wall(void **state)
{
    struct world_opts o = {.seed = 1, .spare = true};
    struct place *p = place_new(o, 0, 0);
    uint64_t ended;

    (void)state;
    p->w.script = refused;
    p->w.script_n = sizeof refused / sizeof refused[0];
    play(p, &ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_elsewhere),
        cmocka_unit_test(begins_at_home),
        cmocka_unit_test(other_weights),
        cmocka_unit_test(wall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
