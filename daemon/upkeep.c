#include "upkeep.h"

#include "base/alloc.h"
#include "base/log.h"
#include "engine/ports.h"
#include "loop/loop.h"
#include "store/cache.h"

#define EVERY_US UINT64_C(3600000000)
#define FIRST_US UINT64_C(60000000) /* a restart has better things to do first */

struct upkeep {
    struct daemon *d;
    struct loop_timer timer;
    struct op op;
    struct port_call call;
    struct store_retain keep;
    uint64_t steps;
    struct cache_limits cache;
    bool asking, more, cache_more;
};

static int64_t before(uint64_t keep_us)
{
    return keep_us ? port_wall_us() - (int64_t)keep_us : 0;
}

struct store_retain upkeep_limits(const struct conf *conf)
{
    return (struct store_retain){
        .ledger_before_us = before(conf->retention.ledger_us),
        .jobs_before_us = before(conf->retention.jobs_us),
        .checkpoints_before_us = before(conf->retention.checkpoints_us),
        .trash_before_us = before(conf->retention.trash_us),
        .events_before_us = before(conf->retention.events_us),
    };
}

static void run_step(struct port_call *c, struct port_db *db)
{
    struct upkeep *u = bbt_container(c, struct upkeep, call);

    /* the times were read in the loop's thread: a reload changes the configuration there */
    c->rc = store_retain((struct store *)db, &u->keep, &u->more, &c->err);
    if (c->rc == BBT_OK && !u->more && u->d->cache &&
        cache_trim(u->d->cache, &u->cache, port_wall_us(), &u->cache_more, NULL) != BBT_OK)
        u->cache_more = false; /* a cache that is too large is no trouble yet */
}

static void ask(struct upkeep *u)
{
    u->asking = true;
    u->more = false;
    u->cache_more = false;
    u->keep = upkeep_limits(u->d->conf);
    u->cache = (struct cache_limits){
        u->d->conf->cache.max_size, (int64_t)u->d->conf->cache.ttl_us};
    u->call = (struct port_call){.run = run_step, .wake = &u->op};
    port_db_run(&u->call);
}

static void step(struct op *op)
{
    struct upkeep *u = bbt_container(op, struct upkeep, op);

    if (u->asking) {
        if (!u->call.done)
            return;
        u->asking = false;
        u->steps += u->more;
        if (u->call.rc != BBT_OK)
            log_warn("upkeep", "later: %s", u->call.err.msg);
        else if ((u->more || u->cache_more) && !u->d->draining)
            ask(u);
        if (u->asking)
            return;
        if (u->steps)
            log_info("upkeep", "let go of old jobs, ledgers, checkpoints, events: %llu steps",
                (unsigned long long)u->steps);
        u->steps = 0;
        timer_start(&u->timer, EVERY_US);
        return;
    }
    if (u->timer.fired && !u->d->draining)
        ask(u);
}

enum bbt_rc upkeep_new(struct daemon *d, struct upkeep **ret, struct bbt_err *err)
{
    struct upkeep *u = bbt_calloc(1, sizeof *u);

    if (!u)
        return bbt_fail(err, BBT_NOMEM, "no memory to start");
    u->d = d;
    op_init(&u->op, loop_turnq(d->loop), step);
    timer_init(&u->timer, d->loop, &u->op);
    timer_start(&u->timer, FIRST_US);
    *ret = u;
    return BBT_OK;
}

void upkeep_poke(struct upkeep *u)
{
    if (u && !u->asking)
        timer_start(&u->timer, 0);
}

void upkeep_free(struct upkeep *u)
{
    if (!u)
        return;
    timer_stop(&u->timer);
    op_fini(&u->op);
    bbt_free(u);
}
