/* The kth open, read, write, sync or truncate of every operation fails, once or for good,
 * or the disk is full: BBT_IO, no trace, and with a good disk the same call goes through. */
#include "story.h"

#include <stdio.h>
#include <string.h>

static struct story t;
static uint64_t at[STORY_STEPS_MAX];
static struct simdisk_image *image[STORY_STEPS_MAX];

/* A fresh process on the disk as it was before step i. */
static void begin_at(size_t i)
{
    simdisk_load(image[i]);
    story_ok(&t, story_open(&t), "open", i);
}

static void in_state(size_t i, const char *what, long k)
{
    if (story_digest(&t) != at[i])
        print_error("%s, call %ld, step %zu (%s): not in the state it should be\n", what, k,
            i, i < story_steps_nr ? story_steps[i].name : "end");
    assert_true(story_digest(&t) == at[i]);
}

/* Dies now; what the restart finds is one of two states. */
static void restart(size_t lo, size_t hi, const char *what, long k)
{
    simdisk_kill();
    story_close(&t);
    story_ok(&t, story_open(&t), "restart", lo);
    story_sound(&t);
    if (story_digest(&t) != at[lo])
        in_state(hi, what, k);
}

static void is_io(enum bbt_rc rc, size_t i, long k)
{
    if (rc != BBT_OK && rc != BBT_IO)
        print_error("step %zu (%s), call %ld: %s\n", i, story_steps[i].name, k, t.err.msg);
    assert_true(rc == BBT_OK || rc == BBT_IO);
}

/* One step with trouble that is over when it returns; false: the trouble never came. */
static bool trouble(size_t i, unsigned ops, long k, bool sticky, bool retry)
{
    uint64_t before = simdisk_count()->faults;
    bool came;
    enum bbt_rc rc;

    begin_at(i);
    before = simdisk_count()->faults;
    simdisk_fail(ops, k, sticky);
    rc = story_steps[i].run(&t);
    came = simdisk_count()->faults > before;
    simdisk_fail(0, 0, false);
    is_io(rc, i, k);
    in_state(rc == BBT_OK ? i + 1 : i, "after the fault", k);
    if (rc != BBT_OK && retry) {
        story_ok(&t, story_steps[i].run(&t), "again", i);
        in_state(i + 1, "again", k);
        rc = BBT_OK;
    }
    restart(rc == BBT_OK ? i + 1 : i, i + 1, "restart", k);
    story_close(&t);
    return came;
}

static void every_call(unsigned ops, unsigned long least)
{
    unsigned long tries = 0;

    story_undisturbed(&t, at, image);
    for (size_t i = 0; i < story_steps_nr; i++)
        for (unsigned way = 0; way < 4; way++)
            for (long k = 0; trouble(i, ops, k, way & 1, way & 2); k += 1 + k / 16)
                tries++;
    print_message("# %lu faults\n", tries);
    assert_true(tries >= least);
}

static void test_read(void **state)
{
    (void)state;
    every_call(SIMDISK_READ, 200);
}

static void test_write(void **state)
{
    (void)state;
    every_call(SIMDISK_WRITE, 200);
}

static void test_sync(void **state)
{
    (void)state;
    every_call(SIMDISK_SYNC, 60);
}

static void test_truncate_and_delete(void **state)
{
    (void)state;
    story_undisturbed(&t, at, image);
    for (size_t i = 0; i < story_steps_nr; i++)
        for (unsigned way = 0; way < 4; way++)
            for (long k = 0; trouble(i, SIMDISK_TRUNCATE | SIMDISK_DELETE, k, way & 1,
                     way & 2);
                k++)
                ;
}

static void test_everything(void **state)
{
    (void)state;
    every_call(SIMDISK_ALL, 500);
}

/* Opening: a new file with its migrations, and one that a killed daemon left. */
static void test_open(void **state)
{
    unsigned long tries = 0;

    (void)state;
    story_undisturbed(&t, at, image);
    for (unsigned way = 0; way < 4; way++)
        for (long k = 0;; k++) {
            size_t i = way & 2 ? story_steps_nr : 0;
            uint64_t before = simdisk_count()->faults;
            enum bbt_rc rc;

            if (i)
                simdisk_load(image[i]);
            else
                simdisk_wipe();
            before = simdisk_count()->faults;
            simdisk_fail(SIMDISK_ALL, k, way & 1);
            rc = story_open(&t);
            if (rc != BBT_OK && rc != BBT_IO)
                print_error("open, call %ld: %s\n", k, t.err.msg);
            assert_true(rc == BBT_OK || rc == BBT_IO);
            if (simdisk_count()->faults == before) {
                story_close(&t);
                break;
            }
            simdisk_fail(0, 0, false);
            tries++;
            story_close(&t);
            story_ok(&t, story_open(&t), "open again", i);
            story_sound(&t);
            in_state(i, "open again", k);
            story_close(&t);
        }
    assert_true(tries > 60);
}

/* ---- no room ---- */

static void test_full(void **state)
{
    unsigned long refused = 0;

    (void)state;
    story_undisturbed(&t, at, image);
    for (size_t i = 0; i < story_steps_nr; i++)
        for (int64_t room = 0;; room += 512 + room / 8) {
            enum bbt_rc rc;

            begin_at(i);
            simdisk_room(room);
            rc = story_steps[i].run(&t);
            simdisk_room(-1);
            is_io(rc, i, (long)room);
            in_state(rc == BBT_OK ? i + 1 : i, "no room", (long)room);
            if (rc != BBT_OK) {
                refused++;
                assert_non_null(strstr(t.err.msg, "full"));
                story_ok(&t, story_steps[i].run(&t), "with room", i);
                in_state(i + 1, "with room", (long)room);
            }
            restart(i + 1, i + 1, "restart", (long)room);
            story_close(&t);
            if (rc == BBT_OK)
                break;
        }
    print_message("# %lu refusals\n", refused);
    assert_true(refused > 20);
}

/* A whole story on a disk that is full again and again: it gets to the same end. */
static void test_full_again_and_again(void **state)
{
    unsigned waits = 0;

    (void)state;
    story_undisturbed(&t, at, NULL);
    simdisk_wipe();
    story_ok(&t, story_open(&t), "open", 0);
    for (size_t i = 0; i < story_steps_nr; i++) {
        simdisk_room(3000);
        while (story_steps[i].run(&t) != BBT_OK) {
            in_state(i, "waiting", waits);
            simdisk_room((int64_t)++waits * 4096);
        }
    }
    in_state(story_steps_nr, "end", waits);
    assert_true(waits > 5);
    simdisk_power_cut(5);
    story_close(&t);
    story_ok(&t, story_open(&t), "reboot", story_steps_nr);
    in_state(story_steps_nr, "reboot", waits);
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
        cmocka_unit_test_setup_teardown(test_read, begin, end),
        cmocka_unit_test_setup_teardown(test_write, begin, end),
        cmocka_unit_test_setup_teardown(test_sync, begin, end),
        cmocka_unit_test_setup_teardown(test_truncate_and_delete, begin, end),
        cmocka_unit_test_setup_teardown(test_everything, begin, end),
        cmocka_unit_test_setup_teardown(test_open, begin, end),
        cmocka_unit_test_setup_teardown(test_full, begin, end),
        cmocka_unit_test_setup_teardown(test_full_again_and_again, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
