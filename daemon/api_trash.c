/* api_trash.c -- jobs into the trash, out of it, or away for good. */
#include "api.h"

#include "base/killpoint.h"
#include "store/st_event.h"
#include "store/st_job.h"
#include "store/st_trash.h"
#include "upkeep.h"

#include <stdio.h>

struct trash_api {
    struct api a;
    struct rec_job job;
    bool changed, left;
};

static enum bbt_rc tell(struct trash_api *t, struct store *s, int64_t wall_us,
    const char *kind, const char *text, struct bbt_err *err)
{
    struct rec_event e = {.job = t->a.id, .wall_us = wall_us};
    enum bbt_rc rc;

    (void)snprintf(e.kind, sizeof e.kind, "%s", kind);
    (void)snprintf(e.text, sizeof e.text, "%s", text);
    rc = store_event_add(s, &e, NULL, err);
    return rc == BBT_OK ? store_job_get(s, t->a.id, &t->job, NULL, err) : rc;
}

static void run_put(struct port_call *c, struct port_db *db)
{
    struct trash_api *t = bbt_container(c, struct trash_api, a.call);
    struct store *s = (struct store *)db;
    int64_t now = port_wall_us();

    c->rc = store_job_get(s, t->a.id, &t->job, NULL, &c->err);
    if (c->rc != BBT_OK || t->job.state == REC_DELETED)
        return;
    BBT_KILLPOINT("trash");
    c->rc = store_trash_put(s, t->a.id, now, &c->err);
    BBT_KILLPOINT("trash-done");
    t->changed = c->rc == BBT_OK;
    if (t->changed)
        c->rc = tell(t, s, now, "deleted", "into the trash", &c->err);
}

static void run_take(struct port_call *c, struct port_db *db)
{
    struct trash_api *t = bbt_container(c, struct trash_api, a.call);
    struct store *s = (struct store *)db;
    int64_t now = port_wall_us();

    BBT_KILLPOINT("untrash");
    c->rc = store_trash_take(s, t->a.id, now, &c->err);
    BBT_KILLPOINT("untrash-done");
    t->changed = c->rc == BBT_OK;
    if (t->changed)
        c->rc = tell(t, s, now, "undeleted", "out of the trash", &c->err);
}

static void then(struct api *a)
{
    struct trash_api *t = bbt_container(a, struct trash_api, a);

    BBT_KILLPOINT("trash-kept");
    if (t->changed) {
        engine_poke(a->d->engine); /* it may be a queued one that is back */
        port_changed(a->id);
    }
    a->json = api_view_job(a->d, &t->job);
    json_put(&a->json, "changed", json_boolean(t->changed));
}

static void run_purge(struct port_call *c, struct port_db *db)
{
    struct trash_api *t = bbt_container(c, struct trash_api, a.call);
    struct store *s = (struct store *)db;

    c->rc = store_job_get(s, t->a.id, &t->job, NULL, &c->err);
    BBT_KILLPOINT("purge");
    if (c->rc == BBT_OK)
        c->rc = store_trash_purge(s, t->a.id, &c->err);
    if (c->rc == BBT_OK) {
        struct rec_job job;

        c->rc = store_job_get(s, t->a.id, &job, NULL, &c->err);
        t->left = c->rc == BBT_OK;
        c->rc = c->rc == BBT_NOTFOUND ? BBT_OK : c->rc;
    }
    BBT_KILLPOINT("purge-done");
}

static void purge_then(struct api *a)
{
    struct trash_api *t = bbt_container(a, struct trash_api, a);

    BBT_KILLPOINT("purge-kept");
    if (t->left)
        upkeep_poke(a->d->upkeep);
    port_changed(a->id);
    a->json = api_view_job(a->d, &t->job);
    json_put(&a->json, "changed", json_true());
    json_put(&a->json, "purged", json_true());
}

static struct trash_api *open_story(struct web_req *r, void *arg)
{
    int64_t id = api_id(r);
    struct trash_api *t = id ? (struct trash_api *)(void *)api_new(r, arg, sizeof *t) : NULL;

    if (!t)
        return NULL;
    t->a.id = id;
    t->a.then = then;
    return t;
}

void api_job_delete(struct web_req *r, void *arg)
{
    struct trash_api *t = open_story(r, arg);
    struct engine_live live;

    if (!t)
        return;
    if (!web_query(r, "purge")) {
        api_db(&t->a, run_put);
    } else if (engine_live(t->a.d->engine, t->a.id, &live)) {
        /* answers that are paid for would find no job */
        api_problem(r, BBT_CONFLICT,
            "the job is running or still waits for answers on their way: pause or cancel it, "
            "then try again");
        api_free(&t->a);
    } else {
        t->a.then = purge_then;
        api_db(&t->a, run_purge);
    }
}

void api_job_undelete(struct web_req *r, void *arg)
{
    struct trash_api *t = open_story(r, arg);

    if (t)
        api_db(&t->a, run_take);
}
