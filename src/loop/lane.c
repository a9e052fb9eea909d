#include "loop/lane.h"

#include "loop/crew.h"

/* A lane is a crew of one; see work.c. */
static struct crew *crew_of(struct lane *n)
{
    return (struct crew *)(void *)n;
}

enum bbt_rc lane_new(struct loop *l, const struct lane_opts *opts, struct lane **ret,
    struct bbt_err *err)
{
    struct crew *c;
    enum bbt_rc rc = crew_new(l, opts, 1, &c, err);

    if (rc == BBT_OK)
        *ret = (struct lane *)(void *)c;
    return rc;
}

void lane_free(struct lane *n)
{
    crew_free(crew_of(n));
}

void lane_submit(struct lane *n, struct work *w)
{
    crew_submit(crew_of(n), w);
}

uint64_t lane_wait_quantile_us(const struct lane *n, double q)
{
    return hist_quantile(crew_waits((const struct crew *)(const void *)n), q);
}

uint64_t lane_wait_max_us(const struct lane *n)
{
    return crew_waits((const struct crew *)(const void *)n)->max;
}

size_t lane_pending(const struct lane *n)
{
    return crew_pending((const struct crew *)(const void *)n);
}
