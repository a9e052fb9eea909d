/* setup.h -- from the command line to a checked configuration. */
#ifndef DAEMON_SETUP_H
#define DAEMON_SETUP_H

#include "base/err.h"
#include "daemon.h"

#include <stdbool.h>

/* Exit codes of bbtd, as documented. */
enum setup_exit {
    SETUP_EXIT_OK = 0,
    SETUP_EXIT_FAILURE = 1,
    SETUP_EXIT_USAGE = 2,
    SETUP_EXIT_HELD = 75,   /* another daemon holds the state directory */
    SETUP_EXIT_DENIED = 77, /* permissions */
    SETUP_EXIT_CONFIG = 78, /* bad configuration, or a state directory that is not for this
                             * bbtd: a restart will not help */
};

struct setup {
    const char *config;    /* NULL: the default place */
    const char *state_dir; /* NULL: by the configuration, else the default place */
    const char *socket;
    const char *log_level;
    bool check_only;
    const char *restore; /* a backup to put in place, and exit; or NULL */
    bool force;          /* with it: over a database that is there */
};

/* Reads the command line. Returns -1 to go on, or an exit code (help, version, usage). */
int setup_args(int argc, char **argv, struct setup *ret);

/* Reads and checks the file; problems are printed one per line on stderr with file, line and
 * column. Relative paths become paths beside the file. */
BBT_NODISCARD enum bbt_rc setup_conf(
    const char *path, struct conf **ret, struct bbt_err *err);

/* The same file read again, for a reload: what can change while running is applied to
 * `now`, the rest is said in the log. */
BBT_NODISCARD enum bbt_rc setup_reload(struct daemon *d, struct bbt_err *err);

#endif
