/* Listening sockets: unix sockets that are stale, taken or foreign; inherited ones. */
#include "web/listen.h"

#include "turn.h"
#include "web/web.h"
#include "wire.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

static char dir[] = "/tmp/t-listen-XXXXXX";
static char path[64];
static int64_t seen_uid;

static void on_hi(struct web_req *r, void *arg)
{
    (void)arg;
    seen_uid = web_peer_uid(r);
    web_reply(r, 200, "text/plain", "hi", 2);
}

static const struct web_route routes[] = {{"GET", "/", on_hi, 0}};

struct fix {
    struct loop *l;
    struct web *w;
};

static struct fix open_web(void)
{
    struct fix f;

    assert_int_equal(loop_new(&f.l, NULL), BBT_OK);
    assert_int_equal(web_new(f.l, NULL, routes, 1, NULL, &f.w, NULL), BBT_OK);
    return f;
}

static void close_web(struct fix *f)
{
    web_free(f->w);
    loop_free(f->l);
}

static void greet(struct fix *f, struct wire *c)
{
    assert_true(wire_say(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    UNTIL(f->l, wire_has(c, "\r\n\r\nhi"));
    wire_close(c);
}

/* A socket file as a killed process leaves it. */
static void leave_stale(const char *at)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", at);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    close(fd);
}

static void unix_socket(void **state)
{
    struct fix f = open_web();
    struct stat st;
    struct wire c;

    (void)state;
    assert_int_equal(web_listen_unix(f.w, path, 0660, NULL), BBT_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_true(wire_unix(&c, path));
    seen_uid = -7;
    greet(&f, &c);
    assert_int_equal(seen_uid, getuid());
    close_web(&f);
    assert_int_equal(access(path, F_OK), -1);
}

static void stale_socket_is_replaced(void **state)
{
    char side[80];
    struct fix f = open_web();
    struct wire c;

    (void)state;
    snprintf(side, sizeof(side), "%s~", path);
    leave_stale(path);
    leave_stale(side); /* killed between bind and rename */
    assert_int_equal(web_listen_unix(f.w, path, 0600, NULL), BBT_OK);
    assert_int_equal(access(side, F_OK), -1);
    assert_true(wire_unix(&c, path));
    greet(&f, &c);
    close_web(&f);
}

static void taken_socket_is_left_alone(void **state)
{
    struct fix a = open_web(), b = open_web();
    struct bbt_err err;
    struct wire c;

    (void)state;
    assert_int_equal(web_listen_unix(a.w, path, 0600, NULL), BBT_OK);
    assert_int_equal(web_listen_unix(b.w, path, 0600, &err), BBT_CONFLICT);
    assert_non_null(strstr(err.msg, "in use"));
    close_web(&b);
    assert_true(wire_unix(&c, path)); /* b took nothing with it */
    greet(&a, &c);
    close_web(&a);
}

static void foreign_files_are_left_alone(void **state)
{
    struct fix f = open_web();
    struct bbt_err err;
    char longer[200];
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    (void)state;
    assert_int_equal(write(fd, "keep", 4), 4);
    close(fd);
    assert_int_equal(web_listen_unix(f.w, path, 0600, &err), BBT_CONFLICT);
    assert_non_null(strstr(err.msg, "not a socket"));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    memset(longer, 'p', sizeof(longer));
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(web_listen_unix(f.w, longer, 0600, &err), BBT_INVALID);
    assert_int_not_equal(
        web_listen_unix(f.w, "/no/such/folder/sock", 0600, &err), BBT_OK);
    close_web(&f);
}

/* Somebody else put a socket at our path meanwhile: it is not ours to remove. */
static void successor_is_kept(void **state)
{
    struct fix a = open_web();

    (void)state;
    assert_int_equal(web_listen_unix(a.w, path, 0600, NULL), BBT_OK);
    unlink(path);
    leave_stale(path);
    close_web(&a);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
}

static void tcp_port_taken(void **state)
{
    struct fix a = open_web(), b = open_web();
    struct bbt_err err;
    uint16_t port;
    struct wire c;

    (void)state;
    assert_int_equal(web_listen_tcp(a.w, "127.0.0.1", 0, &port, NULL), BBT_OK);
    assert_int_equal(web_listen_tcp(b.w, "127.0.0.1", port, NULL, &err), BBT_CONFLICT);
    assert_int_equal(web_listen_tcp(b.w, "not an address", 1, NULL, &err), BBT_INVALID);
    /* several sockets on one server */
    assert_int_equal(web_listen_unix(a.w, path, 0600, NULL), BBT_OK);
    assert_true(wire_tcp(&c, port));
    greet(&a, &c);
    assert_true(wire_unix(&c, path));
    greet(&a, &c);
    close_web(&b);
    close_web(&a);
}

static void inherited_socket(void **state)
{
    struct fix f = open_web();
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_STREAM, 0);
    struct bbt_err err;
    struct wire c;

    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(web_listen_fd(f.w, fd, NULL), BBT_OK);
    assert_int_equal(
        web_listen_fd(f.w, other, &err), BBT_INVALID); /* does not listen */
    assert_int_equal(web_listen_fd(f.w, 9999, &err), BBT_INVALID);
    close(other);
    assert_true(wire_unix(&c, path));
    greet(&f, &c);
    close_web(&f);
    assert_int_equal(access(path, F_OK), 0); /* its maker's to remove */
    unlink(path);
}

/* Neither blocks the loop nor leaks into children. */
static void flags(void **state)
{
    int fd[2];
    uint16_t port = 0;

    (void)state;
    assert_int_equal(listen_tcp("127.0.0.1", 0, &fd[0], &port, NULL), BBT_OK);
    assert_int_not_equal(port, 0);
    assert_int_equal(listen_unix(path, 0600, &fd[1], NULL), BBT_OK);
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(fd[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd[i], F_GETFD) & FD_CLOEXEC);
        close(fd[i]);
    }
    unlink(path);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/s", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir); /* fails where a test left something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(stale_socket_is_replaced),
        cmocka_unit_test(taken_socket_is_left_alone),
        cmocka_unit_test(foreign_files_are_left_alone),
        cmocka_unit_test(successor_is_kept),
        cmocka_unit_test(tcp_port_taken),
        cmocka_unit_test(inherited_socket),
        cmocka_unit_test(flags),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
