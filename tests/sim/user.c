#include "user.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/json.h"
#include "checks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void user_init(struct user *u, struct world *w)
{
    *u = (struct user){.w = w};
    for (size_t i = 0; i < USER_ASKS; i++)
        u->ask[i].u = u;
    for (size_t i = 0; i < USER_LISTENERS; i++)
        u->listener[i].u = u;
}

void user_fini(struct user *u)
{
    for (size_t i = 0; i < USER_ASKS; i++) {
        u->ask[i].a.on = false;
        ask_fini(&u->ask[i].a);
    }
    for (size_t i = 0; i < USER_LISTENERS; i++) {
        u->listener[i].a.on = false;
        ask_fini(&u->listener[i].a);
    }
}

/* ---- what was learned ---- */

/* What was purged is to be submitted again. */
static void drop_gone(struct user *u, struct user_job *j)
{
    size_t kept = 0;

    for (size_t i = 0; i < j->ids; i++)
        if (!checks_gone(u->w->checks, j->id[i]))
            j->id[kept++] = j->id[i];
    j->ids = kept;
}

static void adopt(struct user *u, struct user_job *j, int64_t id)
{
    drop_gone(u, j);
    if (checks_gone(u->w->checks, id))
        return;
    for (size_t i = 0; i < j->ids; i++)
        if (j->id[i] == id)
            return;
    if (j->ids && j->key[0])
        world_fail(u->w, "key: \"%s\" is job %lld, and now %lld", j->key,
            (long long)j->id[0], (long long)id);
    if (j->ids < USER_IDS)
        j->id[j->ids++] = id;
}

static void read_list(struct user *u, const json_t *items)
{
    size_t k;
    json_t *item;

    json_array_foreach(items, k, item) for (size_t i = 0; i < u->jobs; i++) if (
        strcmp(json_get_str(item, "name", ""), u->job[i].name) == 0)
    {
        u->job[i].unsure = false;
        adopt(u, &u->job[i], json_get_int(item, "id", 0));
    }
}

static json_t *parse(const struct ask *a)
{
    struct bbt_err err = {0};
    json_t *v = NULL;

    if (a->answer.len == 0 || a->answer.data[0] != '{' ||
        json_parse((const char *)a->answer.data, a->answer.len, "answer", &v, &err) != BBT_OK)
        return NULL;
    return v;
}

/* ---- submitting ---- */

static void send_next(struct user_ask *q, enum user_what what);

/* A file that was acknowledged is there until two sweeps met it without a job. */
static void missing(struct user_ask *q)
{
    if (q->u->w->sweeps < q->sweeps + 2)
        world_fail(q->u->w, "acknowledged: a data file of %s is gone", q->j->name);
}

static void submitted(struct user_ask *q)
{
    struct user_job *j = q->j;
    json_t *v;

    j->busy = false;
    j->unsure = j->unsure || q->a.lost || q->a.status >= 500;
    if (q->a.lost)
        return;
    if (q->a.status == 422)
        missing(q);
    if (q->a.status == 409)
        world_fail(q->u->w, "key: \"%s\" is refused for its own job", j->key);
    v = q->a.status < 300 ? parse(&q->a) : NULL;
    if (v)
        adopt(q->u, j, json_get_int(v, "id", 0));
    json_decref(v);
}

static void told(struct ask *a)
{
    struct user_ask *q = bbt_container(a, struct user_ask, a);
    bool good = !a->lost && a->status < 300;
    json_t *v;

    switch (q->what) {
    case USER_PUT_TRAIN:
        if (good)
            send_next(q, q->j->spec.no_test ? USER_POST : USER_PUT_TEST);
        else
            q->j->busy = false;
        return;
    case USER_PUT_TEST:
        if (good)
            send_next(q, USER_POST);
        else
            q->j->busy = false;
        return;
    case USER_POST:
        submitted(q);
        return;
    case USER_OTHER:
        if (good)
            world_fail(q->u->w, "key: another job was taken under \"%s\"", q->j->key);
        return;
    case USER_LOOK:
        v = good ? parse(a) : NULL;
        q->u->purges += v && json_get_bool(v, "purged", 0); /* one: they cost a job each */
        if (v && strcmp(json_get_str(v, "kind", ""), "JobList") == 0) {
            if (q->j)
                q->j->unsure = false; /* it is there, or it is not */
            read_list(q->u, json_object_get(v, "items"));
        }
        json_decref(v);
        return;
    }
}

static void begin(struct user_ask *q, const char *method)
{
    ask_fini(&q->a);
    q->a.method = method;
    q->a.tell = told;
}

