/* api_job.c -- jobs: list, look, pause, resume, cancel, priority. */
#include "api.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/st_event.h"
#include "store/st_job.h"

#include <stdio.h>
#include <string.h>

/* ---- reads ---- */

struct list_api {
    struct api a;
    struct store_filter f;
    char name[REC_NAME_MAX];
    struct rec_job *rows;
    size_t n;
};

static void list_free(struct api *a)
{
    bbt_free(bbt_container(a, struct list_api, a)->rows);
}

static void run_list(struct port_call *c, struct port_db *db)
{
    struct list_api *l = bbt_container(c, struct list_api, a.call);

    c->rc = store_job_list((struct store *)db, &l->f, &l->rows, &l->n, &c->err);
}

static void list_then(struct api *a)
{
    struct list_api *l = bbt_container(a, struct list_api, a);
    json_t *items = json_array();

    for (size_t i = 0; i < l->n; i++)
        json_add(&items, api_view_job(a->d, &l->rows[i]));
    a->json = json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "JobList", "items",
        items);
    if (l->n == l->f.limit) {
        char next[32];

        (void)snprintf(next, sizeof next, "%lld", (long long)l->rows[l->n - 1].id);
        json_put(&a->json, "next", json_string(next));
    }
}

void api_jobs_get(struct web_req *r, void *arg)
{
    const char *state = web_query(r, "state"), *name = web_query(r, "name");
    struct list_api *l;
    enum rec_state st = state ? rec_state_parse(state) : REC_STATE_NR;

    if (state && st == REC_STATE_NR) {
        api_problem(r, BBT_INVALID,
            "state: queued, running, paused, completed, failed, cancelled or deleted");
        return;
    }
    l = (struct list_api *)(void *)api_new(r, arg, sizeof *l);
    if (!l)
        return;
    l->a.free = list_free;
    l->a.then = list_then;
    l->f.states = state ? 1u << st : web_query(r, "all") ? ~0u : 0;
    if (name) {
        (void)snprintf(l->name, sizeof l->name, "%s", name);
        l->f.name = l->name;
    }
    l->f.after = api_number(r, "cursor", 0, 0, INT64_MAX);
    l->f.limit = (size_t)api_number(r, "limit", 200, 1, 1000);
    l->f.newest_first = web_query(r, "newest") != NULL;
    api_db(&l->a, run_list);
}

struct job_api {
    struct api a;
    struct rec_job job;
    char *spec;
    bool want_spec;
    unsigned from;
    enum rec_state to;
    char reason[REC_REASON_MAX], detail[REC_DETAIL_MAX];
    int64_t priority;
    bool changed;
};

static void job_free(struct api *a)
{
    bbt_free(bbt_container(a, struct job_api, a)->spec);
}

static void run_get(struct port_call *c, struct port_db *db)
{
    struct job_api *j = bbt_container(c, struct job_api, a.call);

    c->rc = store_job_get((struct store *)db, j->a.id, &j->job,
        j->want_spec ? &j->spec : NULL, &c->err);
    if (c->rc == BBT_OK && j->want_spec)
        c->rc = json_parse(j->spec, strlen(j->spec), "spec", &j->a.json, &c->err);
}

static void get_then(struct api *a)
{
    struct job_api *j = bbt_container(a, struct job_api, a);

    if (!j->want_spec)
        a->json = api_view_job(a->d, &j->job);
}

static struct job_api *open_job(struct web_req *r, void *arg)
{
    int64_t id = api_id(r);
    struct job_api *j = id ? (struct job_api *)(void *)api_new(r, arg, sizeof *j) : NULL;

    if (!j)
        return NULL;
    j->a.id = id;
    j->a.free = job_free;
    j->a.then = get_then;
    return j;
}

void api_job_get(struct web_req *r, void *arg)
{
    struct job_api *j = open_job(r, arg);

    if (j)
        api_db(&j->a, run_get);
}

void api_job_spec(struct web_req *r, void *arg)
{
    struct job_api *j = open_job(r, arg);

    if (!j)
        return;
    j->want_spec = true;
    api_db(&j->a, run_get);
}

/* ---- actions: the row changes first, durably; then the engine is told ---- */

static void run_move(struct port_call *c, struct port_db *db)
{
    struct job_api *j = bbt_container(c, struct job_api, a.call);
    struct store *s = (struct store *)db;
    struct store_move m = {
        j->a.id, j->from, j->to, j->reason, j->detail, port_wall_us()};
    struct rec_event e = {.job = j->a.id, .wall_us = m.wall_us};

    c->rc = store_job_get(s, j->a.id, &j->job, NULL, &c->err);
    if (c->rc != BBT_OK)
        return;
    if (j->job.state == j->to)
        return; /* it is so already: done, nothing changed */
    BBT_KILLPOINT("move");
    c->rc = store_job_state(s, &m, &c->err);
    BBT_KILLPOINT("move-done");
    if (c->rc == BBT_CONFLICT)
        c->rc = bbt_fail(&c->err, BBT_CONFLICT, "job %lld is %s", (long long)j->a.id,
            rec_state_name(j->job.state));
    if (c->rc != BBT_OK)
        return;
    j->changed = true;
    (void)snprintf(e.kind, sizeof e.kind, "%s", rec_state_name(j->to));
    (void)snprintf(e.text, sizeof e.text, "%s", j->detail);
    c->rc = store_event_add(s, &e, NULL, &c->err);
    if (c->rc == BBT_OK)
        c->rc = store_job_get(s, j->a.id, &j->job, NULL, &c->err);
}

