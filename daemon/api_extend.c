/* api_extend.c -- other limits and other ends for a job that is not over: the spec in the store
 * changes, a running job is taken up again with it, one that its limits had paused goes on. */
#include "api.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "spec/job.h"
#include "store/st_event.h"
#include "store/st_job.h"

#include <stdio.h>
#include <string.h>

struct extend {
    struct api a;
    json_t *patch; /* the body, owned */
    const struct conf *conf;
    struct rec_job job;
    bool changed;
};

static void extend_free(struct api *a)
{
    json_decref(bbt_container(a, struct extend, a)->patch);
}

/* RFC 7396, for two levels: a member replaces, null takes away. False without memory. */
static bool merge(json_t *into, const json_t *patch)
{
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)(size_t)patch, key, v) {
        if (json_is_object(v)) {
            json_t *below = json_object_get(into, key);

            if (!json_is_object(below)) {
                below = json_object();
                if (json_object_set_new(into, key, below) != 0)
                    return false;
            }
            if (!merge(below, v))
                return false;
        } else if (json_is_null(v)) {
            (void)json_object_del(into, key);
        } else if (json_object_set(into, key, v) != 0) {
            return false;
        }
    }
    return true;
}

/* The spec in force with the patch in it, checked as a new one is. */
static enum bbt_rc patched(const struct extend *x, const char *old, struct job_spec **ret,
    struct bbt_err *err)
{
    struct spec_problems problems;
    json_t *tree = NULL;
    enum bbt_rc rc = json_parse(old, strlen(old), "spec", &tree, err);

    if (rc != BBT_OK)
        return rc;
    problem_init(&problems);
    rc = merge(tree, x->patch) ? job_spec_parse(tree, JOB_WIRE, ret, &problems, err)
                               : bbt_fail(err, BBT_NOMEM, "no memory for the change");
    problem_fini(&problems);
    json_decref(tree);
    if (rc == BBT_OK)
        rc = api_check_price(x->conf, *ret, err);
    if (rc != BBT_OK) {
        job_spec_free(*ret);
        *ret = NULL;
    }
    return rc;
}

static enum bbt_rc tell(struct store *s, const struct extend *x, struct bbt_err *err)
{
    struct rec_event e = {.job = x->a.id, .wall_us = port_wall_us(), .kind = "limits"};
    char *text = json_print(x->patch);

    if (!text)
        return bbt_fail(err, BBT_NOMEM, "no memory for an event");
    (void)snprintf(e.text, sizeof e.text, "changed: %.300s", text);
    bbt_free(text);
    return store_event_add(s, &e, NULL, err);
}

/* Back into the queue where a limit had stopped it: what it waits for is here. */
static enum bbt_rc go_on(struct store *s, const struct extend *x, struct bbt_err *err)
{
    static const char *const limits[] = {"usd", "tokens", "requests"};
    const struct store_move m = {
        x->a.id, 1u << REC_PAUSED, REC_QUEUED, "slots", "its limits were changed", port_wall_us()};

    for (size_t i = 0; x->job.state == REC_PAUSED && i < 3; i++)
        if (strcmp(x->job.reason, limits[i]) == 0)
            return store_job_state(s, &m, err);
    return BBT_OK;
}

static enum bbt_rc keep_spec(struct store *s, struct extend *x, const struct job_spec *spec,
    const char *old, struct bbt_err *err)
{
    json_t *tree = job_spec_print(spec);
    char *text = tree ? json_print(tree) : NULL;
    enum bbt_rc rc = text ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for the job file");

    x->changed = text && strcmp(text, old) != 0;
    if (x->changed)
        rc = store_job_respec(s, x->a.id, text, job_spec_generations_max(spec),
            job_spec_evaluations_max(spec), err);
    BBT_KILLPOINT("respec");
    bbt_free(text);
    json_decref(tree);
    return rc;
}

static void run_extend(struct port_call *c, struct port_db *db)
{
    struct extend *x = bbt_container(c, struct extend, a.call);
    struct store *s = (struct store *)db;
    struct job_spec *spec = NULL;
    char *old = NULL;

    c->rc = store_job_get(s, x->a.id, &x->job, &old, &c->err);
    if (c->rc == BBT_OK && x->job.state == REC_COMPLETED)
        c->rc = bbt_fail(&c->err, BBT_CONFLICT,
            "job %lld is completed: its prompt was measured on the test data, and a second "
            "look would not be honest; submit it again with other limits",
            (long long)x->a.id);
    else if (c->rc == BBT_OK &&
        (x->job.state == REC_FAILED || x->job.state == REC_CANCELLED))
        c->rc = bbt_fail(&c->err, BBT_CONFLICT, "job %lld is %s", (long long)x->a.id,
            rec_state_name(x->job.state));
    if (c->rc == BBT_OK)
        c->rc = patched(x, old, &spec, &c->err);
    if (c->rc == BBT_OK)
        c->rc = keep_spec(s, x, spec, old, &c->err);
    if (c->rc == BBT_OK && x->changed)
        c->rc = tell(s, x, &c->err);
    if (c->rc == BBT_OK)
        c->rc = go_on(s, x, &c->err);
    if (c->rc == BBT_OK)
        c->rc = store_job_get(s, x->a.id, &x->job, NULL, &c->err);
    BBT_KILLPOINT("respec-done");
    job_spec_free(spec);
    bbt_free(old);
}

static void extend_then(struct api *a)
{
    struct extend *x = bbt_container(a, struct extend, a);

    if (x->changed && x->job.state == REC_RUNNING)
        engine_halt(a->d->engine, a->id); /* it is still to run: taken up again, as after a stop */
    engine_poke(a->d->engine);
    port_changed(a->id);
    a->json = api_view_job(a->d, &x->job);
    json_put(&a->json, "changed", json_boolean(x->changed));
}

void api_extend(struct web_req *r, struct daemon *d, int64_t id, json_t *patch)
{
    struct extend *x = (struct extend *)(void *)api_new(r, d, sizeof *x);

    if (!x) {
        json_decref(patch);
        return;
    }
    x->patch = patch;
    x->conf = d->conf;
    x->a.id = id;
    x->a.free = extend_free;
    x->a.then = extend_then;
    api_db(&x->a, run_extend);
}
