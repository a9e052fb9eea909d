/* checks_api.c -- what the control API says, held against what is durable. */
#include "base/alloc.h"
#include "base/json.h"
#include "checks_model.h"
#include "fakeweb.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 1000 /* events, unless more are asked for */

#define LOOK_US 60000000u /* so late the engine may see that an ill disk is well again */

/* ---- requests under way ---- */

void checks_now(struct checks *c, const struct job *j)
{
    size_t i = (size_t)(j - c->job);

    for (struct view *v = c->views; v; v = v->next) {
        v->was[i].states |= 1u << checks_state_of(j);
        v->was[i].reordered =
            v->was[i].reordered || (i < v->jobs && v->was[i].priority != j->priority);
    }
}

void checks_asked(struct checks *c, const struct ask *a)
{
    struct view *v = bbt_calloc(1, sizeof *v);

    assert(v);
    v->a = a;
    v->calm = c->calm;
    v->jobs = c->jobs;
    v->last_event = c->events ? c->event[c->events - 1].id : 0;
    for (size_t i = 0; i < c->jobs; i++) {
        v->was[i].states = c->job[i].gone ? 0 : 1u << checks_state_of(&c->job[i]);
        v->was[i].gens = c->job[i].gens;
        v->was[i].answered = c->job[i].answered;
        v->was[i].priority = c->job[i].priority;
    }
    v->next = c->views;
    c->views = v;
}

static struct view *take(struct checks *c, const struct ask *a)
{
    for (struct view **at = &c->views; *at; at = &(*at)->next)
        if ((*at)->a == a) {
            struct view *v = *at;

            *at = v->next;
            return v;
        }
    return NULL;
}

void checks_unasked(struct checks *c, const struct ask *a)
{
    bbt_free(take(c, a));
}

void checks_forget(struct checks *c)
{
    while (c->views) {
        struct view *v = c->views;

        c->views = v->next;
        bbt_free(v);
    }
}

void checks_calm(struct checks *c)
{
    c->calm = true;
    c->calm_us = c->w->now_us;
}

/* ---- what is shown ---- */

static const struct job *find(struct checks *c, int64_t id)
{
    const struct job *j = checks_job_find(c, id);

    if (!j)
        world_fail(c->w, "visible: job %lld is shown and is not in the store", (long long)id);
    return j;
}

static void check_number(
    struct checks *c, const json_t *usage, const char *name, uint64_t least, uint64_t most)
{
    long long n = json_get_int(usage, name, -1);

    if (n < 0 || (uint64_t)n < least || (uint64_t)n > most)
        world_fail(c->w, "visible: %lld %s are shown, there are %llu to %llu", n, name,
            (unsigned long long)least, (unsigned long long)most);
}

/* A state that the job had while the request was under way. What an ill disk holds up is
 * shown as paused though no row can say so. */
static void check_job(struct checks *c, const struct view *v, const json_t *shown)
{
    const char *reason = json_get_str(shown, "reason", "");
    enum rec_state st = rec_state_parse(json_get_str(shown, "state", ""));
    const struct job *j = find(c, json_get_int(shown, "id", 0));
    const json_t *usage = json_object_get(shown, "usage");
    unsigned states;
    size_t i;

    if (!j)
        return;
    i = (size_t)(j - c->job);
    states = v->was[i].states;
    if (states & 1u << REC_RUNNING &&
        (strcmp(reason, "disk_full") == 0 || strcmp(reason, "io") == 0))
        states |= 1u << REC_PAUSED;
    if (st == REC_STATE_NR || !(states & 1u << st))
        world_fail(c->w, "visible: job %lld is shown as %s, it is %s", (long long)j->id,
            json_get_str(shown, "state", "nothing"), rec_state_name(checks_state_of(j)));
    if (strcmp(json_get_str(shown, "name", ""), j->name) != 0)
        world_fail(c->w, "visible: job %lld is shown with another name", (long long)j->id);
    if (i < v->jobs && !v->was[i].reordered &&
        json_get_int(shown, "priority", 0) != j->priority)
        world_fail(c->w, "visible: job %lld is shown with priority %lld, it is %lld",
            (long long)j->id, json_get_int(shown, "priority", 0), (long long)j->priority);
    check_number(c, usage, "generations", v->was[i].gens, j->gens);
    check_number(c, usage, "requests", v->was[i].answered, j->answered);
}

