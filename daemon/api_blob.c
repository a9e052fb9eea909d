/* api_blob.c -- data files by content hash. */
#include "api.h"

#include "store/st_blob.h"

#include <string.h>

struct blob_api {
    struct api a;
    char sha256[65];
    const void *bytes; /* lent by the request until it is answered */
    size_t len;
    bool has;
};

static void run_put(struct port_call *c, struct port_db *db)
{
    struct blob_api *b = bbt_container(c, struct blob_api, a.call);

    c->rc = store_blob_put((struct store *)db, b->sha256, b->bytes, b->len, &c->err);
    b->a.json = json_pack("{s:s, s:I}", "sha256", b->sha256, "bytes", (json_int_t)b->len);
    b->a.status = 201;
}

static void run_has(struct port_call *c, struct port_db *db)
{
    struct blob_api *b = bbt_container(c, struct blob_api, a.call);

    c->rc = store_blob_has((struct store *)db, b->sha256, &b->has, &c->err);
    if (c->rc == BBT_OK && !b->has)
        c->rc = bbt_fail(&c->err, BBT_NOTFOUND, "no data file %s", b->sha256);
    b->a.json = json_pack("{s:s}", "sha256", b->sha256);
}

static struct blob_api *open_blob(struct web_req *r, void *daemon)
{
    const char *name = web_part(r, 0);
    struct blob_api *b;

    if (strlen(name) != 64 || strspn(name, "0123456789abcdef") != 64) {
        api_problem(r, BBT_INVALID, "a data file's name is its SHA-256 in lower-case hex");
        return NULL;
    }
    b = (struct blob_api *)(void *)api_new(r, daemon, sizeof *b);
    if (b)
        memcpy(b->sha256, name, 65);
    return b;
}

void api_blob_put(struct web_req *r, void *arg)
{
    struct blob_api *b = open_blob(r, arg);

    if (!b)
        return;
    b->bytes = web_body(r, &b->len);
    if (!b->bytes)
        b->bytes = "";
    api_db(&b->a, run_put);
}

void api_blob_head(struct web_req *r, void *arg)
{
    struct blob_api *b = open_blob(r, arg);

    if (b)
        api_db(&b->a, run_has);
}
