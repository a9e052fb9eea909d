/* The pool: everything runs once, off the loop thread, and comes home to it. */
#include "loop/work.h"

#include "base/op.h"
#include "loop/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define MANY 1000

struct job {
    struct work w;
    struct op op;
    unsigned runs, steps;
    bool on_loop, done_seen;
    bool blocked; /* all signals were blocked */
};

static pthread_t loop_thread;
static pthread_barrier_t both;

static void run(struct work *w)
{
    struct job *j = bbt_container(w, struct job, w);
    sigset_t now;

    pthread_sigmask(SIG_SETMASK, NULL, &now);
    j->blocked = sigismember(&now, SIGTERM) && sigismember(&now, SIGINT);
    j->runs++;
    j->on_loop = pthread_equal(pthread_self(), loop_thread);
}

static void meet(struct work *w)
{
    run(w);
    pthread_barrier_wait(&both); /* two threads must be here at once */
}

static void step(struct op *op)
{
    struct job *j = bbt_container(op, struct job, op);

    j->steps++;
    j->done_seen = j->w.done && pthread_equal(pthread_self(), loop_thread);
}

static void check(const struct job *j)
{
    assert_int_equal(j->runs, 1);
    assert_int_equal(j->steps, 1);
    assert_false(j->on_loop);
    assert_true(j->done_seen);
    assert_true(j->blocked);
    assert_int_equal(j->w.batch_rc, BBT_OK);
}

static void all_come_home(void **state)
{
    static struct job jobs[MANY];
    struct work_pool *p;
    struct loop *l;

    (void)state;
    loop_thread = pthread_self();
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(work_pool_new(l, 3, &p, NULL), BBT_OK);
    for (int i = 0; i < MANY; i++) {
        op_init(&jobs[i].op, loop_turnq(l), step);
        jobs[i].w = (struct work){.run = run, .wake = &jobs[i].op};
        work_submit(p, &jobs[i].w);
        assert_false(jobs[i].w.done);
    }
    assert_int_equal(work_pending(p), MANY);
    loop_run(l); /* the pool keeps it alive until the last item is home, no longer */
    assert_int_equal(work_pending(p), 0);
    for (int i = 0; i < MANY; i++)
        check(&jobs[i]);
    work_pool_free(p);
    loop_free(l);
}

static void threads_are_several(void **state)
{
    struct job jobs[2] = {0};
    struct work_pool *p;
    struct loop *l;

    (void)state;
    loop_thread = pthread_self();
    pthread_barrier_init(&both, NULL, 2);
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(work_pool_new(l, 2, &p, NULL), BBT_OK);
    for (int i = 0; i < 2; i++) {
        op_init(&jobs[i].op, loop_turnq(l), step);
        jobs[i].w = (struct work){.run = meet, .wake = &jobs[i].op};
        work_submit(p, &jobs[i].w);
    }
    loop_run(l);
    check(&jobs[0]);
    check(&jobs[1]);
    work_pool_free(p);
    loop_free(l);
    pthread_barrier_destroy(&both);
}

/* Freeing runs what is queued and tells the owners. */
static void free_drains(void **state)
{
    static struct job jobs[64];
    struct work_pool *p;
    struct loop *l;

    (void)state;
    loop_thread = pthread_self();
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(work_pool_new(l, 1, &p, NULL), BBT_OK);
    for (int i = 0; i < 64; i++) {
        op_init(&jobs[i].op, loop_turnq(l), step);
        jobs[i].w = (struct work){.run = run, .wake = &jobs[i].op};
        work_submit(p, &jobs[i].w);
    }
    work_pool_free(p);
    for (int i = 0; i < 64; i++)
        assert_true(jobs[i].w.done);
    loop_run(l);
    for (int i = 0; i < 64; i++)
        check(&jobs[i]);
    loop_free(l);
}

static void bad_counts(void **state)
{
    struct work_pool *p = NULL;
    struct bbt_err err;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(work_pool_new(l, 0, &p, &err), BBT_INVALID);
    assert_int_equal(work_pool_new(l, 100000, &p, &err), BBT_INVALID);
    assert_null(p);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_home),
        cmocka_unit_test(threads_are_several),
        cmocka_unit_test(free_drains),
        cmocka_unit_test(bad_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
