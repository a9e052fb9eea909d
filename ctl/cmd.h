/* cmd.h -- the table of commands: what can be called, with which options; help comes from
 * the same rows. */
#ifndef CTL_CMD_H
#define CTL_CMD_H

#include "base/json.h"
#include "ctl.h"
#include "opt.h"

typedef int cmd_fn(struct ctl *c, const struct opt_args *a);

struct cmd {
    const char *name;  /* one or two words */
    const char *alias; /* or NULL */
    const char *args;  /* as the synopsis shows them */
    const char *line;  /* what it does, one line */
    const char *more;  /* a paragraph with examples; or NULL */
    const struct opt *opts; /* ended by a NULL name; or NULL */
    size_t pos_min, pos_max;
    cmd_fn *run;
};

extern const struct opt cmd_common[];

/* The command that argv[0] (and argv[1]) name; *ret_words tells how many were used. NULL
 * where there is none; then *ret_near is the nearest or NULL. */
const struct cmd *cmd_find(
    int argc, char *const *argv, int *ret_words, const char **ret_near);

/* Prints the list of commands, or one command's page. CTL_USAGE for an unknown one. */
int cmd_help(const struct ctl *c, int argc, char *const *argv);

struct jobfile;

/* Sends a job file with its data to be checked by the daemon, and submits nothing (k_submit.c).
 * *ret is its answer, owned by the caller. An exit code. */
int cmd_check_online(struct ctl *c, struct jobfile *j, json_t **ret);

/* The commands; one file each, k_NOUN.c. */
cmd_fn k_submit, k_validate, k_list, k_show, k_watch, k_wait, k_logs, k_plot, k_pause,
    k_resume, k_cancel, k_set, k_delete, k_undelete, k_result, k_export, k_predict,
    k_provider_list, k_provider_show, k_provider_test, k_provider_pause, k_provider_resume,
    k_status, k_server_status, k_server_backup, k_server_check, k_server_vacuum, k_cache_stats,
    k_cache_prune, k_cache_clear, k_cache_verify, k_usage,
    k_extend, k_estimate, k_version;

#endif