static void send_next(struct user_ask *q, enum user_what what)
{
    char hex[DIGEST_HEX];

    if (what == USER_PUT_TRAIN)
        q->sweeps = q->u->w->sweeps;
    q->what = what;
    begin(q, what >= USER_POST ? "POST" : "PUT");
    if (what >= USER_POST) {
        struct scene_job spec = q->j->spec;

        spec.seed += what == USER_OTHER;
        q->a.body = scene_text(&spec);
        (void)snprintf(q->a.target, sizeof q->a.target, "/v1/jobs");
        if (q->j->key[0]) {
            ask_header(&q->a, "Idempotency-Key", q->j->key);
            q->a.key = q->j->key;
        }
    } else {
        q->a.body = scene_file(
            &q->j->spec, what == USER_PUT_TRAIN ? SCENE_TRAIN : SCENE_TEST, hex);
        (void)snprintf(q->a.target, sizeof q->a.target, "/v1/blobs/%s", hex);
    }
    ask_send(q->u->w, &q->a);
}

/* ---- looking and moving ---- */

static void look(struct user_ask *q, const char *method, const char *target, char *body)
{
    q->what = USER_LOOK;
    begin(q, method);
    (void)snprintf(q->a.target, sizeof q->a.target, "%s", target);
    q->a.body = body;
}

static void of_job(
    struct user_ask *q, const char *method, int64_t id, const char *what, char *body)
{
    char target[100];

    (void)snprintf(target, sizeof target, "/v1/jobs/%lld%s", (long long)id, what);
    look(q, method, target, body);
    q->a.job = id;
    ask_send(q->u->w, &q->a);
}

static void submit(struct user_ask *q, struct user_job *j)
{
    char target[100];

    if (!j->key[0] && j->busy)
        return;
    q->j = j;
    if (!j->key[0] && j->unsure) {
        (void)snprintf(target, sizeof target, "/v1/jobs?name=%s", j->name);
        look(q, "GET", target, NULL);
        ask_send(q->u->w, &q->a);
        return;
    }
    j->busy = true;
    send_next(q, USER_PUT_TRAIN);
}

/* A job is there under this key; another one may not be. */
static void use_key_again(struct user_ask *q, struct user_job *j)
{
    q->j = j;
    send_next(q, USER_OTHER);
}

static void look_at_job(struct user_ask *q, int64_t id)
{
    static const char *const part[] = {
        "", "", "", "/generations", "/events", "/spec", "/result", "/prompt"};
    struct world *w = q->u->w;
    uint64_t n = world_draw(w, 9);

    if (n == 8)
        of_job(q, "POST", id, ":predict",
            bbt_strdup("{\"texts\": [\"the warm film was bright and joy\"]}"));
    else
        of_job(q, "GET", id, part[n], NULL);
}

static void look_around(struct user_ask *q)
{
    static const char *const at[] = {"/v1/jobs", "/v1/jobs", "/v1/jobs", "/readyz", "/healthz",
        "/v1/server", "/v1/providers", "/v1/providers/fake"};
    struct world *w = q->u->w;
    uint64_t n = world_draw(w, 12);
    struct user_job *j = &q->u->job[world_draw(w, q->u->jobs)];
    char target[100];

    if (n < 8) {
        look(q, "GET", at[n], NULL);
    } else if (n < 10) {
        int64_t after = (int64_t)world_draw(w, 60);

        (void)snprintf(target, sizeof target, "/v1/events?after=%lld", (long long)after);
        look(q, "GET", target, NULL);
        q->a.after = after;
    } else if (n == 10) {
        look(q, "POST", world_draw(w, 8) ? "/v1/server:vacuum" : "/v1/server:check", NULL);
    } else if (world_draw(w, 4) == 0) {
        look(q, "POST", "/v1/providers/fake:test", NULL);
    } else {
        look(q, "POST", "/v1/jobs:validate", scene_text(&j->spec));
    }
    ask_send(w, &q->a);
}

