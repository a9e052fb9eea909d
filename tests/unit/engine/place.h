/* place.h -- a world for one test, with the checkers watching. */
#ifndef TEST_ENGINE_PLACE_H
#define TEST_ENGINE_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "checks.h"
#include "scene.h"
#include "world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define STEPS_MAX 400000

struct place {
    struct world w;
    struct checks *c;
};

UNUSED static void place_open(struct place *p, struct world_opts o)
{
    log_set_level(LOG_ERROR);
    o.seed = o.seed ? o.seed : 1;
    world_open(&p->w, &o);
    p->c = checks_new(&p->w, o.concurrency ? o.concurrency : 3);
}

/* No checker has found anything. */
UNUSED static void place_good(struct place *p)
{
    if (p->w.failure[0])
        print_error("%s\n", p->w.failure);
    assert_string_equal(p->w.failure, "");
}

UNUSED static void place_close(struct place *p)
{
    if (p->w.engine)
        world_stop(&p->w, true);
    checks_store(p->c);
    place_good(p);
    checks_free(p->c);
    world_close(&p->w);
}

/* Steps until nothing is queued or running. */
UNUSED static void place_rest(struct place *p)
{
    assert_true(world_until(&p->w, scene_quiet, NULL, STEPS_MAX));
    place_good(p);
}

/* State and reason of a job, as in the store. */
#define assert_job(p, job, state_, reason_)                                                  \
    do {                                                                                     \
        struct rec_job row_;                                                                 \
        scene_job_row(&(p)->w, job, &row_);                                                  \
        if (row_.state != (state_))                                                          \
            print_error("job is %s (%s): %s\n", rec_state_name(row_.state), row_.reason,     \
                row_.detail);                                                                \
        assert_int_equal(row_.state, state_);                                                \
        assert_string_equal(row_.reason, reason_);                                           \
    } while (0)

/* Same bytes of the tuned prompt. */
UNUSED static void assert_same_prompt(const struct rec_result *a, const struct rec_result *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->hidden, b->hidden);
    assert_non_null(a->prompt);
    assert_memory_equal(a->prompt, b->prompt, a->rows * a->hidden * sizeof *a->prompt);
}

/* The result of the same job where nothing goes wrong. */
UNUSED static void place_reference(
    struct world_opts o, const struct scene_job *j, struct rec_result *ret)
{
    struct place *p = calloc(1, sizeof *p);
    int64_t id;

    assert_non_null(p);
    place_open(p, o);
    id = scene_submit(&p->w, j);
    world_start(&p->w);
    place_rest(p);
    assert_true(scene_result(&p->w, id, ret));
    place_close(p);
    free(p);
}

#endif
