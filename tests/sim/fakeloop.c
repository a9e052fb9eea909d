/* fakeloop.c -- the world in place of the event loop, for the daemon's parts that hold one. */
#include "loop/lane.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "world.h"

struct turnq *loop_turnq(struct loop *l)
{
    (void)l;
    return &world_now()->q;
}

uint64_t loop_now_us(struct loop *l)
{
    (void)l;
    return world_now()->now_us;
}

uint64_t loop_turn_quantile_us(const struct loop *l, double q)
{
    (void)l;
    return (uint64_t)(q * 1000);
}

uint64_t loop_turn_max_us(const struct loop *l)
{
    (void)l;
    return 1000;
}

uint64_t loop_turn_count(const struct loop *l)
{
    (void)l;
    return world_now()->steps;
}

size_t lane_pending(const struct lane *n)
{
    (void)n;
    return world_now()->db_pending;
}

uint64_t lane_wait_quantile_us(const struct lane *n, double q)
{
    (void)n;
    return (uint64_t)(q * 1000);
}

uint64_t lane_wait_max_us(const struct lane *n)
{
    (void)n;
    return 1000;
}

void timer_init(struct loop_timer *t, struct loop *l, struct op *wake)
{
    *t = (struct loop_timer){.loop = l, .wake = wake};
}

void timer_start(struct loop_timer *t, uint64_t after_us)
{
    timer_stop(t);
    t->running = true;
    world_event_put(world_now(), after_us, WORLD_LOOP_TIMER, t);
}

void timer_stop(struct loop_timer *t)
{
    t->fired = false;
    if (t->running)
        world_event_drop(world_now(), WORLD_LOOP_TIMER, t);
    t->running = false;
}
