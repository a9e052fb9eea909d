/* watch.c -- the writes of the whole daemon, told to the checkers: the linker puts these around
 * the store's functions (-Wl,--wrap), whoever calls them. And planted faults of the store. */
#include "base/alloc.h"
#include "checks.h"
#include "engine/engine.h"
#include "sql.h"
#include "store/st_blob.h"
#include "store/st_event.h"
#include "store/st_job.h"
#include "store/st_trash.h"
#include "store/st_upkeep.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

/* The linker compares names only. */
#define WRAP(ret_, name_, args_)                                                            \
    ret_ __real_##name_ args_;                                                              \
    ret_ __wrap_##name_ args_;                                                              \
    _Static_assert(__builtin_types_compatible_p(__typeof__(__wrap_##name_),                 \
                       __typeof__(name_)),                                                  \
        "wrapped with another type");                                                       \
    ret_ __wrap_##name_ args_

static struct world *now(enum world_mutant m, uint64_t one_in)
{
    struct world *w = world_now();

    return w && w->mutant == m && world_draw(w, one_in) == 0 ? w : NULL;
}

static struct checks *watch(void)
{
    return world_now() ? world_now()->checks : NULL;
}

WRAP(enum bbt_rc, store_job_add,
    (struct store * s, const struct rec_job *job, const char *spec_json, const char *key,
        int64_t *ret_id, bool *ret_existed, struct bbt_err *err))
{
    const char *kept = now(MUTANT_FORGET_KEY, 1) ? NULL : key;
    enum bbt_rc rc = __real_store_job_add(s, job, spec_json, kept, ret_id, ret_existed, err);

    if (rc == BBT_CONFLICT && now(MUTANT_MERGE_KEYS, 1)) {
        *ret_id = 1;
        *ret_existed = true;
        return BBT_OK;
    }
    if (rc == BBT_OK && !*ret_existed && watch())
        checks_submit(watch(), *ret_id, job, key);
    return rc;
}

WRAP(enum bbt_rc, store_job_state,
    (struct store * s, const struct store_move *m, struct bbt_err *err))
{
    enum bbt_rc rc = __real_store_job_state(s, m, err);

    if (rc == BBT_OK && watch())
        checks_state(watch(), m->id, m->to, m->reason ? m->reason : "");
    return rc;
}

WRAP(enum bbt_rc, store_job_priority,
    (struct store * s, int64_t id, int64_t priority, int64_t wall_us, struct bbt_err *err))
{
    enum bbt_rc rc = now(MUTANT_LOSE_PRIORITY, 2)
        ? BBT_OK
        : __real_store_job_priority(s, id, priority, wall_us, err);

    if (rc == BBT_OK && watch())
        checks_priority(watch(), id, priority);
    return rc;
}

WRAP(enum bbt_rc, store_trash_put,
    (struct store * s, int64_t id, int64_t wall_us, struct bbt_err *err))
{
    enum bbt_rc rc =
        now(MUTANT_LOSE_TRASH, 2) ? BBT_OK : __real_store_trash_put(s, id, wall_us, err);

    if (rc == BBT_OK && watch())
        checks_trash(watch(), id, true);
    return rc;
}

WRAP(enum bbt_rc, store_trash_purge, (struct store * s, int64_t id, struct bbt_err *err))
{
    enum bbt_rc rc =
        now(MUTANT_LOSE_PURGE, 1) ? BBT_OK : __real_store_trash_purge(s, id, err);

    if (rc == BBT_OK && watch())
        checks_purge(watch(), id);
    return rc;
}

WRAP(enum bbt_rc, store_trash_take,
    (struct store * s, int64_t id, int64_t wall_us, struct bbt_err *err))
{
    enum bbt_rc rc = __real_store_trash_take(s, id, wall_us, err);

    if (rc == BBT_OK && watch())
        checks_trash(watch(), id, false);
    return rc;
}

/* A handler sees the first row that it ever read of a job. */
static void stale(int64_t id, struct rec_job *ret)
{
    static struct rec_job first[8];
    struct rec_job *f = &first[id % 8];

    if (f->id == id)
        *ret = *f;
    else
        *f = *ret;
}

WRAP(enum bbt_rc, store_job_get,
    (struct store * s, int64_t id, struct rec_job *ret, char **ret_spec_json,
        struct bbt_err *err))
{
    enum bbt_rc rc = __real_store_job_get(s, id, ret, ret_spec_json, err);
    struct world *w = now(MUTANT_STALE_VIEW, 1);

    if (rc == BBT_OK && w && w->story)
        stale(id, ret);
    return rc;
}

WRAP(enum bbt_rc, store_event_add,
    (struct store * s, const struct rec_event *e, int64_t *ret_id, struct bbt_err *err))
{
    int64_t id = 0;
    enum bbt_rc rc = __real_store_event_add(s, e, &id, err);

    if (rc == BBT_OK && watch())
        checks_event(watch(), id, e);
    if (rc == BBT_OK && now(MUTANT_LOSE_EVENT, 20))
        (void)sql_number(s, "DELETE FROM event WHERE id = ?", id);
    if (rc == BBT_OK && ret_id)
        *ret_id = id;
    return rc;
}

WRAP(enum bbt_rc, store_event_list,
    (struct store * s, int64_t job, int64_t after, size_t limit, struct rec_event **ret,
        size_t *ret_n, struct bbt_err *err))
{
    enum bbt_rc rc = __real_store_event_list(s, job, after, limit, ret, ret_n, err);

    if (rc == BBT_OK && *ret_n > 1 && now(MUTANT_SKIP_EVENT, 10)) {
        --*ret_n;
        memmove(*ret, *ret + 1, *ret_n * sizeof **ret);
    }
    return rc;
}

WRAP(enum bbt_rc, store_blob_put,
    (struct store * s, const char *sha256, const void *bytes, size_t len, struct bbt_err *err))
{
    if (now(MUTANT_LOSE_BLOB, 3))
        return BBT_OK;
    return __real_store_blob_put(s, sha256, bytes, len, err);
}

WRAP(enum bbt_rc, store_retain,
    (struct store * s, const struct store_retain *r, bool *ret_more, struct bbt_err *err))
{
    if (world_now())
        world_now()->sweeps++;
    return __real_store_retain(s, r, ret_more, err);
}

/* A person ended the long holds: then no Retry-After of that kind stands any more. */
WRAP(void, engine_release, (struct engine * e))
{
    __real_engine_release(e);
    if (watch())
        checks_release(watch());
}
