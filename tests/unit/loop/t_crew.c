/* What pool and lane share: names of threads, several threads with batches. */
#include "loop/crew.h"

#include "base/op.h"
#include "loop/loop.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#define ITEMS 500

struct item {
    struct work w;
    char thread[16];
};

static atomic_uint begins, ends, runs;

static void run(struct work *w)
{
    struct item *it = bbt_container(w, struct item, w);

    pthread_getname_np(pthread_self(), it->thread, sizeof(it->thread));
    atomic_fetch_add(&runs, 1);
}

static enum bbt_rc begin(void *arg)
{
    (void)arg;
    atomic_fetch_add(&begins, 1);
    return BBT_OK;
}

static enum bbt_rc end(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ends, 1);
    return BBT_AGAIN;
}

static void several_threads_with_batches(void **state)
{
    static struct item items[ITEMS];
    struct lane_opts o = {
        .name = "a-long-name-of-a-crew", .batch_max = 7, .begin = begin, .end = end};
    struct crew *c;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(crew_new(l, &o, 3, &c, NULL), BBT_OK);
    for (int i = 0; i < ITEMS; i++) {
        items[i].w = (struct work){.run = run};
        crew_submit(c, &items[i].w);
    }
    loop_run(l);
    assert_int_equal(crew_pending(c), 0);
    assert_int_equal(runs, ITEMS);
    assert_int_equal(begins, ends);
    assert_true(begins >= ITEMS / 7);
    for (int i = 0; i < ITEMS; i++) {
        assert_true(items[i].w.done);
        assert_int_equal(items[i].w.batch_rc, BBT_AGAIN);
        assert_memory_equal(items[i].thread, "a-long-name-", 12); /* cut, number kept */
        assert_int_equal(strlen(items[i].thread), 13);
    }
    crew_free(c);
    loop_free(l);
}

static void no_batch_is_no_crew(void **state)
{
    struct lane_opts o = {.name = "x", .batch_max = 0};
    struct crew *c = NULL;
    struct loop *l;

    (void)state;
    assert_int_equal(loop_new(&l, NULL), BBT_OK);
    assert_int_equal(crew_new(l, &o, 1, &c, NULL), BBT_INVALID);
    assert_null(c);
    crew_free(NULL);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_threads_with_batches),
        cmocka_unit_test(no_batch_is_no_crew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
