/* k_wait.c -- bbtctl wait: until jobs are over, whatever happens to the daemon meanwhile. */
#include "cmd.h"

#include "follow.h"
#include "jobs.h"
#include "sheet.h"

#include <stdio.h>
#include <string.h>

enum wait_for { FOR_COMPLETED, FOR_FINISHED, FOR_PAUSED };

static bool settled(const json_t *job, enum wait_for want)
{
    return jobs_over(job) ||
        (want != FOR_FINISHED && strcmp(json_get_str(job, "state", ""), "paused") == 0);
}

/* The gravest of all: failed before cancelled before paused. */
static int verdict(const json_t *jobs, enum wait_for want)
{
    bool paused = false, failed = false, cancelled = false, other = false;

    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const char *state = json_get_str(json_array_get(jobs, i), "state", "");

        paused = paused || strcmp(state, "paused") == 0;
        failed = failed || strcmp(state, "failed") == 0;
        cancelled = cancelled || strcmp(state, "cancelled") == 0 ||
            strcmp(state, "deleted") == 0;
        other = other || strcmp(state, "completed") == 0;
    }
    if (failed)
        return CTL_JOB_FAILED;
    if (cancelled)
        return CTL_JOB_CANCELLED;
    if (want == FOR_PAUSED)
        return other ? CTL_PARTIAL : CTL_OK;
    return paused ? CTL_JOB_PAUSED : CTL_OK;
}

static int wait_all(struct ctl *c, struct follow *f, json_t *jobs, enum wait_for want)
{
    for (size_t i = 0; i < json_array_size(jobs);) {
        json_t *job = json_array_get(jobs, i);
        long long id = json_get_int(job, "id", 0);
        int code;

        if (settled(job, want)) {
            ctl_note(c, "job %lld %s: %s%s%s", id, json_get_str(job, "name", ""),
                json_get_str(job, "state", ""), *json_get_str(job, "detail", "") ? ": " : "",
                json_get_str(job, "detail", ""));
            i++;
            continue;
        }
        job = NULL;
        code = follow_next(f, id, &job);
        if (code != CTL_OK)
            return code;
        (void)json_array_set_new(jobs, i, job);
    }
    return verdict(jobs, want);
}

int k_wait(struct ctl *c, const struct opt_args *a)
{
    static const char *const names[] = {"completed", "finished", "paused"};
    const char *text = opt_text(a, "for", "completed");
    enum wait_for want = FOR_COMPLETED;
    struct follow f;
    json_t *jobs = NULL;
    int code;

    while (want <= FOR_PAUSED && strcmp(text, names[want]) != 0)
        want++;
    if (want > FOR_PAUSED)
        return ctl_fail(c, CTL_USAGE, "--for %s: must be completed, finished or paused", text);
    follow_init(&f, c);
    code = follow_reach(&f);
    if (code == CTL_OK)
        code = jobs_select(c, a, 0, false, &jobs);
    if (code != CTL_OK)
        return code;
    ctl_on_interrupt("bbtctl: stopped waiting; the jobs go on\n");
    code = wait_all(c, &f, jobs, want);
    if (ctl_json(c) && code != CTL_TIMEOUT)
        (void)grid_list(c, "JobList", jobs_cols, jobs_cols_n, jobs);
    json_decref(jobs);
    return code;
}
