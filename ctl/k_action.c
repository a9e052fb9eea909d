/* k_action.c -- bbtctl pause, resume, cancel, set, delete, undelete: the same word to every
 * job of a selector. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "jobs.h"
#include "safe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which jobs a selector of several means. */
enum scope {
    SCOPE_OPEN,  /* those that are not over */
    SCOPE_ANY,
    SCOPE_TRASH, /* deleted ones alone */
    SCOPE_ALL    /* deleted ones too */
};

struct action {
    const char *verb, *done; /* "pause", "paused" */
    const char *method, *tail; /* of the request; behind the job's path: ":pause" */
    bool careful;            /* asks before it touches several */
    enum scope scope;
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

static bool within(const json_t *job, enum scope scope)
{
    bool deleted = strcmp(json_get_str(job, "state", ""), "deleted") == 0;

    return scope == SCOPE_OPEN ? !jobs_over(job) : scope != SCOPE_TRASH || deleted;
}

/* A selector such as state:running or a name means what can still be changed. */
static json_t *narrow(json_t *jobs, enum scope scope)
{
    json_t *some = json_array();

    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (within(json_array_get(jobs, i), scope))
            (void)json_array_append(some, json_array_get(jobs, i));
    if (json_array_size(jobs) < 2 || json_array_size(some) == 0) {
        json_decref(some); /* one by name: the daemon says why not */
        return jobs;
    }
    json_decref(jobs);
    return some;
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
    int code = k->scope >= SCOPE_TRASH ? jobs_select_trash(c, a, &jobs)
                                       : jobs_select(c, a, 0, false, &jobs);
    int worst = CTL_OK;

    if (code != CTL_OK)
        return code;
    jobs = narrow(jobs, k->scope);
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
    return run_verb(c, a,
        &(struct action){"pause", "paused", "POST", ":pause", false, SCOPE_OPEN});
}

int k_resume(struct ctl *c, const struct opt_args *a)
{
    return run_verb(c, a,
        &(struct action){"resume", "queued", "POST", ":resume", false, SCOPE_OPEN});
}

int k_cancel(struct ctl *c, const struct opt_args *a)
{
    return run_verb(c, a,
        &(struct action){"cancel", "cancelled", "POST", ":cancel", true, SCOPE_OPEN});
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
    return run(c, &sel, &(struct action){"set", done, "PATCH", "", false, SCOPE_OPEN}, body);
}

int k_delete(struct ctl *c, const struct opt_args *a)
{
    int code;

    if (opt_has(a, "purge"))
        return run(c, a,
            &(struct action){
                "delete --purge", "gone for good", "DELETE", "?purge=1", true, SCOPE_ALL},
            NULL);
    code = run(
        c, a, &(struct action){"delete", "deleted", "DELETE", "", true, SCOPE_ANY}, NULL);
    if (code == CTL_OK)
        ctl_note(c, "kept for a while (retention.trash): bbtctl undelete takes it back");
    return code;
}

int k_undelete(struct ctl *c, const struct opt_args *a)
{
    return run(c, a,
        &(struct action){
            "undelete", "out of the trash", "POST", ":undelete", false, SCOPE_TRASH},
        NULL);
}
