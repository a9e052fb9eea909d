/* ctl.h -- what every command of bbtctl shares: how it was called, exit statuses, messages.
 *
 * Standard output is for data, standard error for everything else. Whoever gets a status
 * other than CTL_OK from a function here may return it at once: it has been told. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses: a promise to scripts, listed by `bbtctl help exit`. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_FAIL = 1,
    CTL_USAGE = 2,
    CTL_UNREACHABLE = 3,
    CTL_NOTHING = 4,
    CTL_CONFLICT = 5,
    CTL_SPEC = 6,
    CTL_DENIED = 7,
    CTL_LIMIT = 8,
    CTL_PARTIAL = 9,
    CTL_VERSION = 10,
    CTL_JOB_FAILED = 20,
    CTL_JOB_CANCELLED = 21,
    CTL_JOB_PAUSED = 22,
    CTL_TIMEOUT = 124,
    CTL_INTERRUPTED = 130
};

enum ctl_form { FORM_TABLE, FORM_WIDE, FORM_PLAIN, FORM_JSON, FORM_JSONL, FORM_CSV };

struct ctl {
    const char *socket; /* asked for; NULL: the user's, then the system's */
    char *found;        /* the socket that answered; owned */
    enum ctl_form form;
    const char *columns; /* of a table; NULL: the usual ones */
    bool utc, quiet, yes;
    uint64_t timeout_us; /* 0: none */
    bool tty_in, tty_out, tty_err;
    bool color;     /* on standard output */
    unsigned width; /* of the terminal; 80 where there is none */
};

/* Machine-readable form asked for: JSON or JSON lines. */
bool ctl_json(const struct ctl *c);

/* A hint or a note on standard error; silent with -q. Ends the line. */
void ctl_note(const struct ctl *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "bbtctl: SENTENCE" on standard error and, with --json, a problem object on standard
 * output. Returns `code`. */
int ctl_fail(const struct ctl *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for an error from below, by its class. */
int ctl_fail_err(const struct ctl *c, const struct bbt_err *err);

/* Every problem of a job file: `lines` go to standard error as they are, `problem` (taken)
 * to standard output with --json. Returns CTL_SPEC. */
int ctl_fail_lines(
    const struct ctl *c, const char *const *lines, size_t n, json_t *problem);

/* Waits; false when a signal cut it short. */
bool ctl_pause(unsigned ms);

/* Ctrl-C ends the program with status 130 and, after a line's end, says `last` (kept by the
 * caller for good). */
void ctl_on_interrupt(const char *last);

#endif
