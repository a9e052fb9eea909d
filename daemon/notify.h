/* notify.h -- what systemd wants to hear, and the sockets and deadlines that it hands over.
 *
 * Through libsystemd where it was found at build time; else, and where no service manager
 * listens, every call does nothing. Nothing here fails the daemon: it runs by hand as well. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "base/err.h"

#include <stdint.h>

/* READY=1 and the one-line status: after start, and after each reload. */
void notify_ready(const char *status);

/* RELOADING=1 with the moment it began (CLOCK_MONOTONIC microseconds); notify_ready() ends it. */
void notify_reloading(uint64_t now_us);

/* STOPPING=1: no new work from here on. */
void notify_stopping(void);

/* The line that `systemctl status` shows. */
void notify_status(const char *status);

/* Asks for `us` more microseconds of patience, during a long migration or a slow stop. */
void notify_extend(uint64_t us);

/* WATCHDOG=1. Called from the loop's own turns and from nowhere else, so that a stuck loop is
 * seen. */
void notify_watchdog(void);

/* Every how many microseconds notify_watchdog() is due: half of what the unit says. 0 = never. */
uint64_t notify_watchdog_us(void);

/* The listening unix stream socket that systemd passed as `name` (FileDescriptorName=); with
 * only one passed, its name does not matter. -1: none was passed, open your own.
 * BBT_INVALID: sockets were passed, but not this one, or it is none to accept on. */
BBT_NODISCARD enum bbt_rc notify_listen_fd(
    const char *name, int *ret_fd, struct bbt_err *err);

#endif
