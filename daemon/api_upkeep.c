/* api_upkeep.c -- looking after the database while it works: backup, check, vacuum. */
#include "api.h"

#include "base/alloc.h"
#include "loop/loop.h"
#include "store/st_backup.h"
#include "store/st_upkeep.h"
#include "upkeep.h"

#include <string.h>

#define FINDINGS_MAX 200
#define PAGES_PER_STEP 256u /* a megabyte; others of the store's queue get in between */

/* ---- backup: a worker copies, the store's thread goes on ---- */

struct backup_api {
    struct api a;
    char *file;
};

static void backup_free(struct api *a)
{
    bbt_free(((struct backup_api *)(void *)a)->file);
}

static void run_backup(struct port_call *c, struct port_db *db)
{
    struct backup_api *b = bbt_container(c, struct backup_api, a.call);
    uint64_t bytes = 0;

    (void)db;
    c->rc = store_backup(b->a.d->state_dir, b->file, &bytes, &c->err);
    if (c->rc == BBT_OK)
        b->a.json = json_pack("{s:s, s:s, s:s, s:I}", "apiVersion", "v1", "kind", "Backup",
            "file", b->file, "bytes", (json_int_t)bytes);
}

void api_server_backup(struct web_req *r, void *arg)
{
    json_t *body = api_body(r);
    struct backup_api *b;
    const char *file;

    if (!body)
        return;
    file = json_get_str(body, "file", "");
    if (file[0] != '/') {
        api_problem(r, BBT_INVALID, "`file` must be an absolute path on the daemon's machine");
        json_decref(body);
        return;
    }
    b = (struct backup_api *)(void *)api_new(r, arg, sizeof *b);
    if (b) {
        b->a.free = backup_free;
        b->file = bbt_strdup(file);
        if (b->file) {
            api_work(&b->a, run_backup);
        } else {
            api_problem(r, BBT_NOMEM, "no memory for a request");
            api_free(&b->a);
        }
    }
    json_decref(body);
}

/* ---- check ---- */

static void note(void *arg, const char *finding)
{
    json_t **list = arg;

    if (json_array_size(*list) < FINDINGS_MAX)
        json_add(list, json_clean(finding));
}

static void run_check(struct port_call *c, struct port_db *db)
{
    struct api *a = bbt_container(c, struct api, call);
    json_t *list = json_array();

    (void)db;
    c->rc = store_audit(a->d->state_dir, note, &list, &c->err);
    if (c->rc == BBT_OK)
        a->json = json_pack("{s:s, s:s, s:b, s:O}", "apiVersion", "v1", "kind", "Check", "ok",
            json_array_size(list) == 0, "findings", list);
    json_decref(list);
}

void api_server_check(struct web_req *r, void *arg)
{
    struct api *a = api_new(r, arg, sizeof *a);

    if (a)
        api_work(a, run_check);
}

/* ---- vacuum: let go, then give back, in small steps ---- */

struct vacuum_api {
    struct api a;
    struct store_retain keep;
    uint64_t freed, step_freed, dropped;
    bool giving, more;
};

static void run_vacuum(struct port_call *c, struct port_db *db)
{
    struct vacuum_api *v = bbt_container(c, struct vacuum_api, a.call);
    struct store *s = (struct store *)db;

    v->more = false;
    v->step_freed = 0;
    c->rc = v->giving
                ? store_vacuum(s, PAGES_PER_STEP, &v->step_freed, &v->more, &c->err)
                : store_retain(s, &v->keep, &v->more, &c->err);
}

static void vacuum_ask(struct vacuum_api *v)
{
    v->a.call = (struct port_call){.run = run_vacuum, .wake = &v->a.op};
    port_db_run(&v->a.call);
}

static void vacuum_step(struct op *op)
{
    struct vacuum_api *v = bbt_container(op, struct vacuum_api, a.op);

    if (!v->a.call.done)
        return;
    if (v->a.call.rc != BBT_OK) {
        api_fail(&v->a, v->a.call.rc, &v->a.call.err);
        return;
    }
    v->freed += v->step_freed;
    v->dropped += !v->giving && v->more;
    if ((v->more || !v->giving) && !v->a.d->draining) {
        v->giving = v->giving || !v->more;
        vacuum_ask(v);
        return;
    }
    v->a.json = json_pack("{s:s, s:s, s:I, s:I}", "apiVersion", "v1", "kind", "Vacuum",
        "let_go", (json_int_t)v->dropped, "bytes", (json_int_t)v->freed);
    api_json(&v->a);
}

void api_server_vacuum(struct web_req *r, void *arg)
{
    struct vacuum_api *v = (struct vacuum_api *)(void *)api_new(r, arg, sizeof *v);

    if (!v)
        return;
    v->keep = upkeep_limits(v->a.d->conf);
    op_init(&v->a.op, loop_turnq(v->a.d->loop), vacuum_step);
    vacuum_ask(v);
}
