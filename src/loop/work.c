#include "loop/work.h"

#include "loop/crew.h"

/* A pool is a crew without batches: the struct is never defined, only the name differs.
 */
static struct crew *crew_of(struct work_pool *p)
{
    return (struct crew *)(void *)p;
}

enum bbt_rc work_pool_new(
    struct loop *l, unsigned threads, struct work_pool **ret, struct bbt_err *err)
{
    struct lane_opts opts = {.name = "work", .batch_max = 1};
    struct crew *c;
    enum bbt_rc rc = crew_new(l, &opts, threads, &c, err);

    if (rc == BBT_OK)
        *ret = (struct work_pool *)(void *)c;
    return rc;
}

void work_pool_free(struct work_pool *p)
{
    crew_free(crew_of(p));
}

void work_submit(struct work_pool *p, struct work *w)
{
    crew_submit(crew_of(p), w);
}

size_t work_pending(const struct work_pool *p)
{
    return crew_pending((const struct crew *)(const void *)p);
}
