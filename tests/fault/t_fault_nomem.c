/* The kth allocation of every operation fails, once or for good, SQLite's own included:
 * BBT_NOMEM, no trace, and with memory the same call goes through. */
#include "story.h"

#include "base/alloc.h"

static struct story t;
static uint64_t at[STORY_STEPS_MAX];
static struct simdisk_image *image[STORY_STEPS_MAX];

static void check_class(enum bbt_rc rc, const char *what, long k)
{
    if (rc != BBT_OK && rc != BBT_NOMEM)
        print_error("%s, allocation %ld: %s\n", what, k, t.err.msg);
    assert_true(rc == BBT_OK || rc == BBT_NOMEM);
}

/* One step, alone, in a fresh process; false: no allocation was refused. */
static bool refused(size_t i, long k, bool sticky)
{
    enum bbt_rc rc;
    unsigned long asked;

    simdisk_load(image[i]);
    story_ok(&t, story_open(&t), "open", i);
    (void)bbt_alloc_fault(k, sticky);
    rc = story_steps[i].run(&t);
    asked = bbt_alloc_fault(-1, 0);
    check_class(rc, story_steps[i].name, k);
    assert_true(story_digest(&t) == at[rc == BBT_OK ? i + 1 : i]);
    if (rc != BBT_OK)
        story_ok(&t, story_steps[i].run(&t), "again", i);
    assert_true(story_digest(&t) == at[i + 1]);
    simdisk_kill();
    story_close(&t);
    story_ok(&t, story_open(&t), "restart", i);
    assert_true(story_digest(&t) == at[i + 1]);
    story_close(&t);
    return asked > (unsigned long)k;
}

static void every_allocation(bool sticky)
{
    unsigned long tries = 0;

    story_undisturbed(&t, at, image);
    for (size_t i = 0; i < story_steps_nr; i++)
        for (long k = 0; refused(i, k, sticky); k += 1 + k / 64)
            tries++;
    print_message("# %lu refusals\n", tries);
    assert_true(tries > 500);
}

static void test_once(void **state)
{
    (void)state;
    every_allocation(false);
}

static void test_for_good(void **state)
{
    (void)state;
    every_allocation(true);
}

static int begin(void **state)
{
    (void)state;
    story_init(&t);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORY_STEPS_MAX; i++) {
        simdisk_image_free(image[i]);
        image[i] = NULL;
    }
    story_fini(&t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_once, begin, end),
        cmocka_unit_test_setup_teardown(test_for_good, begin, end),
    };

    if (store_use_alloc(NULL) != BBT_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
