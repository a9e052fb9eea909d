/* k_watch.c -- bbtctl watch: one job, live, until it is over or needs the user. */
#include "cmd.h"

#include "follow.h"
#include "jobs.h"
#include "progress.h"
#include "safe.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 512

/* On a terminal the line is written over and over; elsewhere it ends. */
static void print_line(const struct ctl *c, const char *line)
{
    struct bbt_buf b;

    buf_init(&b, SIZE_MAX);
    if (safe_put(&b, line) == BBT_OK && b.data) {
        if (c->tty_out)
            (void)printf("\r%.*s\x1b[K",
                (int)safe_fit((const char *)b.data, c->width > 1 ? c->width - 1 : 79), b.data);
        else
            (void)printf("%s\n", b.data);
    }
    buf_fini(&b);
}

/* What counts as a change where every line stays: a generation, the state, what holds the
 * job up; not every request. */
static void change_of(const json_t *job, char *out, size_t room)
{
    const char *reason = json_get_str(job, "reason", "");
    bool usual = strcmp(reason, "working") == 0 || strcmp(reason, "concurrency") == 0;

    (void)snprintf(out, room, "%s %s %lld %s", json_get_str(job, "state", ""),
        usual ? "" : reason, json_get_int(json_object_get(job, "usage"), "generations", 0),
        json_get_str(json_object_get(job, "live"), "trouble", ""));
}

static bool stays(const json_t *job)
{
    return jobs_over(job) || strcmp(json_get_str(job, "state", ""), "paused") == 0;
}

static int end(const struct ctl *c, const json_t *job)
{
    const char *state = json_get_str(job, "state", ""), *detail = json_get_str(job, "detail", "");
    long long id = json_get_int(job, "id", 0);

    if (c->tty_out && !ctl_json(c))
        (void)putchar('\n');
    (void)fflush(stdout);
    if (*detail)
        ctl_note(c, "job %lld is %s: %s", id, state, detail);
    if (strcmp(state, "completed") == 0) {
        ctl_note(c, "Next: bbtctl result %lld", id);
        return CTL_OK;
    }
    if (strcmp(state, "failed") == 0) {
        ctl_note(c, "Next: bbtctl logs %lld", id);
        return CTL_JOB_FAILED;
    }
    if (strcmp(state, "paused") == 0) {
        ctl_note(c, "Next: bbtctl resume %lld", id);
        return CTL_JOB_PAUSED;
    }
    return CTL_JOB_CANCELLED;
}

static int look(struct ctl *c, long long id, const json_t *spec)
{
    char line[LINE_MAX_BYTES], now[LINE_MAX_BYTES], before[LINE_MAX_BYTES] = "";
    struct follow f;
    int code = CTL_OK;

    follow_init(&f, c);
    ctl_on_interrupt("bbtctl: stopped watching; the job goes on\n");
    while (code == CTL_OK) {
        json_t *job = NULL;

        code = follow_next(&f, id, &job);
        if (code != CTL_OK)
            break;
        progress_line(job, spec, line, sizeof line);
        if (c->tty_out && !ctl_json(c))
            (void)snprintf(now, sizeof now, "%s", line);
        else
            change_of(job, now, sizeof now);
        if (strcmp(now, before) != 0) {
            if (ctl_json(c))
                safe_json_line(stdout, json_incref(job));
            else
                print_line(c, line);
            (void)fflush(stdout);
            memcpy(before, now, sizeof before);
        }
        if (stays(job)) {
            code = end(c, job);
            json_decref(job);
            break;
        }
        json_decref(job);
    }
    return code;
}

int k_watch(struct ctl *c, const struct opt_args *a)
{
    json_t *job = NULL, *spec = NULL;
    char path[64];
    struct follow f;
    long long id;
    int code;

    follow_init(&f, c);
    code = follow_reach(&f);
    if (code == CTL_OK)
        code = jobs_one(c, a->pos_n ? a->pos[0] : NULL, &job);
    if (code != CTL_OK)
        return code;
    id = json_get_int(job, "id", 0);
    json_decref(job);
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/spec", id);
    code = client_get(c, path, &spec);
    if (code == CTL_OK)
        code = look(c, id, spec);
    json_decref(spec);
    return code;
}