/* Was, at least for a moment: then a list may leave it out. */
static bool in_trash(const struct view *v, size_t i)
{
    return !v->was[i].states || v->was[i].states & 1u << REC_DELETED;
}

/* Every job that was there, and each as it is. */
static void check_jobs(struct checks *c, const struct view *v, const json_t *items)
{
    size_t k, known = 0, want = 0;
    json_t *item;

    for (size_t i = 0; i < v->jobs; i++)
        want += !in_trash(v, i);

    json_array_foreach(items, k, item) {
        const struct job *j = checks_job_find(c, json_get_int(item, "id", 0));

        known += j && (size_t)(j - c->job) < v->jobs && !in_trash(v, (size_t)(j - c->job));
        check_job(c, v, item);
    }
    if (!strchr(v->a->target, '?') && known != want)
        world_fail(c->w, "visible: a list has %zu of %zu jobs", known, want);
}

static void check_submitted(struct checks *c, const struct view *v, const json_t *doc)
{
    const struct job *j = find(c, json_get_int(doc, "id", 0));

    if (j && v->a->key && !j->gone && strcmp(j->key, v->a->key) != 0)
        world_fail(c->w, "key: job %lld is another submit's", (long long)j->id);
}

static void check_gens(struct checks *c, const struct view *v, const json_t *items)
{
    const struct job *j = find(c, v->a->job);
    size_t n = json_array_size(items), k;
    json_t *item;

    if (!j)
        return;
    if (n < v->was[j - c->job].gens || n > j->gens)
        world_fail(c->w, "visible: job %lld shows %zu generations, %llu are closed",
            (long long)j->id, n, (unsigned long long)j->gens);
    json_array_foreach(items, k, item) if (json_get_int(item, "generation", -1) != (long long)k)
        world_fail(c->w, "visible: generation %zu is missing from a list", k);
}

/* ---- events ---- */

static const struct seen *event_after(const struct checks *c, int64_t job, int64_t after)
{
    for (size_t i = c->events; i-- > 0;)
        if (c->event[i].id <= after || i == 0) {
            for (i += c->event[i].id <= after; i < c->events; i++)
                if (!job || c->event[i].job == job)
                    return &c->event[i];
            return NULL;
        }
    return NULL;
}

int64_t checks_event_after(const struct checks *c, int64_t job, int64_t after)
{
    const struct seen *e = event_after(c, job, after);

    return e ? e->id : 0;
}

/* It is durable, and what it says it is. */
static void check_event(struct checks *c, const json_t *shown)
{
    int64_t id = json_get_int(shown, "id", 0);
    const struct seen *e = event_after(c, 0, id - 1);

    if (checks_gone(c, json_get_int(shown, "job", 0)))
        return; /* it was there when it was read */
    if (!e || e->id != id)
        world_fail(c->w, "visible: event %lld is shown and is not in the store", (long long)id);
    else if (e->job != json_get_int(shown, "job", -1) ||
        strcmp(e->kind, json_get_str(shown, "kind", "")) != 0)
        world_fail(c->w, "visible: event %lld is shown otherwise than kept", (long long)id);
}

static void check_events(struct checks *c, const struct view *v, const json_t *items)
{
    int64_t after = v->a->after, next;
    size_t k;
    json_t *item;

    json_array_foreach(items, k, item) {
        int64_t id = json_get_int(item, "id", 0);

        if (checks_gone(c, json_get_int(item, "job", 0)))
            continue;
        next = checks_event_after(c, v->a->job, after);
        check_event(c, item);
        if (id != next)
            world_fail(c->w, "events: a page has %lld after %lld, not %lld", (long long)id,
                (long long)after, (long long)next);
        after = id;
    }
    next = checks_event_after(c, v->a->job, after);
    if (next && next <= v->last_event && json_array_size(items) < PAGE_MAX)
        world_fail(c->w, "events: a page ends at %lld, and %lld was there", (long long)after,
            (long long)next);
}