static void move_then(struct api *a)
{
    struct job_api *j = bbt_container(a, struct job_api, a);

    BBT_KILLPOINT("move-kept");
    if (j->changed) {
        if (j->to == REC_QUEUED) {
            engine_release(a->d->engine);
            engine_poke(a->d->engine);
        } else {
            engine_halt(a->d->engine, a->id);
        }
        port_changed(a->id);
    }
    a->json = api_view_job(a->d, &j->job);
    json_put(&a->json, "changed", json_boolean(j->changed));
}

static void move(struct web_req *r, void *arg, unsigned from, enum rec_state to,
    const char *reason, const char *said)
{
    struct job_api *j = open_job(r, arg);
    json_t *body;

    if (!j)
        return;
    body = api_body(r);
    if (!body) {
        api_free(&j->a);
        return;
    }
    j->a.then = move_then;
    j->from = from;
    j->to = to;
    (void)snprintf(j->reason, sizeof j->reason, "%s", reason);
    (void)snprintf(
        j->detail, sizeof j->detail, "%s", json_get_str(body, "reason", said));
    json_decref(body);
    api_db(&j->a, run_move);
}

void api_job_pause(struct web_req *r, void *arg)
{
    move(r, arg, 1u << REC_QUEUED | 1u << REC_RUNNING, REC_PAUSED, "user",
        "paused by the user");
}

void api_job_resume(struct web_req *r, void *arg)
{
    move(r, arg, 1u << REC_PAUSED, REC_QUEUED, "slots", "resumed by the user");
}

void api_job_cancel(struct web_req *r, void *arg)
{
    move(r, arg, 1u << REC_QUEUED | 1u << REC_RUNNING | 1u << REC_PAUSED, REC_CANCELLED,
        "user", "cancelled by the user");
}

static void run_priority(struct port_call *c, struct port_db *db)
{
    struct job_api *j = bbt_container(c, struct job_api, a.call);
    struct store *s = (struct store *)db;
    struct rec_event e = {.job = j->a.id, .wall_us = port_wall_us(), .kind = "priority"};
    int64_t was;

    c->rc = store_job_get(s, j->a.id, &j->job, NULL, &c->err);
    if (c->rc != BBT_OK)
        return;
    was = j->job.priority;
    BBT_KILLPOINT("priority");
    c->rc = store_job_priority(s, j->a.id, j->priority, e.wall_us, &c->err);
    BBT_KILLPOINT("priority-done");
    j->changed = was != j->priority;
    if (c->rc != BBT_OK || !j->changed)
        return;
    (void)snprintf(e.text, sizeof e.text, "priority %lld, was %lld", (long long)j->priority,
        (long long)was);
    c->rc = store_event_add(s, &e, NULL, &c->err);
    j->job.priority = j->priority;
    j->job.updated_us = e.wall_us;
}

static void priority_then(struct api *a)
{
    struct job_api *j = bbt_container(a, struct job_api, a);

    BBT_KILLPOINT("priority-kept");
    if (j->changed) {
        engine_priority(a->d->engine, a->id, j->priority);
        port_changed(a->id);
    }
    a->json = api_view_job(a->d, &j->job);
    json_put(&a->json, "changed", json_boolean(j->changed));
}

/* True where only these may be changed, and something is. */
static bool only(const json_t *body, const char *a, const char *b)
{
    size_t n = (json_object_get(body, a) ? 1u : 0u) + (json_object_get(body, b) ? 1u : 0u);

    return n > 0 && n == json_object_size(body);
}

void api_job_patch(struct web_req *r, void *arg)
{
    struct job_api *j = open_job(r, arg);
    json_t *body = j ? api_body(r) : NULL;
    const json_t *n = body ? json_object_get(body, "priority") : NULL;
    bool good = json_is_integer(n) && json_object_size(body) == 1 &&
                json_integer_value(n) >= -100 && json_integer_value(n) <= 100;

    if (body && only(body, "limits", "stop")) {
        int64_t id = j->a.id;

        api_free(&j->a);
        api_extend(r, arg, id, body);
        return;
    }
    if (good) {
        j->priority = json_integer_value(n);
        j->a.then = priority_then;
        json_decref(body);
        api_db(&j->a, run_priority);
        return;
    }
    if (body)
        api_problem(r, BBT_INVALID,
            "what can be changed is {\"priority\": N}, a whole number from -100 to 100, or "
            "members of \"limits\" and \"stop\"");
    json_decref(body);
    if (j)
        api_free(&j->a);
}
