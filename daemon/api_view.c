/* api_view.c -- records as the JSON that people's scripts read. Field names are a promise. */
#include "api.h"

#include "base/clock.h"
#include "engine/score.h"

#include <math.h>
#include <string.h>

json_t *api_time(int64_t wall_us)
{
    char text[32];

    if (wall_us <= 0)
        return json_null();
    clock_rfc3339(wall_us, text, sizeof text);
    return json_string(text);
}

json_t *api_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *view_live(const struct engine_live *l)
{
    return json_pack("{s:s, s:s, s:s?, s:o, s:I, s:I, s:I, s:I, s:f}", "step",
        l->progress.step, "why", l->why, "provider", l->provider, "trouble",
        json_clean(l->trouble), "generation", (json_int_t)l->progress.gen, "answered",
        (json_int_t)l->progress.answered, "needed", (json_int_t)l->progress.needed,
        "in_flight", (json_int_t)l->progress.in_flight, "wait_seconds",
        (double)l->wait_us / 1e6);
}

struct why {
    const char *reason, *detail;
    struct shift_now home; /* home.why: it waits until then */
    char text[120];
};

/* What a queued job waits for: its hours, or its provider. What its row says about its hours may
 * be of the past: then it waits for a slot. */
static void why_queued(struct daemon *d, const struct rec_job *j, struct why *w)
{
    const struct endpoint *shut = engine_waits_for(d->engine, j->id);

    if (engine_hours(d->engine, j->id, &w->home)) {
        w->reason = w->home.why;
        shift_text(&w->home, w->text, sizeof w->text);
        w->detail = w->text;
    } else if (shut) {
        w->reason = "provider_paused";
        w->detail = shut->pause_text;
    } else if (strcmp(j->reason, "window") == 0 || strcmp(j->reason, "start_time") == 0) {
        w->reason = "slots";
        w->detail = "";
    }
}

/* A running job's reason is what the engine sees now, not what the row said at its start.
 * While the disk is ill no row can change, so what it holds up is shown, not stored. */
json_t *api_view_job(struct daemon *d, const struct rec_job *j)
{
    struct engine_live live;
    bool has = j->state == REC_RUNNING && engine_live(d->engine, j->id, &live);
    const struct keep_ill *ill = engine_ill(d->engine);
    bool held = ill && j->state == REC_RUNNING;
    struct why w = {.reason = has ? live.why : j->reason, .detail = j->detail};
    json_t *v;

    if (held)
        w = (struct why){.reason = ill->reason, .detail = ill->text};
    else if (j->state == REC_QUEUED)
        why_queued(d, j, &w);
    v = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}, "
        "s:o, s:o}",
        "apiVersion", "v1", "kind", "Job", "id", (json_int_t)j->id, "name", j->name, "state",
        rec_state_name(held ? REC_PAUSED : j->state), "reason", w.reason, "detail",
        json_clean(w.detail),
        "priority", (json_int_t)j->priority, "created", api_time(j->created_us), "started",
        api_time(j->started_us), "ended", api_time(j->ended_us), "updated",
        api_time(j->updated_us), "usage", score_usage(&j->usage), "plan", "generations",
        (json_int_t)j->generations_max, "evaluations", (json_int_t)j->evaluations_max,
        "best_dev", api_real(j->best_dev), "last_loss", api_real(j->last_loss));

    if (j->state == REC_DELETED) {
        json_put(&v, "deleted", api_time(j->deleted_us));
        json_put(&v, "was", json_string(rec_state_name(j->was)));
    }
    if (w.home.why && w.home.until_us != SHIFT_NEVER)
        json_put(&v, "until", api_time(w.home.until_us));
    if (has)
        json_put(&v, "live", view_live(&live));
    return v;
}

json_t *api_view_event(const struct rec_event *e)
{
    return json_pack("{s:I, s:I, s:o, s:s, s:o}", "id", (json_int_t)e->id, "job",
        (json_int_t)e->job, "time", api_time(e->wall_us), "kind", e->kind, "text",
        json_clean(e->text));
}

json_t *api_view_gen(const struct rec_gen *g)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "generation",
        (json_int_t)g->gen, "evaluations", (json_int_t)g->evaluations, "loss_best",
        api_real(g->loss_best), "loss_mean", api_real(g->loss_mean), "sigma",
        api_real(g->sigma), "dev", api_real(g->dev), "dev_loss", api_real(g->dev_loss),
        "time", api_time(g->wall_us));
}
