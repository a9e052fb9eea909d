/* k_show.c -- bbtctl show: everything about one job. */
#include "cmd.h"

#include "client.h"
#include "fmt.h"
#include "jobs.h"
#include "sheet.h"

#include <stdio.h>
#include <string.h>

static void show_live(const json_t *live)
{
    sheet_line("step", "%s, generation %lld: %lld of %lld answers, %lld on the wire",
        json_get_str(live, "step", "?"), json_get_int(live, "generation", 0),
        json_get_int(live, "answered", 0), json_get_int(live, "needed", 0),
        json_get_int(live, "in_flight", 0));
    sheet_line("provider", "%s", json_get_str(live, "provider", ""));
    sheet_line("trouble", "%s", json_get_str(live, "trouble", ""));
}

static void show_job(const struct ctl *c, const json_t *job)
{
    const json_t *usage = json_object_get(job, "usage"), *live = json_object_get(job, "live");
    char progress[160];

    sheet_line("job", "%lld %s", json_get_int(job, "id", 0), json_get_str(job, "name", ""));
    sheet_line("state", "%s%s%s", json_get_str(job, "state", "?"),
        *json_get_str(job, "reason", "") ? ": " : "", json_get_str(job, "reason", ""));
    sheet_line("detail", "%s", json_get_str(job, "detail", ""));
    sheet_time(c, "until", job, "until");
    jobs_progress(job, progress, sizeof progress);
    sheet_line("progress", "%s", progress);
    if (live)
        show_live(live);
    sheet_count("evaluations", usage, "evaluations");
    sheet_count("requests", usage, "requests");
    if (json_get_int(usage, "cached", 0))
        sheet_count("  from the cache", usage, "cached");
    if (json_get_int(usage, "repeated", 0))
        sheet_count("  repeated", usage, "repeated");
    if (json_get_int(usage, "failures", 0))
        sheet_count("  failed tries", usage, "failures");
    sheet_count("tokens in", usage, "tokens_in");
    sheet_count("tokens out", usage, "tokens_out");
    sheet_money("cost", usage, "cost");
    sheet_seconds("running time", usage, "seconds");
    sheet_line("priority", "%lld", json_get_int(job, "priority", 0));
    sheet_time(c, "created", job, "created");
    sheet_time(c, "started", job, "started");
    sheet_time(c, "ended", job, "ended");
    if (strcmp(json_get_str(job, "state", ""), "deleted") == 0)
        sheet_time(c, "deleted", job, "deleted");
}

static void next_step(const struct ctl *c, const json_t *job)
{
    const char *state = json_get_str(job, "state", "");
    long long id = json_get_int(job, "id", 0);

    if (strcmp(state, "completed") == 0)
        ctl_note(c, "Next: bbtctl result %lld", id);
    else if (strcmp(state, "paused") == 0)
        ctl_note(c, "Next: bbtctl resume %lld", id);
    else if (strcmp(state, "failed") == 0)
        ctl_note(c, "Next: bbtctl logs %lld", id);
    else if (strcmp(state, "deleted") == 0)
        ctl_note(c, "Next: bbtctl undelete %lld", id);
    else if (!jobs_over(job))
        ctl_note(c, "Next: bbtctl watch %lld", id);
}

int k_show(struct ctl *c, const struct opt_args *a)
{
    json_t *job = NULL, *spec = NULL;
    char path[64];
    int code = jobs_one(c, a->pos[0], &job);

    if (code != CTL_OK)
        return code;
    if (opt_has(a, "spec")) {
        (void)snprintf(path, sizeof path, "/v1/jobs/%lld/spec", json_get_int(job, "id", 0));
        code = client_get(c, path, &spec);
        if (code == CTL_OK) {
            c->form = c->form == FORM_JSONL ? FORM_JSONL : FORM_JSON;
            (void)sheet_json(c, spec);
            json_decref(spec);
        }
    } else if (!sheet_json(c, job)) {
        show_job(c, job);
        next_step(c, job);
    }
    json_decref(job);
    return code;
}
