/* The notify protocol against a socket of our own, and sockets handed over by number. */
#include "notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_FD 3 /* where sd_listen_fds(3) promises the first */

static char dir[64], path[100];
static int manager = -1;

static int forget(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
        "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (unsetenv(names[i]) != 0)
            return -1;
    return 0;
}

static int set_up(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/bbt-notify-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof path, "%s/notify", dir);
    memcpy(at.sun_path, path, strlen(path) + 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (manager < 0 || bind(manager, (struct sockaddr *)&at, sizeof at) != 0)
        return -1;
    return setenv("NOTIFY_SOCKET", path, 1);
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(manager);
    (void)unlink(path);
    (void)rmdir(dir);
    return forget();
}

/* The oldest unread message, "" where there is none. */
static const char *heard(void)
{
    static char text[2048];
    ssize_t n = recv(manager, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void says_what_the_protocol_says(void **state)
{
    (void)state;
    notify_ready("1 running");
    assert_string_equal(heard(), "READY=1\nSTATUS=1 running");
    notify_reloading(123456789012345u);
    assert_string_equal(heard(), "RELOADING=1\nMONOTONIC_USEC=123456789012345");
    notify_stopping();
    assert_string_equal(heard(), "STOPPING=1");
    notify_extend(5000000);
    assert_string_equal(heard(), "EXTEND_TIMEOUT_USEC=5000000");
    notify_watchdog();
    assert_string_equal(heard(), "WATCHDOG=1");
    assert_string_equal(heard(), "");
}

static void a_status_is_one_line(void **state)
{
    (void)state;
    notify_status("3 running; job \"x\nWATCHDOG=trigger\"");
    assert_string_equal(heard(), "STATUS=3 running; job \"x");
    notify_ready("ok\nMAINPID=1");
    assert_string_equal(heard(), "READY=1\nSTATUS=ok");
}

static void without_a_manager_nothing_happens(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    notify_ready("x");
    notify_watchdog();
    assert_string_equal(heard(), "");
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1), 0);
    notify_ready("x");
    notify_status("x");
    assert_string_equal(heard(), "");
}

static void watchdog_interval_is_half(void **state)
{
    char pid[32];

    (void)state;
    assert_true(notify_watchdog_us() == 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "60000000", 1), 0);
    assert_true(notify_watchdog_us() == 30000000);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0); /* meant for another process */
    assert_true(notify_watchdog_us() == 0);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_true(notify_watchdog_us() == 30000000);
    assert_int_equal(setenv("WATCHDOG_USEC", "soon", 1), 0);
    assert_true(notify_watchdog_us() == 0);
}

/* Puts a fresh socket at number `fd`, bound and listening where asked. */
static void place(int fd, int type, int listening)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, type, 0);

    assert_true(s >= 0);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/s%d", dir, fd);
    (void)unlink(at.sun_path);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    if (listening)
        assert_int_equal(listen(s, 1), 0);
    assert_int_equal(unlink(at.sun_path), 0);
    if (s != fd) {
        assert_int_equal(dup2(s, fd), fd);
        assert_int_equal(close(s), 0);
    }
}

static void hand_over(const char *count, const char *names)
{
    char pid[32];

    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", count, 1), 0);
    if (names)
        assert_int_equal(setenv("LISTEN_FDNAMES", names, 1), 0);
    else
        assert_int_equal(unsetenv("LISTEN_FDNAMES"), 0);
}

static void takes_the_socket_by_name(void **state)
{
    struct bbt_err err = {0};
    int fd = 99;

    (void)state;
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_OK);
    assert_int_equal(fd, -1);

    place(FIRST_FD, SOCK_STREAM, 1);
    hand_over("1", NULL);
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_OK);
    assert_int_equal(fd, FIRST_FD);

    place(FIRST_FD + 1, SOCK_STREAM, 1);
    hand_over("2", "metrics:control");
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_OK);
    assert_int_equal(fd, FIRST_FD + 1);

    hand_over("2", "metrics:other");
    fd = 99;
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_INVALID);
    assert_int_equal(fd, 99);
    assert_non_null(strstr(err.msg, "control"));

    assert_int_equal(setenv("LISTEN_PID", "1", 1), 0); /* meant for another process */
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_OK);
    assert_int_equal(fd, -1);
    (void)close(FIRST_FD);
    (void)close(FIRST_FD + 1);
}

static void refuses_sockets_of_another_kind(void **state)
{
    struct bbt_err err = {0};
    int fd = 99;

    (void)state;
    hand_over("1", "control");
    place(FIRST_FD, SOCK_STREAM, 0);
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_INVALID);
    place(FIRST_FD, SOCK_DGRAM, 0);
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_INVALID);
    assert_int_equal(fd, 99);
    hand_over("many", NULL);
    assert_int_equal(notify_listen_fd("control", &fd, &err), BBT_INVALID);
    (void)close(FIRST_FD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_what_the_protocol_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_status_is_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_manager_nothing_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watchdog_interval_is_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_the_socket_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_sockets_of_another_kind, set_up, tear_down),
    };

    if (forget() != 0)
        return 1;
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
