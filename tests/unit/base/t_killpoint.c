/* Kill points: the named pass ends the process as the kernel would, no other does. */
#include "base/killpoint.h"
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that passes "turn" three times, armed as told; how it ended, from waitpid(). */
static int pass(const char *armed)
{
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (armed ? setenv("BBT_KILLPOINT", armed, 1) : unsetenv("BBT_KILLPOINT"))
            _exit(99);
        for (int i = 0; i < 3; i++) {
            killpoint_pass("turn-done"); /* a longer name is another point */
            killpoint_pass("turn");
            if (armed && *armed && armed[strlen(armed) - 1] == '2' && i == 1)
                break; /* the second pass must have been the last */
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void kills_at_the_nth_pass(void **state)
{
    static const char *const armed[] = {"turn:1", "turn:2", "turn:3"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int status = pass(armed[i]);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
    }
}

static void lets_all_else_pass(void **state)
{
    static const char *const armed[] = {NULL, "turn:4", "tur:1", "turns:1", "turn", "turn:", ""};

    (void)state;
    for (size_t i = 0; i < sizeof armed / sizeof *armed; i++) {
        int status = pass(armed[i]);

        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_at_the_nth_pass),
        cmocka_unit_test(lets_all_else_pass),
    };

    return cmocka_run_group_tests_name("killpoint", tests, NULL, NULL);
}
