/* The lane: order, batches, and what a failed commit means for its items. */
#include "loop/lane.h"

#include "base/clock.h"
#include "base/op.h"
#include "loop/loop.h"

#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define ITEMS 40

/* Written on the lane's thread only, read after lane_free(). */
struct book {
    unsigned begins, ends, in_batch, most;
    unsigned order[ITEMS], n;
    unsigned batch_of[ITEMS];
    enum bbt_rc begin_rc, end_rc;
    bool open, outside;
    sem_t gate, entered;
    bool hold; /* the first item waits at the gate, so that the others queue up */
};

struct item {
    struct work w;
    struct op op;
    struct book *b;
    unsigned nr;
    unsigned ends_when_done; /* commits there were when the loop was told */
};

static enum bbt_rc begin(void *arg)
{
    struct book *b = arg;

    b->begins++;
    b->in_batch = 0;
    b->open = b->begin_rc == BBT_OK;
    return b->begin_rc;
}

static enum bbt_rc end(void *arg)
{
    struct book *b = arg;

    b->open = false;
    __atomic_add_fetch(&b->ends, 1, __ATOMIC_SEQ_CST);
    return b->end_rc;
}

static void run(struct work *w)
{
    struct item *it = bbt_container(w, struct item, w);
    struct book *b = it->b;

    if (b->hold && it->nr == 0) {
        sem_post(&b->entered);
        sem_wait(&b->gate);
    }
    b->outside |= !b->open;
    b->batch_of[it->nr] = b->begins;
    b->order[b->n++] = it->nr;
    b->in_batch++;
    b->most = b->most > b->in_batch ? b->most : b->in_batch;
}

static void step(struct op *op)
{
    struct item *it = bbt_container(op, struct item, op);

    it->ends_when_done = __atomic_load_n(&it->b->ends, __ATOMIC_SEQ_CST);
}

/* Submits ITEMS; the first blocks until the rest is queued. */
static void drive(struct book *b, struct item *items, unsigned batch_max)
{
    struct lane_opts o = {
        .name = "t-lane", .batch_max = batch_max, .begin = begin, .end = end, .arg = b};
    struct lane *n;
    struct loop *l;

    sem_init(&b->gate, 0, 0);
    sem_init(&b->entered, 0, 0);
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(lane_new(l, &o, &n, NULL), BBT_OK);
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.b = b, .nr = i};
        op_init(&items[i].op, loop_turnq(l), step);
        items[i].w = (struct work){.run = run, .wake = &items[i].op};
        lane_submit(n, &items[i].w);
        if (i == 0 && b->hold)
            sem_wait(&b->entered);
    }
    sem_post(&b->gate);
    loop_run(l);
    assert_int_equal(lane_pending(n), 0);
    lane_free(n);
    loop_free(l);
    sem_destroy(&b->gate);
    sem_destroy(&b->entered);
}

static void run_slowly(struct work *w)
{
    uint64_t from = clock_mono_us();

    while (clock_mono_us() - from < 2000) {
    }
    run(w);
}

/* Whoever is first in a batch does not wait for all the others: it ends after its time, and
 * the rest comes first into the next one. */
static void a_batch_has_a_time(void **state)
{
    struct book b = {.hold = false};
    struct item items[ITEMS];
    struct lane_opts o = {.name = "t-lane", .batch_max = 100, .batch_us = 5000,
        .begin = begin, .end = end, .arg = &b};
    struct lane *n;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(lane_new(l, &o, &n, NULL), BBT_OK);
    assert_int_equal(lane_wait_max_us(n), 0);
    for (unsigned i = 0; i < ITEMS; i++) {
        items[i] = (struct item){.b = &b, .nr = i};
        op_init(&items[i].op, loop_turnq(l), step);
        items[i].w = (struct work){.run = run_slowly, .wake = &items[i].op};
        lane_submit(n, &items[i].w);
    }
    loop_run(l);
    assert_int_equal(b.n, ITEMS);
    assert_true(b.most <= 3); /* the third is over it at the latest */
    assert_int_equal(b.begins, b.ends);
    assert_false(b.outside);
    for (unsigned i = 0; i < ITEMS; i++) {
        assert_int_equal(b.order[i], i);
        assert_true(items[i].ends_when_done >= b.batch_of[i]);
    }
    assert_true(lane_wait_max_us(n) >= ITEMS * 1000); /* of 2000: others may need the CPU */
    assert_true(lane_wait_quantile_us(n, 0.5) >= ITEMS * 250);
    assert_true(lane_wait_quantile_us(n, 1) == lane_wait_max_us(n));
    lane_free(n);
    loop_free(l);
}

static void queued_items_share_a_batch(void **state)
{
    struct book b = {.hold = true};
    struct item items[ITEMS];

    (void)state;
    drive(&b, items, 16);
    assert_int_equal(b.n, ITEMS);
    assert_int_equal(b.begins, 4); /* 1, then 39 = 16 + 16 + 7 */
    assert_int_equal(b.ends, 4);
    assert_int_equal(b.most, 16);
    assert_false(b.outside);
    for (unsigned i = 0; i < ITEMS; i++) {
        assert_int_equal(b.order[i], i);
        assert_true(items[i].w.done);
        assert_int_equal(items[i].w.batch_rc, BBT_OK);
        /* told only after its own batch was ended */
        assert_true(items[i].ends_when_done >= b.batch_of[i]);
    }
}

static void failed_end_reaches_every_item(void **state)
{
    struct book b = {.end_rc = BBT_IO};
    struct item items[ITEMS];

    (void)state;
    drive(&b, items, 8);
    assert_int_equal(b.n, ITEMS);
    for (unsigned i = 0; i < ITEMS; i++)
        assert_int_equal(items[i].w.batch_rc, BBT_IO);
}

static void failed_begin_runs_nothing(void **state)
{
    struct book b = {.begin_rc = BBT_CONFLICT};
    struct item items[ITEMS];

    (void)state;
    drive(&b, items, 8);
    assert_int_equal(b.n, 0);
    assert_int_equal(b.ends, 0);
    for (unsigned i = 0; i < ITEMS; i++) {
        assert_true(items[i].w.done);
        assert_int_equal(items[i].w.batch_rc, BBT_CONFLICT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_has_a_time),
        cmocka_unit_test(queued_items_share_a_batch),
        cmocka_unit_test(failed_end_reaches_every_item),
        cmocka_unit_test(failed_begin_runs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
