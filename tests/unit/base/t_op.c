/* The turn queue: order, coalescing, ends in the middle of a turn, no recursion. */
#include "base/op.h"
#include "unit.h"

#define OPS 8

struct probe {
    struct op op;
    unsigned id, left;
    struct probe *victim; /* ended and freed by this one's step */
};

static char trace[256];
static unsigned firsts;

static void note(unsigned id)
{
    size_t n = strlen(trace);

    assert_true(n + 1 < sizeof trace);
    trace[n] = (char)('a' + id);
    trace[n + 1] = '\0';
}

static void probe_step(struct op *op)
{
    struct probe *p = bbt_container(op, struct probe, op);

    note(p->id);
    if (p->victim) {
        op_fini(&p->victim->op);
        bbt_free(p->victim);
        p->victim = NULL;
    }
    if (p->left > 0) {
        p->left--;
        op_wake(op);
    }
}

static void suicidal_step(struct op *op)
{
    struct probe *p = bbt_container(op, struct probe, op);

    note(p->id);
    op_wake(op);
    op_fini(op);
    bbt_free(p);
}

static void on_first(void *arg)
{
    assert_ptr_equal(arg, trace);
    firsts++;
}

static void start(struct turnq *q, struct probe *p, unsigned n)
{
    turnq_init(q);
    q->on_first = on_first;
    q->arg = trace;
    trace[0] = '\0';
    firsts = 0;
    for (unsigned i = 0; i < n; i++) {
        p[i] = (struct probe){.id = i};
        op_init(&p[i].op, q, probe_step);
    }
}

static void wake_order_and_coalescing(void **state)
{
    struct probe p[OPS];
    struct turnq q;

    (void)state;
    start(&q, p, OPS);
    op_wake(&p[2].op);
    op_wake(&p[0].op);
    op_wake(&p[2].op);
    op_wake(&p[1].op);
    op_wake(&p[0].op);
    assert_int_equal(firsts, 1);
    assert_false(turnq_run(&q, 100));
    assert_string_equal(trace, "cab");
    assert_false(turnq_run(&q, 100));
    op_wake(&p[2].op); /* may be woken again after its step */
    assert_int_equal(firsts, 2);
    assert_false(turnq_run(&q, 100));
    assert_string_equal(trace, "cabc");
}

static void limit_leaves_the_rest(void **state)
{
    struct probe p[OPS];
    struct turnq q;

    (void)state;
    start(&q, p, OPS);
    for (unsigned i = 0; i < 5; i++)
        op_wake(&p[i].op);
    assert_true(turnq_run(&q, 0));
    assert_true(turnq_run(&q, 2));
    assert_string_equal(trace, "ab");
    op_wake(&p[0].op);
    assert_true(turnq_run(&q, 3));
    assert_string_equal(trace, "abcde");
    assert_false(turnq_run(&q, 3));
    assert_string_equal(trace, "abcdea");
}

static void waking_oneself_is_fair_and_flat(void **state)
{
    struct probe p[2];
    struct turnq q;

    (void)state;
    start(&q, p, 2);
    p[0].left = p[1].left = 3;
    op_wake(&p[0].op);
    op_wake(&p[1].op);
    assert_false(turnq_run(&q, 100));
    assert_string_equal(trace, "abababab");
    start(&q, p, 1);
    p[0].left = 100;
    op_wake(&p[0].op);
    assert_true(turnq_run(&q, 100)); /* a busy operation cannot hold the loop for ever */
    assert_int_equal(strlen(trace), 100);
}

static void ending_each_position(void **state)
{
    (void)state;
    for (unsigned dead = 0; dead < 4; dead++) {
        char want[8] = "";
        struct probe p[OPS];
        struct turnq q;
        size_t n = 0;

        start(&q, p, OPS);
        for (unsigned i = 0; i < 4; i++)
            op_wake(&p[i].op);
        op_fini(&p[dead].op);
        op_fini(&p[dead].op); /* twice is harmless */
        op_wake(&p[4].op);    /* the tail is still right */
        for (unsigned i = 0; i < 5; i++)
            if (i != dead)
                want[n++] = (char)('a' + i);
        assert_false(turnq_run(&q, 100));
        assert_string_equal(trace, want);
    }
}

static void a_step_may_free_itself_and_others(void **state)
{
    struct probe *victim = bbt_calloc(1, sizeof *victim);
    struct probe *self = bbt_calloc(1, sizeof *self);
    struct probe p[2];
    struct turnq q;

    (void)state;
    assert_true(victim && self);
    start(&q, p, 2);
    victim->id = 2;
    self->id = 3;
    op_init(&victim->op, &q, probe_step);
    op_init(&self->op, &q, suicidal_step);
    p[0].victim = victim;
    op_wake(&p[0].op);
    op_wake(&victim->op);
    op_wake(&self->op);
    op_wake(&p[1].op);
    assert_false(turnq_run(&q, 100));
    assert_string_equal(trace, "adb");
}

/* A queue as an array is the model; 20 000 random acts must agree with it. */
static void agrees_with_a_model(void **state)
{
    unsigned order[OPS], n = 0, x = 12345;
    struct probe p[OPS];
    struct turnq q;

    (void)state;
    start(&q, p, OPS);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned id, at;

        x = x * 1664525u + 1013904223u;
        id = (x >> 16) % OPS;
        for (at = 0; at < n && order[at] != id; at++)
            ;
        switch ((x >> 24) % 3) {
        case 0:
            op_wake(&p[id].op);
            if (at == n)
                order[n++] = id;
            break;
        case 1:
            op_fini(&p[id].op);
            if (at < n) {
                memmove(order + at, order + at + 1, (n - at - 1) * sizeof *order);
                n--;
            }
            break;
        default:
            trace[0] = '\0';
            assert_int_equal(turnq_run(&q, 1), n > 1);
            assert_int_equal(strlen(trace), n > 0);
            if (n > 0) {
                assert_int_equal(trace[0], 'a' + (int)order[0]);
                memmove(order, order + 1, --n * sizeof *order);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wake_order_and_coalescing),
        cmocka_unit_test(limit_leaves_the_rest),
        cmocka_unit_test(waking_oneself_is_fair_and_flat),
        cmocka_unit_test(ending_each_position),
        cmocka_unit_test(a_step_may_free_itself_and_others),
        cmocka_unit_test(agrees_with_a_model),
    };

    return cmocka_run_group_tests_name("op", tests, NULL, NULL);
}
