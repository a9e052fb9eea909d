/* Where things are when nobody says otherwise. */
#include "form.h"

#include "spec/paths.h"

#include <unistd.h>

static void check(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    bbt_free(got);
}

static int clear(void **state)
{
    static const char *const names[] = {"XDG_RUNTIME_DIR", "XDG_STATE_HOME",
        "XDG_CONFIG_HOME", "STATE_DIRECTORY", "HOME"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unsetenv(names[i]);
    return 0;
}

static void nothing_set(void **state)
{
    (void)state;
    check(paths_socket(), "/run/bbtd/bbtd.sock");
    check(paths_socket_system(), "/run/bbtd/bbtd.sock");
    check(paths_state(), "/var/lib/bbtd");
    check(paths_config(), "/etc/bbtd/bbtd.yaml");
}

static void a_session(void **state)
{
    (void)state;
    (void)setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    (void)setenv("XDG_STATE_HOME", "/home/u/s", 1);
    (void)setenv("XDG_CONFIG_HOME", "/home/u/c", 1);
    check(paths_socket(), "/run/user/7/bbtd/bbtd.sock");
    check(paths_socket_system(), "/run/bbtd/bbtd.sock");
    check(paths_state(), "/home/u/s/bbtd");
    check(paths_config(), "/home/u/c/bbtd/bbtd.yaml");
    (void)setenv(
        "STATE_DIRECTORY", "/var/lib/x:/var/lib/y", 1); /* systemd knows best */
    check(paths_state(), "/var/lib/x");
    (void)setenv("STATE_DIRECTORY", "relative", 1);
    (void)setenv("XDG_STATE_HOME", "", 1);
    check(paths_state(), "/var/lib/bbtd"); /* neither is an absolute path */
}

static void a_home(void **state)
{
    bool root = getuid() == 0;

    (void)state;
    (void)setenv("HOME", "/home/u", 1);
    check(paths_state(), root ? "/var/lib/bbtd" : "/home/u/.local/state/bbtd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_set, clear),
        cmocka_unit_test_setup(a_session, clear),
        cmocka_unit_test_setup(a_home, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