void checks_frame(struct checks *c, const void *bytes, size_t len)
{
    static const char mark[] = "\ndata: ";
    const char *at = memmem(bytes, len, mark, sizeof mark - 1);
    struct bbt_err err = {0};
    json_t *v = NULL;

    if (at)
        at += sizeof mark - 1;
    if (!at ||
        json_parse(at, len - (size_t)(at - (const char *)bytes), "frame", &v, &err) != BBT_OK)
        world_fail(c->w, "reply: a frame of the stream is none: %s", err.msg);
    else
        check_event(c, v);
    json_decref(v);
}

/* ---- answers ---- */

static void check_answer(struct checks *c, const struct view *v, const json_t *doc)
{
    const char *kind = json_get_str(doc, "kind", "");
    const json_t *items = json_object_get(doc, "items");

    if (strcmp(kind, "Job") == 0 && json_object_get(doc, "state"))
        check_job(c, v, doc);
    else if (strcmp(kind, "Job") == 0)
        check_submitted(c, v, doc);
    else if (strcmp(kind, "JobList") == 0)
        check_jobs(c, v, items);
    else if (strcmp(kind, "GenerationList") == 0)
        check_gens(c, v, items);
    else if (strcmp(kind, "EventList") == 0)
        check_events(c, v, items);
    else if (strcmp(kind, "Check") == 0 && !json_get_bool(doc, "ok", 0))
        world_fail(c->w, "audit: %s",
            json_string_value(json_array_get(json_object_get(doc, "findings"), 0)));
}

/* States in which an action is refused. */
static unsigned refuses(const char *method, const char *target)
{
    const unsigned over =
        1u << REC_COMPLETED | 1u << REC_FAILED | 1u << REC_CANCELLED | 1u << REC_DELETED;

    if (strstr(target, ":pause") || strcmp(method, "PATCH") == 0)
        return over;
    if (strstr(target, ":resume"))
        return over | 1u << REC_RUNNING;
    if (strstr(target, ":cancel"))
        return over & ~(1u << REC_CANCELLED);
    if (strstr(target, ":undelete"))
        return ~(1u << REC_DELETED);
    if (strcmp(method, "DELETE") == 0)
        return 1u << REC_RUNNING;
    if (strstr(target, "/result") || strstr(target, "/prompt") || strstr(target, ":predict"))
        return ~(1u << REC_COMPLETED);
    return 0;
}

static void check_refusal(
    struct checks *c, const struct view *v, unsigned status, const json_t *doc)
{
    const struct job *j = v->a->job ? checks_job_find(c, v->a->job) : NULL;
    size_t i = j ? (size_t)(j - c->job) : 0;
    bool known = j && i < v->jobs;
    unsigned states = known ? v->was[i].states : 0;
    const char *detail = json_get_str(doc, "detail", "");
    bool looks = strcmp(v->a->target, "/readyz") == 0 && c->w->now_us < c->calm_us + LOOK_US;

    if (status >= 500 && v->calm && !looks)
        world_fail(c->w, "reply: %s %s is answered %u in good weather: %s", v->a->method,
            v->a->target, status, detail);
    else if (status == 404 && known && !j->gone)
        world_fail(c->w, "visible: job %lld is told not to be there", (long long)j->id);
    else if (status == 409 && strstr(v->a->target, "?purge"))
        return; /* or it still waits for answers */
    else if (status == 409 && !v->a->key && !(states & refuses(v->a->method, v->a->target)))
        world_fail(c->w, "reply: %s %s is refused: %s", v->a->method, v->a->target, detail);
    else if (status == 400 || status == 405 || status == 413 ||
        (status == 422 && !strstr(detail, "was not sent") &&
            !strstr(v->a->target, ":predict"))) /* there the provider may refuse */
        world_fail(c->w, "reply: %s %s is answered %u: %s", v->a->method, v->a->target,
            status, detail);
}

void checks_told(struct checks *c, const struct ask *a, unsigned status, const void *body,
    size_t len)
{
    struct view *v = take(c, a);
    struct bbt_err err = {0};
    json_t *doc = NULL;
    const char *text = body;

    assert(v);
    if (status < 300 && (len == 0 || text[0] != '{')) {
        bbt_free(v); /* a file */
        return;
    }
    if (json_parse(body, len, "answer", &doc, &err) != BBT_OK)
        world_fail(c->w, "reply: no JSON: %s", err.msg);
    else if (status < 300)
        check_answer(c, v, doc);
    else
        check_refusal(c, v, status, doc);
    json_decref(doc);
    bbt_free(v);
}
