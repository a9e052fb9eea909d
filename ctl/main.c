/* main.c -- bbtctl: reads the command line, finds the command, runs it. */
#include "cmd.h"

#include "base/alloc.h"
#include "net/call.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Widths of characters need a UTF-8 locale, whatever the user's messages are in. */
static void set_locale(void)
{
    const char *have = setlocale(LC_CTYPE, "");

    if (!have || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        (void)setlocale(LC_CTYPE, "C.UTF-8");
}

static unsigned terminal_width(void)
{
    struct winsize w;

    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20)
        return w.ws_col;
    return 80;
}

static bool read_form(const char *text, enum ctl_form *ret)
{
    static const char *const names[] = {"table", "wide", "plain", "json", "jsonl", "csv"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum ctl_form)i;
            return true;
        }
    return false;
}

static bool has_own_output(const struct cmd *k)
{
    for (const struct opt *o = k->opts; o && o->name; o++)
        if (strcmp(o->name, "output") == 0)
            return true;
    return false;
}

/* The options that every command has. For a command whose -o is a file, a form is taken
 * where it is one. */
static int apply(struct ctl *c, const struct cmd *k, const struct opt_args *a)
{
    const char *form = opt_text(a, "output", NULL), *no_color = getenv("NO_COLOR"),
               *term = getenv("TERM");
    struct bbt_err err = {0};

    if (form && !read_form(form, &c->form) && !(k && has_own_output(k)))
        return ctl_fail(c, CTL_USAGE,
            "-o %s: must be table, wide, plain, json, jsonl or csv", form);
    if (opt_has(a, "json"))
        c->form = FORM_JSON;
    c->socket = opt_text(a, "socket", getenv("BBTCTL_SOCKET"));
    if (c->socket && !*c->socket)
        c->socket = NULL;
    if (c->socket && strncmp(c->socket, "unix:", 5) == 0)
        c->socket += 5;
    c->columns = opt_text(a, "columns", NULL);
    c->utc = opt_has(a, "utc");
    c->quiet = opt_has(a, "quiet");
    c->yes = opt_has(a, "yes");
    c->color = c->tty_out && !opt_has(a, "no-color") && !(no_color && *no_color) &&
        !(term && strcmp(term, "dumb") == 0);
    if (opt_time(a, "timeout", &c->timeout_us, &err) != BBT_OK)
        return ctl_fail(c, CTL_USAGE, "%s", err.msg);
    return CTL_OK;
}

/* Does the next argument belong to this one? Only the common options may stand in front of
 * the command. */
static bool takes_next(const char *arg)
{
    for (const struct opt *o = cmd_common; o->name; o++)
        if (o->arg &&
            ((arg[1] == '-' && strcmp(arg + 2, o->name) == 0) ||
                (o->letter && arg[1] == o->letter && !arg[2])))
            return true;
    return false;
}

/* The first words that are no options; at most two. */
static int first_words(int argc, char **argv, char *word[2])
{
    int words = 0;

    for (int i = 1; i < argc && words < 2; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            word[words++] = argv[i];
        else
            i += takes_next(argv[i]);
    }
    return words;
}

/* *ret stays NULL for help. *ret_words: how many of the arguments name the command. */
static int find(const struct ctl *c, int argc, char **argv, const struct cmd **ret,
    int *ret_words)
{
    static char status[] = "status";
    const char *near = NULL;
    char *word[2];
    int words = first_words(argc, argv, word);
    bool two;

    if (words > 0 && strcmp(word[0], "help") == 0) {
        *ret_words = 1;
        return CTL_OK;
    }
    if (words == 0) {
        word[0] = status;
        *ret = cmd_find(1, word, ret_words, &near);
        *ret_words = 0;
        return CTL_OK;
    }
    *ret = cmd_find(words, word, ret_words, &near);
    if (*ret)
        return CTL_OK;
    two = near && words > 1 && strchr(near, ' ');
    return ctl_fail(c, CTL_USAGE, "no command \"%s%s%s\"%s%s%s; see: bbtctl help", word[0],
        two ? " " : "", two ? word[1] : "", near ? " (did you mean " : "", near ? near : "",
        near ? "?)" : "");
}

/* Finds the command and reads its options. */
static int prepare(const struct ctl *c, int argc, char **argv, const struct cmd **ret,
    int *ret_words, struct opt_args *a)
{
    struct bbt_err err = {0};
    int code = find(c, argc, argv, ret, ret_words);

    if (code == CTL_OK &&
        opt_parse(argc - 1, argv + 1, cmd_common, *ret ? (*ret)->opts : NULL, a, &err) !=
            BBT_OK)
        code = ctl_fail(c, CTL_USAGE, "%s; see: bbtctl help%s%s", err.msg, *ret ? " " : "",
            *ret ? (*ret)->name : "");
    return code;
}

static int run(struct ctl *c, const struct cmd *k, int words, struct opt_args *a)
{
    const char *last = a->pos_n ? a->pos[a->pos_n - 1] : "";
    int code = apply(c, k, a);

    a->pos += words;
    a->pos_n -= (size_t)words;
    if (code != CTL_OK)
        return code;
    if (opt_has(a, "version")) {
        (void)printf("bbtctl %s\n", BBT_VERSION);
        return CTL_OK;
    }
    if (!k)
        return cmd_help(c, (int)a->pos_n, (char *const *)(void *)a->pos);
    if (opt_has(a, "help")) {
        char *const *name = (char *const *)(void *)(a->pos - words);

        return cmd_help(c, words, name);
    }
    if (a->pos_n < k->pos_min)
        return ctl_fail(c, CTL_USAGE, "%s needs %s; see: bbtctl help %s", k->name, k->args,
            k->name);
    if (a->pos_n > k->pos_max)
        return ctl_fail(c, CTL_USAGE, "%s: \"%s\" is one argument too many; see: bbtctl help %s",
            k->name, last, k->name);
    return k->run(c, a);
}

int main(int argc, char **argv)
{
    struct ctl c = {.tty_in = isatty(STDIN_FILENO),
        .tty_out = isatty(STDOUT_FILENO),
        .tty_err = isatty(STDERR_FILENO)};
    struct opt_args a = {0};
    struct bbt_err err = {0};
    const struct cmd *k = NULL;
    const char **pos;
    int words = 0, code = CTL_FAIL;

    set_locale();
    json_use_alloc();
    c.width = terminal_width();
    for (int i = 1; i < argc; i++) /* also where the rest is wrong */
        if (strcmp(argv[i], "--json") == 0)
            c.form = FORM_JSON;
    pos = bbt_calloc((size_t)argc + 1, sizeof *pos);
    a.pos = pos;
    if (!pos)
        (void)ctl_fail(&c, code, "no memory");
    else if (call_init(&err) != BBT_OK)
        code = ctl_fail_err(&c, &err);
    else
        code = prepare(&c, argc, argv, &k, &words, &a);
    if (code == CTL_OK)
        code = run(&c, k, words, &a);
    if (fflush(stdout) != 0 && code == CTL_OK)
        code = CTL_FAIL; /* the reader of a pipe is gone, or the disk is full */
    bbt_free(c.found);
    bbt_free(pos);
    return code;
}
