#include "cmd.h"

#include "base/hint.h"

#include <stdio.h>
#include <string.h>

#define SEL "SEL"

const struct opt cmd_common[] = {
    {"socket", 0, "PATH", "the daemon's socket (also BBTCTL_SOCKET)"},
    {"output", 'o', "FORM", "table, wide, plain, json, jsonl or csv"},
    {"json", 0, NULL, "the same as -o json"},
    {"columns", 0, "A,B", "columns of a table, by their names"},
    {"no-color", 0, NULL, "no colours (also NO_COLOR)"},
    {"utc", 0, NULL, "times in UTC"},
    {"quiet", 'q', NULL, "no notes on standard error"},
    {"timeout", 0, "DUR", "give up after 90s, 5m, 2h ..."},
    {"yes", 'y', NULL, "no questions"},
    {"help", 'h', NULL, "this page"},
    {"version", 0, NULL, "version of bbtctl alone"},
    {NULL, 0, NULL, NULL},
};

static const struct opt opts_submit[] = {
    {"set", 0, "KEY=VALUE", "changes one key of the job file: optimizer.seed=7 (repeatable)"},
    {"name", 0, "NAME", "the job's name"},
    {"tag", 0, "TAG", "adds a tag (repeatable)"},
    {"priority", 0, "N", "-100 to 100, higher is served first"},
    {"max-usd", 0, "X", "limits.usd; also --max-requests and --max-tokens"},
    {"max-requests", 0, "N", "limits.requests"},
    {"max-tokens", 0, "N", "limits.tokens, like 30M"},
    {"window", 0, "HOURS", "at work in these hours only, like 22:00-08:00 (repeatable)"},
    {"at", 0, "TIME", "not before 22:00 here, or 2026-11-01T22:00:00+01:00"},
    {"key", 0, "TEXT", "idempotency key: the same key is the same job"},
    {"id-only", 0, NULL, "prints the id and nothing else"},
    {"dry-run", 0, NULL, "checks and counts, submits nothing"},
    {"wait", 0, NULL, "waits for the end, as `bbtctl wait` does"},
    {"watch", 0, NULL, "shows the progress, as `bbtctl watch` does"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_validate[] = {
    {"set", 0, "KEY=VALUE", "changes one key of the job file (repeatable)"},
    {"online", 0, NULL, "also asks the daemon: provider, model, label words, template"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_show[] = {
    {"spec", 0, NULL, "the job file as it is in force; can be submitted again"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_wait[] = {
    {"for", 0, "WHAT", "completed (usual), finished (however), or paused"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_logs[] = {
    {"follow", 'f', NULL, "goes on until the job is over"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_plot[] = {
    {"y", 0, "WHAT", "loss (usual) or dev"},
    {"output", 'o', "FILE", "writes .csv or .svg instead (or a form: json, csv ...)"},
    {"force", 0, NULL, "overwrites the file"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_export[] = {
    {"output", 'o', "FILE", "FILE.safetensors or FILE.npy; - is standard output"},
    {"format", 0, "FORMAT", "safetensors or npy, whatever the name"},
    {"force", 0, NULL, "overwrites the file"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_pause[] = {
    {"reason", 0, "TEXT", "said to whoever looks"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_delete[] = {
    {"purge", 0, NULL, "for good and at once, out of the trash too"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_extend[] = {
    {"max-usd", 0, "+X", "so many dollars more (6.50: in all)"},
    {"max-requests", 0, "+N", "so many requests more"},
    {"max-tokens", 0, "+N", "so many tokens more, like +5M"},
    {"generations", 0, "+N", "so many generations more"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_usage[] = {
    {"by", 0, "HEADING", "job (usual), provider, model, tag, user or day"},
    {"since", 0, "WHEN", "a day like 2026-11-01, or a time back like 7d"},
    {NULL, 0, NULL, NULL},
};
static const struct opt opts_predict[] = {
    {"file", 0, "FILE", "texts from a .tsv, .csv, .jsonl, or a line each from .txt"},
    {"label-probs", 0, NULL, "a column with the probability of every label"},
    {NULL, 0, NULL, NULL},
};

static const struct cmd commands[] = {
    {"submit", NULL, "FILE...", "hands job files with their data to the daemon",
        "  bbtctl submit job.yaml --set optimizer.seed=7 --watch\n"
        "  bbtctl submit job.yaml --dry-run      what it would take, nothing is submitted\n",
        opts_submit, 1, SIZE_MAX, k_submit},
    {"validate", NULL, "FILE...", "checks job files and their data; needs no daemon",
        "  bbtctl validate job.yaml --online     also against the daemon's configuration\n",
        opts_validate, 1, SIZE_MAX, k_validate},
    {"estimate", NULL, "FILE...", "what jobs would take: counts, price, time; submits nothing",
        NULL, opts_validate, 1, SIZE_MAX, k_estimate},
    {"list", "ls", "[SEL]", "jobs, oldest first",
        "  bbtctl list state:running,paused !night-3 -o wide\n", NULL, 0, SIZE_MAX, k_list},
    {"show", NULL, "JOB", "everything about one job", NULL, opts_show, 1, 1, k_show},
    {"watch", NULL, "[JOB]", "progress, live, until the job is over or needs you", NULL, NULL,
        0, 1, k_watch},
    {"wait", NULL, SEL, "waits until the jobs are over; also across restarts of bbtd",
        "  Exit status: 0 all completed, 20 one failed, 21 one cancelled, 22 one is paused and\n"
        "  needs you, 124 --timeout passed.\n",
        opts_wait, 1, SIZE_MAX, k_wait},
    {"logs", NULL, "JOB", "what happened to a job", NULL, opts_logs, 1, 1, k_logs},
    {"plot", NULL, "JOB", "the curve of a job, in the terminal or as a file",
        "  bbtctl plot @last --y dev\n  bbtctl plot 3 -o curve.svg\n", opts_plot, 1, 1, k_plot},
    {"pause", NULL, SEL, "stops sending; what is on the wire still counts", NULL, opts_pause,
        1, SIZE_MAX, k_pause},
    {"resume", NULL, SEL, "back into the queue; nothing is asked twice", NULL, NULL, 1,
        SIZE_MAX, k_resume},
    {"cancel", NULL, SEL, "ends jobs for good", NULL, opts_pause, 1, SIZE_MAX, k_cancel},
    {"set", NULL, "SEL priority=N", "-100 to 100, higher is served first; counts at once",
        NULL, NULL, 2, SIZE_MAX, k_set},
    {"delete", NULL, SEL, "moves jobs that do not run into the trash",
        "  bbtctl delete state:failed\n  bbtctl list state:deleted\n  bbtctl undelete 17\n",
        opts_delete, 1, SIZE_MAX, k_delete},
    {"undelete", NULL, SEL, "takes jobs out of the trash", NULL, NULL, 1, SIZE_MAX,
        k_undelete},
    {"extend", NULL, "JOB", "more money, requests, tokens or generations; what they paused goes on",
        "  bbtctl extend 23 --max-usd +1.20\n", opts_extend, 1, 1, k_extend},
    {"result", NULL, SEL, "scores of tuned, manual and calibrated prompt on test data", NULL,
        NULL, 1, SIZE_MAX, k_result},
    {"export", NULL, "JOB", "writes the tuned prompt to a file",
        "  bbtctl export 3 -o prompt.safetensors\n", opts_export, 1, 1, k_export},
    {"predict", NULL, "JOB [TEXT|-]", "labels new texts with the tuned prompt",
        "  bbtctl predict 3 \"a gorgeous, witty film\" --label-probs\n"
        "  bbtctl predict 3 - < texts.txt\n",
        opts_predict, 1, 2, k_predict},
    {"provider list", "provider", "", "providers and how they are", NULL, NULL, 0, 0,
        k_provider_list},
    {"provider show", NULL, "NAME", "one provider and its models", NULL, NULL, 1, 1,
        k_provider_show},
    {"provider test", NULL, "NAME", "asks every model of a provider a few small questions",
        NULL, NULL, 1, 1, k_provider_test},
    {"provider pause", NULL, "NAME", "sends it nothing; its jobs wait", NULL, NULL, 1, 1,
        k_provider_pause},
    {"provider resume", NULL, "NAME", "sends again, also after \"no money\" or a bad key",
        NULL, NULL, 1, 1, k_provider_resume},
    {"usage", NULL, "", "what was spent, by job, provider, model, tag, user or day",
        "  bbtctl usage --by day --since 7d\n", opts_usage, 0, 0, k_usage},
    {"status", NULL, "", "one screen: what runs, what needs you (also: bbtctl alone)", NULL,
        NULL, 0, 0, k_status},
    {"server status", "server", "", "figures of the daemon", NULL, NULL, 0, 0,
        k_server_status},
    {"server backup", NULL, "FILE", "copies the database to a file; the daemon goes on",
        "  bbtctl server backup /var/backups/bbtd-monday.db\n"
        "  To put it in place: stop bbtd, then\n"
        "  bbtd --restore /var/backups/bbtd-monday.db --force\n",
        NULL, 1, 1, k_server_backup},
    {"server check", NULL, "", "does the database agree with itself? exit status 1: it does not",
        NULL, NULL, 0, 0, k_server_check},
    {"server vacuum", NULL, "", "lets go of what the configuration does not keep, frees room",
        NULL, NULL, 0, 0, k_server_vacuum},
    {"cache stats", "cache", "", "the response cache: its size, how often it served", NULL, NULL,
        0, 0, k_cache_stats},
    {"cache prune", NULL, "", "drops what is older or more than the configuration keeps", NULL,
        NULL, 0, 0, k_cache_prune},
    {"cache clear", NULL, "", "drops every cached answer", NULL, NULL, 0, 0, k_cache_clear},
    {"cache verify", NULL, "", "looks for damaged answers and drops them", NULL, NULL, 0, 0,
        k_cache_verify},
    {"version", NULL, "", "versions of bbtctl and of the daemon", NULL, NULL, 0, 0, k_version},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static const char selectors[] =
    "\nSEL: 17   17,19   17..25   NAME   @last   state:failed   reason:auth   tag:paper\n"
    "     Terms apart by spaces must all be true, ! turns one around. JOB is a SEL that means\n"
    "     one job.\n";

static const char statuses[] =
    "\nExit status\n"
    "    0  done (wait: every job completed)\n"
    "    1  other failure\n"
    "    2  wrong use, or a question could not be asked\n"
    "    3  daemon not reachable\n"
    "    4  nothing matched\n"
    "    5  not allowed in this state, or the file exists\n"
    "    6  job file or its data invalid\n"
    "    7  not permitted\n"
    "    8  over a limit\n"
    "    9  some done, some not\n"
    "   10  the daemon speaks another API version\n"
    "   20, 21, 22  wait, watch: a job failed / was cancelled / is paused and needs you\n"
    "  124  --timeout passed\n"
    "  130  interrupted\n";

static bool words_are(const char *name, int argc, char *const *argv, int *ret_words)
{
    int words = 0;

    while (*name) {
        size_t len = strcspn(name, " ");

        if (words == argc || strlen(argv[words]) != len || memcmp(argv[words], name, len) != 0)
            return false;
        words++;
        name += len + (name[len] == ' ');
    }
    *ret_words = words;
    return words > 0;
}

const struct cmd *cmd_find(
    int argc, char *const *argv, int *ret_words, const char **ret_near)
{
    const char *names[2 * COMMANDS];
    size_t n = 0;

    *ret_near = NULL;
    for (size_t i = 0; i < COMMANDS; i++)
        if (words_are(commands[i].name, argc, argv, ret_words))
            return &commands[i];
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct cmd *k = &commands[i];

        /* "provider" alone is a list, "provider tset" is a mistake */
        if (k->alias && words_are(k->alias, argc, argv, ret_words) &&
            (k->pos_max > 0 || argc == 1))
            return k;
        names[n++] = k->name;
        if (k->alias)
            names[n++] = k->alias;
    }
    if (argc > 0) {
        char typed[128];

        (void)snprintf(typed, sizeof typed, "%s%s%s", argv[0],
            argc > 1 && strcmp(argv[0], "provider") == 0 ? " " : "",
            argc > 1 && strcmp(argv[0], "provider") == 0 ? argv[1] : "");
        *ret_near = hint_nearest(typed, names, n);
    }
    return NULL;
}

static void print_opts(const struct opt *o)
{
    for (; o && o->name; o++) {
        char left[64];

        (void)snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
            o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->arg ? " " : "",
            o->arg ? o->arg : "");
        (void)printf("  %-25s %s\n", left, o->help);
    }
}

static void print_page(const struct cmd *k)
{
    (void)printf("bbtctl %s%s%s%s -- %s\n", k->name, *k->args ? " " : "", k->args,
        k->opts ? " [OPTIONS]" : "", k->line);
    if (k->alias)
        (void)printf("Also: bbtctl %s\n", k->alias);
    if (k->more)
        (void)printf("\n%s", k->more);
    if (k->opts) {
        (void)puts("\nOptions");
        print_opts(k->opts);
    }
    (void)puts("\nCommon options");
    print_opts(cmd_common);
    if (strstr(k->args, SEL) || strstr(k->args, "JOB"))
        (void)fputs(selectors, stdout);
}

int cmd_help(const struct ctl *c, int argc, char *const *argv)
{
    const struct cmd *k;
    const char *near;
    int words;

    if (argc > 0 && strcmp(argv[0], "exit") == 0) {
        (void)fputs(statuses + 1, stdout);
        return CTL_OK;
    }
    k = argc > 0 ? cmd_find(argc, argv, &words, &near) : NULL;
    if (k) {
        print_page(k);
        return CTL_OK;
    }
    if (argc > 0)
        return ctl_fail(c, CTL_USAGE, "no command \"%s\"%s%s%s", argv[0],
            near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    (void)puts("bbtctl [OPTIONS] COMMAND ... -- tells bbtd what to do, and what it does\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char left[64];

        (void)snprintf(left, sizeof left, "%s %s", commands[i].name, commands[i].args);
        (void)printf("  %-22s %s\n", left, commands[i].line);
    }
    (void)printf("  %-22s %s\n", "help [COMMAND|exit]", "a command's page; exit statuses");
    (void)puts("\nCommon options");
    print_opts(cmd_common);
    (void)fputs(selectors, stdout);
    return CTL_OK;
}
