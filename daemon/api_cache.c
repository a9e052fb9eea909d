/* api_cache.c -- the response cache: how well it serves, and what may go. */
#include "api.h"

#include "loop/loop.h"
#include "store/cache.h"

/* In steps, so that others of the store's queue get in between. */
struct cache_api {
    struct api a;
    struct cache_limits limits;
    bool verify, more;
    uint8_t after[DIGEST_LEN];
    uint64_t step_bad, bad;
};

static bool has_cache(struct web_req *r, const struct daemon *d)
{
    if (!d->cache)
        api_problem(r, BBT_NOTFOUND, "there is no response cache (set cache.dir)");
    return d->cache != NULL;
}

static void run_stats(struct port_call *c, struct port_db *db)
{
    struct api *a = bbt_container(c, struct api, call);
    struct cache_stats st;

    (void)db;
    c->rc = cache_stats(a->d->cache, &st, &c->err);
    if (c->rc != BBT_OK)
        return;
    a->json = json_pack("{s:s, s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:I}", "apiVersion", "v1",
        "kind", "Cache", "entries", (json_int_t)st.entries, "bytes", (json_int_t)st.bytes,
        "oldest", api_time(st.oldest_us), "hits", (json_int_t)st.hits, "misses",
        (json_int_t)st.misses, "puts", (json_int_t)st.puts, "damaged", (json_int_t)st.bad);
}

void api_cache_get(struct web_req *r, void *arg)
{
    struct api *a = has_cache(r, arg) ? api_new(r, arg, sizeof *a) : NULL;

    if (a)
        api_db(a, run_stats);
}

static void run_step(struct port_call *c, struct port_db *db)
{
    struct cache_api *k = bbt_container(c, struct cache_api, a.call);
    struct cache *cache = k->a.d->cache;

    (void)db;
    k->more = false;
    c->rc = k->verify
        ? cache_verify(cache, k->after, &k->step_bad, &k->more, &c->err)
        : cache_trim(cache, &k->limits, port_wall_us(), &k->more, &c->err);
}

static void ask(struct cache_api *k)
{
    k->a.call = (struct port_call){.run = run_step, .wake = &k->a.op};
    port_db_run(&k->a.call);
}

static void cache_step(struct op *op)
{
    struct cache_api *k = bbt_container(op, struct cache_api, a.op);

    if (!k->a.call.done)
        return;
    if (k->a.call.rc != BBT_OK) {
        api_fail(&k->a, k->a.call.rc, &k->a.call.err);
        return;
    }
    k->bad += k->step_bad;
    if (k->more && !k->a.d->draining) {
        ask(k);
        return;
    }
    op_fini(&k->a.op); /* api_db() gives it another step */
    api_db(&k->a, run_stats); /* what there is afterwards */
}

static void begin(struct web_req *r, struct daemon *d, struct cache_limits limits, bool verify)
{
    struct cache_api *k =
        has_cache(r, d) ? (struct cache_api *)(void *)api_new(r, d, sizeof *k) : NULL;

    if (!k)
        return;
    k->limits = limits;
    k->verify = verify;
    op_init(&k->a.op, loop_turnq(d->loop), cache_step);
    ask(k);
}

void api_cache_prune(struct web_req *r, void *arg)
{
    struct daemon *d = arg;

    begin(r, d, (struct cache_limits){d->conf->cache.max_size, (int64_t)d->conf->cache.ttl_us},
        false);
}

void api_cache_clear(struct web_req *r, void *arg)
{
    begin(r, arg, (struct cache_limits){.bytes_max = 1}, false);
}

void api_cache_verify(struct web_req *r, void *arg)
{
    begin(r, arg, (struct cache_limits){0}, true);
}