static void move_or_look(struct user_ask *q, struct user_job *j)
{
    struct user *u = q->u;
    uint64_t what = world_draw(u->w, 28);
    int64_t id = j->id[world_draw(u->w, j->ids)];

    if (what < 7 && !u->calm) {
        of_job(q, "POST", id, ":pause", NULL);
    } else if (what < 8 && !u->calm && !u->cancels && world_draw(u->w, 6) == 0) {
        j->cancelled = true;
        u->cancels++; /* one: a patient user would cancel whatever hangs */
        of_job(q, "POST", id, ":cancel", bbt_strdup("{\"reason\": \"enough of it\"}"));
    } else if (what == 8) {
        of_job(q, "PATCH", id, "",
            bbt_asprintf("{\"priority\": %d}", (int)world_draw(u->w, 201) - 100));
    } else if (what == 9 && !u->calm && u->purger && !u->purges && world_draw(u->w, 2)) {
        of_job(q, "DELETE", id, "?purge=1", NULL);
    } else if (what == 9 && !u->calm) {
        of_job(q, "DELETE", id, "", NULL);
    } else if (what < 12) {
        of_job(q, "POST", id, ":undelete", NULL);
    } else if (what < 22) {
        of_job(q, "POST", id, ":resume", NULL);
    } else {
        look_at_job(q, id);
    }
}

/* ---- listening ---- */

static bool is_of_gone(const struct checks *c, const char *at, const char *end)
{
    const char *job = memmem(at, (size_t)(end - at), "\"job\":", 6);

    return job && checks_gone(c, strtoll(job + 6, NULL, 10));
}

/* Frames end with an empty line; the first half of one may be all that came. */
static void heard(struct ask *a)
{
    struct user_listener *l = bbt_container(a, struct user_listener, a);
    char *at = (char *)a->answer.data + l->read, *end;

    while (a->answer.len > l->read && (end = strstr(at, "\n\n")) != NULL) {
        int64_t next = checks_event_after(l->u->w->checks, l->job, l->cursor);
        long long id = 0;

        if (sscanf(at, "id: %lld\n", &id) == 1 && is_of_gone(l->u->w->checks, at, end)) {
            ; /* it was there when it was read */
        } else if (id != next)
            world_fail(l->u->w, "events: a listener gets %lld after %lld, not %lld", id,
                (long long)l->cursor, (long long)next);
        l->cursor = id;
        at = end + 2;
        l->read = (size_t)(at - (char *)a->answer.data);
    }
}

static void ended(struct ask *a)
{
    (void)a; /* it comes back with its cursor */
}

static void listen_on(struct user_listener *l)
{
    char cursor[32];

    ask_fini(&l->a);
    l->read = 0;
    if (l != l->u->listener && l->u->job[0].ids)
        l->job = l->u->job[0].id[0]; /* all but the first hear of one job */
    l->a.method = "GET";
    l->a.tell = ended;
    l->a.stream = heard;
    l->a.job = l->job;
    (void)snprintf(l->a.target, sizeof l->a.target, "/v1/events");
    if (l->job)
        (void)snprintf(
            l->a.target, sizeof l->a.target, "/v1/events?job=%lld", (long long)l->job);
    ask_header(&l->a, "Accept", "text/event-stream");
    (void)snprintf(cursor, sizeof cursor, "%lld", (long long)l->cursor);
    if (l->cursor)
        ask_header(&l->a, "Last-Event-ID", cursor);
    ask_send(l->u->w, &l->a);
}

static void listen_or_leave(struct user *u)
{
    struct user_listener *l = &u->listener[world_draw(u->w, USER_LISTENERS)];

    if (!l->a.on)
        listen_on(l);
    else if (!u->calm && world_draw(u->w, 4) == 0)
        ask_cut(u->w, &l->a);
}

/* ---- acting ---- */

void user_act(struct user *u)
{
    struct user_job *j = &u->job[world_draw(u->w, u->jobs)];
    struct user_ask *q = NULL;
    uint64_t what = world_draw(u->w, 10);

    if (what < 2 || u->content) {
        listen_or_leave(u);
        return;
    }
    for (size_t i = 0; i < USER_ASKS && !q; i++)
        if (!u->ask[i].a.on)
            q = &u->ask[i];
    if (!q)
        return;
    q->j = NULL;
    drop_gone(u, j);
    if (what < 4)
        look_around(q);
    else if (!j->ids || (j->key[0] && world_draw(u->w, 20) == 0))
        submit(q, j); /* once more with the same key: it is the same job */
    else if (j->key[0] && !u->purger && world_draw(u->w, 40) == 0)
        use_key_again(q, j);
    else
        move_or_look(q, j);
}

bool user_quiet(const struct user *u)
{
    for (size_t i = 0; i < USER_ASKS; i++)
        if (u->ask[i].a.on)
            return false;
    return true;
}

bool user_heard(const struct user *u)
{
    for (size_t i = 0; i < USER_LISTENERS; i++) {
        const struct user_listener *l = &u->listener[i];

        if (!l->a.on || checks_event_after(u->w->checks, l->job, l->cursor))
            return false;
    }
    return true;
}
