#include "progress.h"

#include "fmt.h"
#include "spec/unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BAR 12

/* Share of the generation under way that is answered. Between its training and its commit it
 * is whole. */
static double part_of_generation(const json_t *job)
{
    const json_t *live = json_object_get(job, "live");
    double needed = fmt_number(live, "needed"), answered = fmt_number(live, "answered");
    const char *step = json_get_str(live, "step", "");

    if (strcmp(step, "tell") == 0 || strcmp(step, "dev") == 0 || strcmp(step, "commit") == 0)
        return 1.0;
    if (strcmp(step, "train") != 0 || !(needed > 0) || !(answered >= 0))
        return 0.0;
    return answered > needed ? 1.0 : answered / needed;
}

static double wall_limit_s(const json_t *spec)
{
    const char *text = json_get_str(json_object_get(spec, "stop"), "wall_time", NULL);
    uint64_t us;

    return text && unit_parse(UNIT_TIME, text, &us) ? (double)us / 1e6 : NAN;
}

/* Running time so far over generations so far; the plan's end or the time limit, whichever
 * comes first. Target and stall may end it earlier: nobody knows. */
void progress_of(const json_t *job, const json_t *spec, struct progress *ret)
{
    const json_t *usage = json_object_get(job, "usage"), *plan = json_object_get(job, "plan");
    double gens = fmt_number(usage, "generations"), most = fmt_number(plan, "generations"),
           spent = fmt_number(usage, "seconds"), limit = wall_limit_s(spec),
           now = gens + part_of_generation(job);
    const json_t *stop = json_object_get(spec, "stop");

    *ret = (struct progress){NAN, NAN, "", NAN};
    if (gens > 0 && spent > 0)
        ret->s_per_gen = spent / gens;
    if (most > 0) {
        ret->done = now < most ? now / most : 1.0;
        ret->eta_s = (most - now) * ret->s_per_gen;
        ret->binds = json_get_int(stop, "generations", 0) == (long long)most ? "generations"
                                                                             : "evaluations";
    }
    if (limit > 0 && !(ret->eta_s <= limit - spent)) {
        ret->eta_s = limit > spent ? limit - spent : 0.0;
        ret->binds = "wall_time";
        if (!(ret->done > spent / limit))
            ret->done = fmin(spent / limit, 1.0);
    }
    if (ret->eta_s < 0)
        ret->eta_s = 0;
}

void progress_bar(double done, size_t columns, char *out, size_t room)
{
    static const char *const eighth[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    size_t cells = isfinite(done) && done > 0 ? (size_t)(fmin(done, 1.0) * 8.0 * (double)columns)
                                              : 0,
           at = 0;

    at += (size_t)snprintf(out, room, "▕");
    for (size_t i = 0; i < columns && at < room; i++) {
        size_t fill = cells > 8 * i ? cells - 8 * i : 0;

        at += (size_t)snprintf(out + at, room - at, "%s", eighth[fill > 8 ? 8 : fill]);
    }
    if (at < room)
        (void)snprintf(out + at, room - at, "▏");
}

static void tell_live(const json_t *job, char *out, size_t room)
{
    const json_t *live = json_object_get(job, "live");
    long long needed = json_get_int(live, "needed", 0);
    const char *step = json_get_str(live, "step", "");

    out[0] = '\0';
    if (live && needed > 0)
        (void)snprintf(out, room, "  %s %lld/%lld", step,
            json_get_int(live, "answered", 0), needed);
    else if (live && *step)
        (void)snprintf(out, room, "  %s", step);
}

void progress_line(const json_t *job, const json_t *spec, char *out, size_t room)
{
    const json_t *usage = json_object_get(job, "usage"), *plan = json_object_get(job, "plan");
    long long most = json_get_int(plan, "generations", 0);
    const char *state = json_get_str(job, "state", ""), *reason = json_get_str(job, "reason", "");
    bool running = strcmp(state, "running") == 0;
    char bar[128], loss[FMT_MAX], dev[FMT_MAX], requests[FMT_MAX], eta[FMT_MAX], live[96],
        of[32] = "", until[128] = "";
    struct progress p;

    progress_of(job, spec, &p);
    progress_bar(strcmp(state, "completed") == 0 ? 1.0 : p.done, BAR, bar, sizeof bar);
    fmt_score(fmt_number(job, "last_loss"), 4, false, loss);
    fmt_score(fmt_number(job, "best_dev"), 3, false, dev);
    fmt_count(json_get_int(usage, "requests", 0), requests);
    fmt_seconds(p.eta_s, eta);
    tell_live(job, live, sizeof live);
    if (most)
        (void)snprintf(of, sizeof of, "/%lld", most);
    if (running && p.eta_s > 0)
        (void)snprintf(until, sizeof until, "  ETA %s (%s)", eta, p.binds);
    (void)snprintf(out, room, "job %lld %s gen %lld%s%s  loss %s  dev %s  %s requests%s  %s%s%s",
        json_get_int(job, "id", 0), bar, json_get_int(usage, "generations", 0), of, until, loss,
        dev, requests, live, running ? "" : state, !running && *reason ? ": " : "", reason);
}
