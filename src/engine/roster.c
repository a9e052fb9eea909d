#include "engine/roster.h"

#include "base/alloc.h"

void roster_fini(struct roster *r)
{
    bbt_free(r->row);
    *r = (struct roster){0};
}

static struct roster_row *find(const struct roster *r, int64_t job)
{
    for (size_t i = 0; i < r->nr; i++)
        if (r->row[i].job == job)
            return &r->row[i];
    return NULL;
}

static bool grow(struct roster *r)
{
    size_t room = r->room ? 2 * r->room : 16;
    struct roster_row *row = bbt_realloc(r->row, room * sizeof *row);

    if (!row)
        return false;
    r->row = row;
    r->room = room;
    return true;
}

bool roster_put(struct roster *r, int64_t job, const struct shift_now *now)
{
    struct roster_row *row = find(r, job);

    if (!row && r->nr == r->room && !grow(r))
        return false;
    if (!row)
        row = &r->row[r->nr++];
    *row = (struct roster_row){job, *now};
    return true;
}

bool roster_look(struct roster *r, int64_t wall_us)
{
    size_t before = r->nr, kept = 0;

    for (size_t i = 0; wall_us >= r->seen_us && i < r->nr; i++)
        if (r->row[i].now.until_us > wall_us)
            r->row[kept++] = r->row[i];
    r->nr = kept;
    r->seen_us = wall_us;
    return kept < before;
}

int64_t roster_next_us(const struct roster *r)
{
    int64_t next = SHIFT_NEVER;

    for (size_t i = 0; i < r->nr; i++)
        if (r->row[i].now.until_us < next)
            next = r->row[i].now.until_us;
    return next;
}

bool roster_has(const struct roster *r, int64_t job, struct shift_now *ret)
{
    const struct roster_row *row = find(r, job);

    if (row)
        *ret = row->now;
    return row != NULL;
}
