#include "bench.h"

#include "engine/keep.h"

struct writer {
    struct keep k;
    struct op op;
    unsigned ends, runs;
    enum bbt_rc refuse;
};

static void run(struct port_call *c, struct port_db *db)
{
    struct writer *x = bbt_container(c, struct writer, k.call);

    assert_non_null(db);
    x->runs++;
    c->rc = x->refuse == BBT_OK ? BBT_OK : bbt_fail(&c->err, x->refuse, "refused");
}

static void writer_step(struct op *op)
{
    bbt_container(op, struct writer, op)->ends++;
}

static void begin(struct writer *x, struct bench *b)
{
    *x = (struct writer){.k = {.run = run, .ill = &b->ill, .wake = &x->op}};
    op_init(&x->op, &b->p.w.q, writer_step);
    keep_start(&x->k, &b->p.w.q);
}

static void finish(struct writer *x, struct bench *b)
{
    bench_until(b, &x->k.done);
    world_turn(&b->p.w);
    assert_int_equal(x->ends, 1);
    keep_fini(&x->k);
    op_fini(&x->op);
}

static void test_once(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct writer x;

    (void)state;
    begin(&x, b);
    finish(&x, b);
    assert_int_equal(x.k.call.rc, BBT_OK);
    assert_int_equal(x.runs, 1);
    begin(&x, b);
    x.refuse = BBT_CONFLICT; /* a reason of its own: not tried again */
    finish(&x, b);
    assert_int_equal(x.k.call.rc, BBT_CONFLICT);
    assert_int_equal(x.runs, 1);
    assert_false(b->ill.ill);
    bench_close(b);
}

/* A damaged file is no verdict on what is to be written: it waits as on a full disk. */
static void test_damage_waits(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct writer x;

    (void)state;
    begin(&x, b);
    x.refuse = BBT_CORRUPT;
    while (x.runs < 3)
        assert_true(world_step(&b->p.w));
    assert_true(b->ill.ill && !x.k.done);
    assert_string_equal(b->ill.reason, "io");
    x.refuse = BBT_OK;
    finish(&x, b);
    assert_int_equal(x.k.call.rc, BBT_OK);
    assert_false(b->ill.ill);
    bench_close(b);
}

static void test_waits_and_gets_well(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct writer x;

    (void)state;
    b->p.w.faults.full_until = b->p.w.now_us + 4 * KEEP_REST_US;
    begin(&x, b);
    while (x.runs < 2)
        assert_true(world_step(&b->p.w));
    assert_true(b->ill.ill);
    assert_string_equal(b->ill.reason, "disk_full");
    finish(&x, b);
    assert_int_equal(x.k.call.rc, BBT_OK);
    assert_in_range(x.runs, 4, 6);
    assert_false(b->ill.ill);
    bench_close(b);
}

/* Dropped in its rest, and dropped while the call is under way: the illness is what it says. */
static void test_dropped(void **state)
{
    struct bench *b = bench_open((struct world_opts){0});
    struct writer x;

    (void)state;
    b->p.w.faults.full_until = UINT64_MAX;
    begin(&x, b);
    while (!x.k.resting)
        assert_true(world_step(&b->p.w));
    keep_drop(&x.k);
    finish(&x, b);
    assert_true(keep_is_ill(x.k.call.rc));
    assert_int_equal(x.runs, 1);
    begin(&x, b);
    keep_drop(&x.k);
    finish(&x, b);
    assert_true(keep_is_ill(x.k.call.rc));
    b->p.w.faults.full_until = 0;
    begin(&x, b);
    keep_drop(&x.k); /* too late to matter */
    finish(&x, b);
    assert_int_equal(x.k.call.rc, BBT_OK);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_damage_waits),
        cmocka_unit_test(test_waits_and_gets_well),
        cmocka_unit_test(test_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
