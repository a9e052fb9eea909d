/* What a SIGKILL leaves behind: all of an acknowledged call, nothing of any other. */
#include "room.h"

#include <signal.h>

/* The story: three steps, each acknowledged by a byte in the pipe. */
static int64_t the_job = 1;

static void say(int fd, char c)
{
    if (write(fd, &c, 1) != 1)
        _exit(98);
}

static enum bbt_rc step_turn(struct room *r, int64_t close)
{
    double cand[POP * DIM], loss[POP], z[DIM] = {1, 2, 3};
    struct rec_gen c = closed_row((uint64_t)(close < 0 ? 0 : close), loss);
    struct rec_gen o = open_row((uint64_t)(close + 1), cand);
    struct rec_best b = {the_job, 0, 1, 0.5, 0.1, DIM, z};
    struct rec_turn t = {.job = the_job,
        .closed = close < 0 ? NULL : &c,
        .open = &o,
        .snapshot = "snapshot",
        .snapshot_len = 8,
        .snapshot_gen = (uint64_t)(close + 1),
        .best = &b,
        .add = {.generations = 1, .evaluations = POP}};

    return store_turn(r->s, &t, &r->err);
}

static enum bbt_rc step_group(struct room *r)
{
    float logit[6];
    enum bbt_rc rc = store_begin(r->s, &r->err);

    for (uint32_t i = 0; rc == BBT_OK && i < 5; i++) {
        struct rec_answer a = answer_row(the_job, i, logit);

        rc = store_ledger_add(r->s, &a, 1, NULL, &r->err);
    }
    return rc == BBT_OK ? store_commit(r->s, &r->err) : rc;
}

static void story(struct room *r, int fd)
{
    struct rec_job j = {.name = "crash"};
    int64_t id;
    bool existed;

    if (store_job_add(r->s, &j, "{}", "k", &id, &existed, &r->err) != BBT_OK)
        _exit(1);
    say(fd, 'j');
    if (step_turn(r, -1) != BBT_OK)
        _exit(2);
    say(fd, 't');
    if (step_group(r) != BBT_OK)
        _exit(3);
    say(fd, 'g');
    if (step_turn(r, 0) != BBT_OK)
        _exit(4);
    say(fd, 'u');
}

/* Which steps did the file keep? Each wholly or not at all. */
static unsigned kept_steps(struct room *r)
{
    struct rec_job j;
    struct rec_resume got = {0};
    uint64_t answers = 0, gens;
    enum bbt_rc rc = store_job_get(r->s, the_job, &j, NULL, &r->err);

    if (rc == BBT_NOTFOUND)
        return 0;
    assert_int_equal(rc, BBT_OK);
    gens = j.usage.generations;
    if (gens == 0) {
        fails(store_resume(r->s, the_job, &got, &r->err), BBT_NOTFOUND);
        assert_true(isnan(j.best_dev));
        return 1;
    }
    ok(store_resume(r->s, the_job, &got, &r->err));
    assert_int_equal(
        got.gens_nr, 1); /* each turn brings the snapshot of its open one */
    assert_int_equal(got.snapshot_gen, gens - 1);
    assert_int_equal(got.gens[0].gen, gens - 1);
    assert_int_equal(j.usage.evaluations, gens * POP);
    assert_true(j.best_dev == 0.5);
    rec_resume_fini(&got);
    ok(store_ledger_count(r->s, the_job, &answers, &r->err));
    assert_int_equal(j.usage.requests, answers);
    assert_true(answers == 0 || answers == 5);
    assert_true(gens == 1 || answers == 5);
    return gens == 2 ? 4 : answers ? 3 : 2;
}

static long countdown;

static int kill_at(void *arg)
{
    (void)arg;
    if (countdown-- == 0)
        (void)kill(getpid(), SIGKILL);
    return 0;
}

static int kill_at_commit(void *arg)
{
    return kill_at(arg);
}

/* Runs the story in a child that dies at the `at`-th virtual machine instruction (or
 * commit); says how many steps it acknowledged, and whether it died at all. */
static bool run_and_die(struct room *r, long at, bool commits, unsigned *ret_said)
{
    int fds[2], status;
    char said[8];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err) != BBT_OK)
            _exit(97);
        countdown = at;
        if (commits)
            (void)sqlite3_commit_hook(r->s->db, kill_at_commit, NULL);
        else
            sqlite3_progress_handler(r->s->db, 1, kill_at, NULL);
        story(r, fds[1]);
        room_close(r);
        _exit(0);
    }
    (void)close(fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    n = read(fds[0], said, sizeof said);
    (void)close(fds[0]);
    assert_true(n >= 0);
    *ret_said = (unsigned)n;
    assert_true(WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return WIFSIGNALED(status);
}

static bool one_death(struct room *r, long at, bool commits)
{
    unsigned said, kept;
    bool died;

    (void)snprintf(r->dir, sizeof r->dir, "%s/%c%ld", r->base, commits ? 'c' : 'i', at);
    died = run_and_die(r, at, commits, &said);
    room_open(r);
    ok(store_check(r->s, &r->err));
    kept = kept_steps(r);
    /* acknowledged is kept; at most the step that was under way may be kept besides */
    assert_true(kept == said || kept == said + 1);
    if (commits && died)
        assert_int_equal(kept, said); /* the hook runs before anything is durable */
    room_close(r);
    return died;
}

static void test_killed_between_instructions(void **state)
{
    struct room *r = *state;
    long at = 0;

    while (one_death(r, at, false))
        at = next_try(at + at / 8);
    assert_true(at > 500); /* the story is that long: it was cut in many places */
}

static void test_killed_at_commits(void **state)
{
    struct room *r = *state;
    long at = 0;

    while (one_death(r, at, true))
        at++;
    assert_int_equal(at, 4); /* one commit for each step: groups share theirs */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_killed_between_instructions, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_killed_at_commits, room_setup, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
