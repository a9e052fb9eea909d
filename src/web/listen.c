#include "web/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128
#define SOCK_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static enum bbt_rc unix_addr(
    const char *path, struct sockaddr_un *ret, struct bbt_err *err)
{
    size_t n = strlen(path);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n == 0 || n >= sizeof(ret->sun_path))
        return bbt_fail(err, BBT_INVALID,
            "socket path '%.200s' must be 1 to %zu bytes long", path,
            sizeof(ret->sun_path) - 2);
    memcpy(ret->sun_path, path, n + 1);
    return BBT_OK;
}

/* BBT_OK: nothing there that must stay. */
static enum bbt_rc check_stale(const char *path, struct bbt_err *err)
{
    struct sockaddr_un addr;
    struct stat st;
    int fd, e;

    if (lstat(path, &st))
        return errno == ENOENT ? BBT_OK
                               : bbt_fail(err, BBT_IO, "%s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return bbt_fail(err, BBT_CONFLICT, "%s exists and is not a socket", path);
    if (unix_addr(path, &addr, err) != BBT_OK)
        return err ? err->rc : BBT_INVALID;
    fd = socket(AF_UNIX, SOCK_FLAGS, 0);
    if (fd < 0)
        return bbt_fail(err, BBT_IO, "socket: %s", strerror(errno));
    e = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ? errno : 0;
    close(fd);
    /* A full backlog (EAGAIN) or a refusal by mode (EACCES) still means somebody is
     * there. */
    if (e == ECONNREFUSED || e == ENOENT)
        return BBT_OK;
    return bbt_fail(err, BBT_CONFLICT, "%s is in use by another process", path);
}

/* Bound and listening under a side name first, then renamed: the socket is never
 * visible with a wrong mode or without somebody who accepts, and a stale one is
 * replaced at once. */
enum bbt_rc listen_unix(
    const char *path, unsigned mode, int *ret_fd, struct bbt_err *err)
{
    struct sockaddr_un addr;
    char side[sizeof(addr.sun_path) + 1];
    enum bbt_rc rc = check_stale(path, err);
    int fd;

    if (rc != BBT_OK)
        return rc;
    if (strlen(path) >= sizeof(side) - 1)
        return unix_addr(path, &addr, err);
    snprintf(side, sizeof(side), "%s~", path);
    rc = unix_addr(side, &addr, err);
    if (rc == BBT_OK)
        rc = check_stale(side, err);
    if (rc != BBT_OK)
        return rc;
    unlink(side);
    fd = socket(AF_UNIX, SOCK_FLAGS, 0);
    if (fd < 0)
        return bbt_fail(err, BBT_IO, "socket: %s", strerror(errno));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || chmod(side, mode & 0777) ||
        listen(fd, BACKLOG) || rename(side, path)) {
        rc = bbt_fail(err, errno == EACCES || errno == EPERM ? BBT_DENIED : BBT_IO,
            "cannot listen on %s: %s", path, strerror(errno));
        unlink(side);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return BBT_OK;
}

static int try_listen(const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_FLAGS, 0), on = 1, e;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    e = errno;
    close(fd);
    errno = e;
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len))
        return 0;
    if (addr.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&addr)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&addr)->sin_port);
}

enum bbt_rc listen_tcp(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port,
    struct bbt_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    int e, fd = -1, why = 0;

    snprintf(service, sizeof(service), "%u", port);
    e = getaddrinfo(host, service, &hints, &list);
    if (e)
        return bbt_fail(
            err, BBT_INVALID, "listen address %s: %s", host, gai_strerror(e));
    for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next) {
        fd = try_listen(ai);
        why = fd < 0 ? errno : 0;
    }
    freeaddrinfo(list);
    if (fd < 0) {
        enum bbt_rc rc = why == EADDRINUSE ? BBT_CONFLICT
                         : why == EACCES   ? BBT_DENIED
                                           : BBT_IO;

        return bbt_fail(
            err, rc, "cannot listen on %s port %u: %s", host, port, strerror(why));
    }
    if (ret_port)
        *ret_port = port_of(fd);
    *ret_fd = fd;
    return BBT_OK;
}
