/* Timers: order, never early, stopping, against a plain array as the oracle. */
#include "loop/timer.h"

#include "base/alloc.h"
#include "base/op.h"
#include "loop/loop.h"
#include "turn.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define MANY 2000

struct one {
    struct op op;
    struct loop_timer t;
    struct loop *l;
    uint64_t want_us; /* 0: must not fire */
    unsigned order;
    bool early;
};

static unsigned fired;

static void one_step(struct op *op)
{
    struct one *o = bbt_container(op, struct one, op);

    o->early = o->want_us == 0 || loop_now_us(o->l) < o->want_us;
    o->order = ++fired;
}

/* A small generator of its own: the test must not depend on src/num. */
static uint32_t next(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

static void many_in_order(void **state)
{
    struct one *o = bbt_calloc(MANY, sizeof(*o));
    struct loop *l;
    uint32_t seed = 7;
    unsigned alive = 0;

    (void)state;
    fired = 0;
    assert_non_null(o);
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    for (int i = 0; i < MANY; i++) {
        o[i].l = l;
        op_init(&o[i].op, loop_turnq(l), one_step);
        timer_init(&o[i].t, l, &o[i].op);
    }
    for (int i = 0; i < 3 * MANY; i++) { /* starts, restarts and stops */
        struct one *x = &o[next(&seed) % MANY];
        uint64_t wait = next(&seed) % 100000;

        if (next(&seed) % 4 == 0) {
            timer_stop(&x->t);
            x->want_us = 0;
        } else {
            x->want_us = loop_now_us(l) + wait;
            timer_start_at(&x->t, x->want_us);
        }
    }
    for (int i = 0; i < MANY; i++)
        alive += o[i].want_us != 0;
    assert_true(alive > MANY / 2);
    loop_run(l); /* ends when the last one fired */
    assert_int_equal(fired, alive);
    for (int i = 0; i < MANY; i++) {
        assert_false(o[i].early);
        assert_int_equal(o[i].t.fired, o[i].want_us != 0);
        for (int j = i + 1; j < MANY && j < i + 50; j++)
            if (o[i].want_us && o[j].want_us && o[i].want_us < o[j].want_us)
                assert_true(o[i].order < o[j].order);
    }
    loop_free(l);
    bbt_free(o);
}

/* Zero is still later: the fact is not there when start returns. */
static void zero_is_later(void **state)
{
    struct loop_timer t;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    timer_init(&t, l, NULL);
    timer_start(&t, 0);
    assert_false(t.fired);
    UNTIL(l, t.fired);
    loop_free(l);
}

/* The memory of a stopped timer is the owner's again at once (ASan watches). */
static void freed_after_stop(void **state)
{
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    for (int i = 0; i < 100; i++) {
        struct loop_timer *a = bbt_alloc(sizeof(*a)), *b = bbt_alloc(sizeof(*b));

        assert_non_null(a);
        assert_non_null(b);
        timer_init(a, l, NULL);
        timer_init(b, l, NULL);
        timer_start(a, (uint64_t)(i % 3));
        timer_start(b, (uint64_t)(i % 5) * 1000);
        timer_stop(i % 2 ? a : b);
        bbt_free(i % 2 ? a : b);
        UNTIL(l, (i % 2 ? b : a)->fired);
        bbt_free(i % 2 ? b : a);
    }
    loop_run(l);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_in_order),
        cmocka_unit_test(zero_is_later),
        cmocka_unit_test(freed_after_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
