/* k_action.c -- bbtctl pause, resume, cancel, set: the same word to every job of a
 * selector. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "jobs.h"
#include "safe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct action {
    const char *verb, *done; /* "pause", "paused" */
    const char *method, *tail; /* of the request; behind the job's path: ":pause" */
    bool careful;            /* asks before it touches several */
};

/* One job. The record afterwards goes to `list`. */
static int act(struct ctl *c, const struct action *k, const char *body, long long id,
    json_t *list)
{
    char path[64];
    struct client_req q = {
        .method = k->method, .path = path, .body = body, .len = body ? strlen(body) : 0};
    struct client_reply r = {0};
    int code;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld%s", id, k->tail);
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

static int run(struct ctl *c, const struct opt_args *a, const struct action *k,
    const char *body)
{
    json_t *jobs = NULL, *list;
    size_t done = 0;
    int code = jobs_select(c, a, 0, false, &jobs), worst = CTL_OK;

    if (code != CTL_OK)
        return code;
    jobs = drop_over(jobs);
    list = json_array();
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
    json_decref(list);
    json_decref(jobs);
    return worst;
}

static int run_verb(struct ctl *c, const struct opt_args *a, const struct action *k)
{
    char *body = body_of(a);
    int code = run(c, a, k, body);

    bbt_free(body);
    return code;
}

int k_pause(struct ctl *c, const struct opt_args *a)
{
    return run_verb(c, a, &(struct action){"pause", "paused", "POST", ":pause", false});
}

int k_resume(struct ctl *c, const struct opt_args *a)
{
    return run_verb(c, a, &(struct action){"resume", "queued", "POST", ":resume", false});
}

int k_cancel(struct ctl *c, const struct opt_args *a)
{
    return run_verb(c, a, &(struct action){"cancel", "cancelled", "POST", ":cancel", true});
}

/* KEY=VALUE is the last argument. */
int k_set(struct ctl *c, const struct opt_args *a)
{
    struct opt_args sel = *a;
    const char *word = a->pos[a->pos_n - 1], *value = strchr(word, '=');
    char done[48], body[48], *end = NULL;
    long n;

    if (!value)
        return ctl_fail(c, CTL_USAGE, "what is to be set? The last word is KEY=VALUE, such as "
                                      "priority=5");
    if (strncmp(word, "priority=", 9) != 0)
        return ctl_fail(c, CTL_USAGE, "\"%.*s\" cannot be set: only priority can",
            (int)(value - word), word);
    n = strtol(value + 1, &end, 10);
    if (end == value + 1 || *end || n < -100 || n > 100)
        return ctl_fail(c, CTL_USAGE, "priority: a whole number from -100 to 100");
    sel.pos_n--;
    (void)snprintf(done, sizeof done, "at priority %ld", n);
    (void)snprintf(body, sizeof body, "{\"priority\": %ld}", n);
    return run(c, &sel, &(struct action){"set", done, "PATCH", "", false}, body);
}
