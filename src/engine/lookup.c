#include "engine/lookup.h"

#include <string.h>

/* Every field with its length in front, so that no two requests have the same bytes here. */
static void add(struct digest_run *d, const void *bytes, size_t len)
{
    uint64_t n = len;

    digest_add(d, &n, sizeof n);
    digest_add(d, bytes, len);
}

static void run_hash(struct port_call *c, struct port_db *db)
{
    struct lookup *l = bbt_container(c, struct lookup, call);
    const struct prov_http *r = l->req;
    uint64_t body = r->body_len;
    struct digest_run d;

    (void)db;
    digest_begin(&d);
    add(&d, l->dialect, strlen(l->dialect));
    add(&d, &l->fingerprint, sizeof l->fingerprint);
    add(&d, r->method, strlen(r->method));
    add(&d, r->path, strlen(r->path));
    for (size_t i = 0; i < r->headers; i++) {
        add(&d, r->header[i].name, strlen(r->header[i].name));
        add(&d, r->header[i].value, strlen(r->header[i].value));
    }
    digest_add(&d, &body, sizeof body);
    for (size_t i = 0; i < r->slices; i++)
        digest_add(&d, r->slice[i].p, r->slice[i].n);
    c->rc = digest_end(&d, l->key);
}

static void run_get(struct port_call *c, struct port_db *db)
{
    struct lookup *l = bbt_container(c, struct lookup, call);

    c->rc = BBT_OK; /* its troubles are not this commit's */
    l->hit = port_cache_get(db, l->key, l->row);
}

static void lookup_step(struct op *op)
{
    struct lookup *l = bbt_container(op, struct lookup, op);

    if (l->done || !l->call.done)
        return;
    if (!l->hashed) {
        l->hashed = true;
        l->keyed = l->call.rc == BBT_OK;
        if (l->keyed && l->get) {
            l->call = (struct port_call){.run = run_get, .wake = &l->op};
            port_db_run(&l->call);
            return;
        }
    }
    l->done = true;
    op_wake(l->wake);
}

void lookup_start(struct lookup *l, struct turnq *q)
{
    op_init(&l->op, q, lookup_step);
    l->call = (struct port_call){.run = run_hash, .wake = &l->op};
    port_work_run(&l->call);
}

void lookup_fini(struct lookup *l)
{
    if (l->op.q)
        op_fini(&l->op);
}
