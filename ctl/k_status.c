/* k_status.c -- bbtctl alone: what runs, what needs you. */
#include "cmd.h"

#include "client.h"
#include "fmt.h"
#include "jobs.h"
#include "progress.h"
#include "safe.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 10

static const char *const states[] = {
    "running", "queued", "paused", "failed", "completed", "cancelled"};
#define STATES (sizeof states / sizeof states[0])

static bool is(const json_t *job, const char *state)
{
    return strcmp(json_get_str(job, "state", ""), state) == 0;
}

static size_t count(const json_t *jobs, const char *state)
{
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(jobs); i++)
        n += is(json_array_get(jobs, i), state);
    return n;
}

static void head(const struct ctl *c, const char *text)
{
    (void)printf(c->color ? "\x1b[1m%s\x1b[0m\n" : "%s\n", text);
}

static void print_counts(const json_t *jobs)
{
    bool any = false;

    for (size_t i = 0; i < STATES; i++) {
        size_t n = count(jobs, states[i]);

        if (n) {
            (void)printf("%s%zu %s", any ? " · " : "", n, states[i]);
            any = true;
        }
    }
    (void)printf(any ? "\n" : "no jobs yet\n");
}


/* What gets it going again. */
static void print_cure(const json_t *job, long long id, char *out, size_t room)
{
    const char *reason = json_get_str(job, "reason", "");
    static const char *const limits[] = {"usd", "requests", "tokens"};
    static const char *const more[] = {"+1", "+1000", "+1M"};

    (void)snprintf(out, room, "bbtctl %s %lld", is(job, "paused") ? "resume" : "logs", id);
    for (size_t i = 0; is(job, "paused") && i < 3; i++)
        if (strcmp(reason, limits[i]) == 0)
            (void)snprintf(out, room, "bbtctl extend %lld --max-%s %s", id, limits[i], more[i]);
}

static void print_needy(const json_t *job)
{
    const char *detail = json_get_str(job, "detail", "");
    long long id = json_get_int(job, "id", 0);
    char done[160], cure[96];

    jobs_progress(job, done, sizeof done);
    print_cure(job, id, cure, sizeof cure);
    safe_printf(stdout, "  %lld %s  %s  %s%s%s  at %s  → %s", id, json_get_str(job, "name", ""),
        json_get_str(job, "state", ""), json_get_str(job, "reason", ""), *detail ? ": " : "",
        detail, done, cure);
    (void)putchar('\n');
}

/* The newest SHOWN_MAX of a state. */
static void print_some(const json_t *jobs, const char *state, void (*print)(const json_t *))
{
    size_t shown = 0, n = count(jobs, state);

    for (size_t i = json_array_size(jobs); i > 0 && shown < SHOWN_MAX; i--)
        if (is(json_array_get(jobs, i - 1), state)) {
            print(json_array_get(jobs, i - 1));
            shown++;
        }
    if (n > shown)
        (void)printf("  ... and %zu more: bbtctl list state:%s\n", n - shown, state);
}

static void print_running(const json_t *job)
{
    char line[512];

    progress_line(job, NULL, line, sizeof line);
    safe_printf(stdout, "  %s  %s", json_get_str(job, "name", ""), line);
    (void)putchar('\n');
}

/* Queued for more than a slot: its hours, or its provider. */
static bool is_waiting(const json_t *job)
{
    return is(job, "queued") && *json_get_str(job, "reason", "") &&
        strcmp(json_get_str(job, "reason", ""), "slots") != 0;
}

static void print_waiting(const struct ctl *c, const json_t *jobs)
{
    size_t shown = 0;

    for (size_t i = json_array_size(jobs); i > 0 && shown < SHOWN_MAX; i--) {
        const json_t *job = json_array_get(jobs, i - 1);
        const char *until = json_get_str(job, "until", NULL);
        char when[FMT_MAX] = "";

        if (!is_waiting(job))
            continue;
        if (shown++ == 0)
            head(c, "WAITING");
        if (until)
            fmt_time(c, until, when);
        safe_printf(stdout, "  %lld %s  %s%s%s", json_get_int(job, "id", 0),
            json_get_str(job, "name", ""), json_get_str(job, "reason", ""),
            until ? " until " : "", when);
        (void)putchar('\n');
    }
}

/* "TODAY $27.93 of $40.00"; nothing where nothing costs. */
static void print_today(const struct ctl *c, const json_t *today)
{
    const char *cost = json_get_str(today, "cost", "0.00"), *cap = json_get_str(today, "cap", NULL);
    char spent[FMT_MAX], most[FMT_MAX];

    if (!cap && strcmp(cost, "0.00") == 0)
        return;
    head(c, "TODAY");
    fmt_money(cost, spent);
    fmt_money(cap ? cap : "", most);
    (void)printf("  %s%s%s\n", spent, cap ? " of " : "", cap ? most : "");
}

static void print_screen(const struct ctl *c, const json_t *server, const json_t *jobs)
{
    char up[FMT_MAX];

    fmt_seconds(fmt_number(server, "uptime_seconds"), up);
    safe_printf(stdout, "bbtd %s up %s%s, %.0f MB, at %s",
        json_get_str(server, "version", "?"), up,
        json_get_bool(server, "draining", 0) ? ", stopping" : "",
        json_get_num(server, "rss_mb", 0), c->found);
    (void)putchar('\n');
    print_counts(jobs);
    if (count(jobs, "paused") + count(jobs, "failed") > 0) {
        head(c, "NEEDS YOU");
        print_some(jobs, "paused", print_needy);
        print_some(jobs, "failed", print_needy);
    }
    if (count(jobs, "running") > 0) {
        head(c, "RUNNING");
        print_some(jobs, "running", print_running);
    }
    print_waiting(c, jobs);
    print_today(c, json_object_get(server, "today"));
    if (json_array_size(jobs) == 0)
        ctl_note(c, "Next: bbtctl submit FILE");
    else if (count(jobs, "running") > 0)
        ctl_note(c, "Next: bbtctl watch");
    else
        ctl_note(c, "Next: bbtctl list");
}

static json_t *counts(const json_t *jobs)
{
    json_t *v = json_object();

    for (size_t i = 0; i < STATES; i++)
        (void)json_object_set_new(
            v, states[i], json_integer((json_int_t)count(jobs, states[i])));
    return v;
}

/* Jobs of the states that matter here, whole. */
static json_t *some(const json_t *jobs, const char *one, const char *two)
{
    json_t *v = json_array();

    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (is(json_array_get(jobs, i), one) || is(json_array_get(jobs, i), two))
            (void)json_array_append(v, json_array_get(jobs, i));
    return v;
}

int k_status(struct ctl *c, const struct opt_args *a)
{
    json_t *server = NULL, *jobs = NULL;
    int code = client_get(c, "/v1/server", &server);

    (void)a;
    if (code == CTL_OK)
        code = client_jobs(c, NULL, &jobs);
    if (code == CTL_OK && ctl_json(c))
        safe_json(stdout, json_pack("{s:s, s:s, s:O, s:o, s:o, s:o}", "apiVersion", "v1",
                              "kind", "Status", "server", server, "jobs", counts(jobs),
                              "needs_you", some(jobs, "paused", "failed"), "running",
                              some(jobs, "running", "running")));
    else if (code == CTL_OK)
        print_screen(c, server, jobs);
    json_decref(server);
    json_decref(jobs);
    return code;
}
