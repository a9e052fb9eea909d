/* The power fails at every sync and at random calls: what was acknowledged is there after
 * the reboot, of the call under way all or nothing, and the story goes on to its end. */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>

#define CALLS                                                                          \
    (SIMDISK_WRITE | SIMDISK_SYNC | SIMDISK_TRUNCATE | SIMDISK_DELETE | SIMDISK_OPEN)

static struct story t;
static uint64_t at[STORY_STEPS_MAX];

/* Steps from `from` until the end or the machine's death; the first one not done. */
static size_t play(size_t from)
{
    for (size_t i = from; i < story_steps_nr; i++)
        if (story_steps[i].run(&t) != BBT_OK) {
            assert_true(simdisk_is_dead());
            return i;
        }
    return story_steps_nr;
}

/* Where the story is: at `done`, or one further if its step got through. */
static size_t where(size_t done, const char *what, uint64_t seed)
{
    uint64_t now = story_digest(&t);

    if (now == at[done])
        return done;
    if (done < story_steps_nr && now == at[done + 1])
        return done + 1;
    print_error("%s, seed %llu: after %zu steps (next: %s) the file is in no known state\n",
        what, (unsigned long long)seed, done,
        done < story_steps_nr ? story_steps[done].name : "end");
    fail();
    return 0;
}

/* After a death: reboot, look, go on to the end. */
static void recover(size_t done, bool power, uint64_t seed)
{
    size_t next;

    if (power)
        simdisk_power_cut(seed);
    else
        simdisk_kill();
    story_close(&t); /* of the dead life */
    story_ok(&t, story_open(&t), "reboot", done);
    story_sound(&t);
    next = where(done, power ? "power cut" : "kill", seed);
    assert_int_equal(play(next), story_steps_nr);
    story_sound(&t);
    assert_true(story_digest(&t) == at[story_steps_nr]);
    story_close(&t);
}

/* One whole story that dies at the kth call; false: it did not. */
static bool story_dies(unsigned ops, long k, bool power, uint64_t seed)
{
    size_t done = 0;
    bool died;

    simdisk_wipe();
    simdisk_die(ops, k);
    if (story_open(&t) == BBT_OK)
        done = play(0);
    died = simdisk_is_dead();
    recover(done, power, seed);
    return died;
}

static long calls_of_story(unsigned ops)
{
    const struct simdisk_count *c = simdisk_count();

    story_undisturbed(&t, at, NULL);
    return (long)((ops & SIMDISK_SYNC ? c->syncs : 0) + (ops & SIMDISK_WRITE ? c->writes : 0) +
                  (ops & SIMDISK_OPEN ? c->opens : 0) +
                  (ops & SIMDISK_TRUNCATE ? c->truncates : 0) +
                  (ops & SIMDISK_DELETE ? c->deletes : 0));
}

static void test_at_every_sync(void **state)
{
    long n = calls_of_story(SIMDISK_SYNC);

    (void)state;
    print_message("# %ld syncs\n", n);
    assert_true(n > 25);
    for (long k = 0; k < n - 2; k++) /* the last ones are of the closing */
        for (uint64_t seed = 0; seed < 12; seed++)
            assert_true(story_dies(SIMDISK_SYNC, k, true, seed * 1000 + (uint64_t)k));
}

static uint64_t seeds(void)
{
    const char *text = getenv("BBT_FAULT_SEEDS");

    return text ? strtoull(text, NULL, 10) : 3000;
}

static void test_anywhere(void **state)
{
    long n = calls_of_story(CALLS);
    uint64_t died = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= seeds(); seed++)
        died += story_dies(
            CALLS, (long)(seed * UINT64_C(2654435761) % (uint64_t)n), true, seed);
    assert_true(died > seeds() * 9 / 10);
}

static void test_killed_anywhere(void **state)
{
    long n = calls_of_story(CALLS);

    (void)state;
    for (long k = 0; k < n; k += 3)
        (void)story_dies(CALLS, k, false, 0);
}

/* The power fails again while the database is being recovered, three times over. */
static void test_during_recovery(void **state)
{
    long n = calls_of_story(CALLS);

    (void)state;
    for (uint64_t seed = 1; seed <= seeds() / 6; seed++) {
        size_t done = 0;

        simdisk_wipe();
        simdisk_die(CALLS, (long)(seed * UINT64_C(2654435761) % (uint64_t)n));
        if (story_open(&t) == BBT_OK)
            done = play(0);
        for (uint64_t again = 0; again < 3; again++) {
            simdisk_power_cut(seed + again * 77777);
            story_close(&t);
            simdisk_die(CALLS | SIMDISK_READ, (long)((seed + again) % 23));
            if (story_open(&t) == BBT_OK && !simdisk_is_dead()) {
                simdisk_die(0, 0);
                done = where(done, "during recovery", seed);
            }
        }
        recover(done, true, seed);
    }
}

/* A sync fails and the process dies: what the next one recovers is in the kernel's memory and
 * not on the disk. What is built on it must stand when the power goes; also on a full disk,
 * where nothing can be moved. */
static bool sync_fails(long k, uint64_t seed)
{
    size_t done = 0, next, end;

    simdisk_wipe();
    story_ok(&t, story_open(&t), "open", 0);
    simdisk_fail(SIMDISK_SYNC, k, false);
    while (done < story_steps_nr && story_steps[done].run(&t) == BBT_OK)
        done++;
    simdisk_kill();
    story_close(&t);
    if (done == story_steps_nr)
        return false;
    if (seed % 2)
        simdisk_room(0);
    story_ok(&t, story_open(&t), "reopen", done);
    simdisk_room(-1);
    next = where(done, "after a failed sync", seed);
    for (end = next; end < story_steps_nr && end < next + 3; end++)
        story_ok(&t, story_steps[end].run(&t), story_steps[end].name, end);
    recover(end, true, seed);
    return true;
}

static void test_failed_sync_then_death(void **state)
{
    long n = calls_of_story(SIMDISK_SYNC), hit = 0;

    (void)state;
    for (long k = 0; k < n; k++)
        for (uint64_t seed = 0; seed < 12; seed++)
            hit += sync_fails(k, seed * 1000 + (uint64_t)k);
    assert_true(hit > 200);
}

/* What a shim that forgets nothing would also survive proves nothing: without syncs the
 * same story must be seen to lose what it acknowledged. */
static void test_the_disk_does_forget(void **state)
{
    unsigned lost = 0;

    (void)state;
    story_undisturbed(&t, at, NULL);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        simdisk_wipe();
        story_ok(&t, story_open(&t), "open", 0);
        story_exec(&t, "PRAGMA synchronous = OFF");
        assert_int_equal(play(0), story_steps_nr);
        simdisk_power_cut(seed);
        story_close(&t);
        if (story_open(&t) != BBT_OK || store_check(t.s, &t.err) != BBT_OK ||
            story_digest(&t) != at[story_steps_nr])
            lost++;
        story_close(&t);
    }
    assert_true(lost > 20);
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
    story_fini(&t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_at_every_sync, begin, end),
        cmocka_unit_test_setup_teardown(test_anywhere, begin, end),
        cmocka_unit_test_setup_teardown(test_killed_anywhere, begin, end),
        cmocka_unit_test_setup_teardown(test_during_recovery, begin, end),
        cmocka_unit_test_setup_teardown(test_failed_sync_then_death, begin, end),
        cmocka_unit_test_setup_teardown(test_the_disk_does_forget, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
