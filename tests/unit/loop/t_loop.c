/* The turn queue on the loop, its time and its statistics. */
#include "loop/loop.h"

#include "base/clock.h"
#include "base/op.h"
#include "loop/timer.h"
#include "turn.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

struct chain {
    struct op op;
    unsigned left;
    uintptr_t lowest, highest; /* where the stack was */
};

static void chain_step(struct op *op)
{
    struct chain *c = bbt_container(op, struct chain, op);
    char here;
    uintptr_t at = (uintptr_t)&here;

    c->lowest = c->lowest && c->lowest < at ? c->lowest : at;
    c->highest = c->highest > at ? c->highest : at;
    if (--c->left > 0)
        op_wake(&c->op);
}

/* An "instant" completion is a wake from a step: many of them use no stack and no
 * waiting. */
static void chained_wakes(void **state)
{
    struct chain c = {.left = 100000};
    struct loop *l;
    uint64_t start = clock_mono_us();

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    op_init(&c.op, loop_turnq(l), chain_step);
    op_wake(&c.op);
    loop_run(l); /* ends by itself: nothing is left that could wake */
    assert_int_equal(c.left, 0);
    assert_true(c.highest - c.lowest < 1024);
    assert_true(clock_mono_us() - start < 20000000);
    loop_free(l);
}

struct spin {
    struct op op;
    struct loop_timer until;
    unsigned long steps;
};

static void spin_step(struct op *op)
{
    struct spin *s = bbt_container(op, struct spin, op);

    s->steps++;
    if (!s->until.fired)
        op_wake(&s->op);
}

/* An operation that always wakes itself does not starve timers. */
static void busy_queue_lets_timers_in(void **state)
{
    struct spin s = {0};
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    op_init(&s.op, loop_turnq(l), spin_step);
    timer_init(&s.until, l, NULL);
    timer_start(&s.until, 30000);
    op_wake(&s.op);
    loop_run(l);
    assert_true(s.until.fired);
    assert_true(s.steps > 1);
    loop_free(l);
}

struct stopper {
    struct op op;
    struct loop *l;
    struct loop_timer never;
};

static void stopper_step(struct op *op)
{
    loop_stop(bbt_container(op, struct stopper, op)->l);
}

static void stop_ends_run(void **state)
{
    struct stopper s;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    s.l = l;
    op_init(&s.op, loop_turnq(l), stopper_step);
    timer_init(&s.never, l, NULL);
    timer_start(&s.never, UINT64_MAX);
    op_wake(&s.op);
    loop_run(l);
    assert_false(s.never.fired);
    timer_stop(&s.never);
    loop_free(l);
}

struct hog {
    struct op op;
    struct loop_timer t;
    unsigned turns;
    uint64_t hog_us;
};

static void hog_step(struct op *op)
{
    struct hog *h = bbt_container(op, struct hog, op);
    uint64_t end = clock_mono_us() + (h->turns == 50 ? h->hog_us : 0);

    while (clock_mono_us() < end)
        ;
    if (--h->turns > 0)
        timer_start(&h->t, 1000);
}

/* Sleeping between turns is not counted; one slow turn is, and shows only in the tail.
 */
static void turn_times(void **state)
{
    struct hog h = {.turns = 100, .hog_us = 50000};
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(loop_turn_quantile_us(l, 0.5), 0);
    op_init(&h.op, loop_turnq(l), hog_step);
    timer_init(&h.t, l, &h.op);
    timer_start(&h.t, 0);
    loop_run(l);
    assert_true(loop_turn_count(l) >= 100);
    assert_true(loop_turn_max_us(l) >= 50000);
    assert_true(loop_turn_quantile_us(l, 1.0) == loop_turn_max_us(l));
    /* 100 ms were slept in 1 ms pieces: were they counted, the median would show it */
    assert_true(loop_turn_quantile_us(l, 0.5) < 1000);
    loop_turn_reset(l);
    assert_int_equal(loop_turn_count(l), 0);
    assert_int_equal(loop_turn_max_us(l), 0);
    timer_stop(&h.t);
    loop_free(l);
}

static void time_moves_on(void **state)
{
    struct loop_timer t;
    struct loop *l;
    uint64_t before;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    before = loop_now_us(l);
    timer_init(&t, l, NULL);
    timer_start(&t, 20000);
    UNTIL(l, t.fired);
    assert_true(loop_now_us(l) - before >= 20000);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chained_wakes),
        cmocka_unit_test(busy_queue_lets_timers_in),
        cmocka_unit_test(stop_ends_run),
        cmocka_unit_test(turn_times),
        cmocka_unit_test(time_moves_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
