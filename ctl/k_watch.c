/* k_watch.c -- bbtctl watch: one job, live, until it is over or needs the user. */
#include "cmd.h"

#include "follow.h"
#include "jobs.h"
#include "progress.h"
#include "safe.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 512

/* On a terminal the line is written over; in a pipe there is one for every change. */
static void print_line(const struct ctl *c, const char *line, char *before)
{
    struct bbt_buf b;

    if (strcmp(line, before) == 0)
        return;
    (void)snprintf(before, LINE_MAX_BYTES, "%s", line);
    buf_init(&b, SIZE_MAX);
    if (safe_put(&b, line) == BBT_OK && b.data) {
        if (c->tty_out)
            (void)printf("\r%.*s\x1b[K",
                (int)safe_fit((const char *)b.data, c->width > 1 ? c->width - 1 : 79), b.data);
        else
            (void)printf("%s\n", b.data);
    }
    buf_fini(&b);
    (void)fflush(stdout);
}

static bool stays(const json_t *job)
{
    return jobs_over(job) || strcmp(json_get_str(job, "state", ""), "paused") == 0;
}

/* What a change is in a pipe: not every answered request. */
static void without_live(json_t *job)
{
    (void)json_object_del(job, "live");
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
    char line[LINE_MAX_BYTES], before[LINE_MAX_BYTES] = "";
    struct follow f;
    int code = CTL_OK;

    follow_init(&f, c);
    ctl_on_interrupt("bbtctl: stopped watching; the job goes on\n");
    while (code == CTL_OK) {
        json_t *job = NULL;

        code = follow_next(&f, id, &job);
        if (code != CTL_OK)
            break;
        if (!c->tty_out && !ctl_json(c) && !stays(job))
            without_live(job);
        progress_line(job, spec, line, sizeof line);
        if (!ctl_json(c)) {
            print_line(c, line, before);
        } else if (strcmp(line, before) != 0) {
            (void)snprintf(before, sizeof before, "%s", line);
            safe_json_line(stdout, json_incref(job));
            (void)fflush(stdout);
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
