/* k_action.c -- bbtctl pause, resume, cancel: the same word to every job of a selector. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "jobs.h"
#include "safe.h"

#include <stdio.h>
#include <string.h>

struct action {
    const char *verb, *done; /* "pause", "paused" */
    bool careful;            /* asks before it touches several */
};

/* One job. The record afterwards goes to `list`. */
static int act(struct ctl *c, const struct action *k, const char *body, long long id,
    json_t *list)
{
    char path[64];
    struct client_req q = {
        .method = "POST", .path = path, .body = body, .len = body ? strlen(body) : 0};
    struct client_reply r = {0};
    int code;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld:%s", id, k->verb);
    code = client_ask(c, &q, &r);
    if (code != CTL_OK)
        return code;
    if (!ctl_json(c)) {
        safe_printf(stdout, "job %lld %s: %s%s", id, json_get_str(r.json, "name", ""),
            json_get_bool(r.json, "changed", 1) ? "" : "was already ", k->done);
        (void)putchar('\n');
    }
    (void)json_array_append(list, r.json);
    client_fini(&r);
    return CTL_OK;
}

/* Several jobs, for good: shown, and asked on a terminal. */
static int confirm(const struct ctl *c, const struct action *k, const json_t *jobs)
{
    size_t n = json_array_size(jobs);
    char line[16] = "";

    if (!k->careful || n < 2 || c->yes)
        return CTL_OK;
    if (!c->tty_in || !c->tty_err)
        return ctl_fail(c, CTL_USAGE, "%s of %zu jobs needs --yes", k->verb, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *job = json_array_get(jobs, i);

        ctl_note(&(struct ctl){0}, "  %lld %s (%s)", json_get_int(job, "id", 0),
            json_get_str(job, "name", ""), json_get_str(job, "state", ""));
    }
    (void)fprintf(stderr, "%s these %zu jobs? [y/N] ", k->verb, n);
    if (fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y'))
        return CTL_OK;
    return ctl_fail(c, CTL_USAGE, "nothing was done");
}

/* A selector such as state:running or a name means what can still be changed. */
static json_t *drop_over(json_t *jobs)
{
    json_t *open = json_array();

    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (!jobs_over(json_array_get(jobs, i)))
            (void)json_array_append(open, json_array_get(jobs, i));
    if (json_array_size(jobs) < 2 || json_array_size(open) == 0) {
        json_decref(open); /* one by name: the daemon says why not */
        return jobs;
    }
    json_decref(jobs);
    return open;
}

static char *body_of(const struct opt_args *a)
{
    const char *reason = opt_text(a, "reason", NULL);
    json_t *v = reason ? json_pack("{s:s}", "reason", reason) : NULL;
    char *text = v ? json_print(v) : NULL;

    json_decref(v);
    return text;
}

static int run(struct ctl *c, const struct opt_args *a, const struct action *k)
{
    json_t *jobs = NULL, *list;
    char *body;
    size_t done = 0;
    int code = jobs_select(c, a, 0, false, &jobs), worst = CTL_OK;

    if (code != CTL_OK)
        return code;
    jobs = drop_over(jobs);
    list = json_array();
    body = body_of(a);
    worst = confirm(c, k, jobs);
    for (size_t i = 0; worst != CTL_USAGE && i < json_array_size(jobs); i++) {
        code = act(c, k, body, json_get_int(json_array_get(jobs, i), "id", 0), list);
        done += code == CTL_OK;
        worst = code ? code : worst;
    }
    if (done > 0 && worst != CTL_OK)
        worst = CTL_PARTIAL;
    if (ctl_json(c) && done > 0)
        (void)grid_list(c, "JobList", jobs_cols, jobs_cols_n, list);
    bbt_free(body);
    json_decref(list);
    json_decref(jobs);
    return worst;
}

int k_pause(struct ctl *c, const struct opt_args *a)
{
    return run(c, a, &(struct action){"pause", "paused", false});
}

int k_resume(struct ctl *c, const struct opt_args *a)
{
    return run(c, a, &(struct action){"resume", "queued", false});
}

int k_cancel(struct ctl *c, const struct opt_args *a)
{
    return run(c, a, &(struct action){"cancel", "cancelled", true});
}
