#include "notify.h"

#include "base/alloc.h"

#ifdef BBT_SYSTEMD

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

/* Results are not looked at: a manager that does not listen is no reason to stop working. A
 * status ends at its first newline: the protocol is lines, and the rest could say anything in
 * our name. */

void notify_ready(const char *status)
{
    (void)sd_notifyf(
        0, "READY=1\nSTATUS=%.*s", (int)strcspn(status, "\n"), status);
}

void notify_reloading(uint64_t now_us)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_us);
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%.*s", (int)strcspn(status, "\n"), status);
}

void notify_extend(uint64_t us)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, us);
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_us(void)
{
    uint64_t us = 0;

    return sd_watchdog_enabled(0, &us) > 0 ? us / 2 : 0;
}

enum bbt_rc notify_listen_fd(const char *name, int *ret_fd, struct bbt_err *err)
{
    char **names = NULL;
    enum bbt_rc rc = BBT_OK;
    int n = sd_listen_fds_with_names(0, &names), fd = -1;

    for (int i = 0; i < n; i++)
        if (fd < 0 && (n == 1 || strcmp(names[i], name) == 0))
            fd = SD_LISTEN_FDS_START + i;
    if (n < 0)
        rc = bbt_fail(err, BBT_INVALID, "sockets from systemd: %s", strerror(-n));
    else if (n > 0 && fd < 0)
        rc = bbt_fail(err, BBT_INVALID, "systemd passed %d sockets, none named %s", n, name);
    else if (fd >= 0 && sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
        rc = bbt_fail(err, BBT_INVALID,
            "the socket from systemd is no listening unix stream socket");
    for (int i = 0; i < n; i++)
        bbt_free(names[i]);
    bbt_free(names);
    if (rc == BBT_OK)
        *ret_fd = fd;
    return rc;
}

#else

void notify_ready(const char *status)
{
    (void)status;
}

void notify_reloading(uint64_t now_us)
{
    (void)now_us;
}

void notify_stopping(void)
{
}

void notify_status(const char *status)
{
    (void)status;
}

void notify_extend(uint64_t us)
{
    (void)us;
}

void notify_watchdog(void)
{
}

uint64_t notify_watchdog_us(void)
{
    return 0;
}

enum bbt_rc notify_listen_fd(const char *name, int *ret_fd, struct bbt_err *err)
{
    (void)name;
    (void)err;
    *ret_fd = -1;
    return BBT_OK;
}

#endif
