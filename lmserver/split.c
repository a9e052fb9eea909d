#include "split.h"

#include "base/alloc.h"
#include "base/op.h"

#include <assert.h>
#include <string.h>

/* Fewer positions than this are not worth waking a second thread. */
#define PART_POSITIONS_MIN 32u

void split_rooms_init(struct split_rooms *rooms)
{
    memset(rooms, 0, sizeof *rooms);
    (void)pthread_mutex_init(&rooms->lock, NULL);
}

void split_rooms_fini(struct split_rooms *rooms)
{
    for (unsigned i = 0; i < rooms->nr; i++)
        forward_room_fini(&rooms->room[i]);
    (void)pthread_mutex_destroy(&rooms->lock);
}

static struct forward_room take_room(struct split_rooms *rooms)
{
    struct forward_room room = {0};

    (void)pthread_mutex_lock(&rooms->lock);
    if (rooms->nr)
        room = rooms->room[--rooms->nr];
    (void)pthread_mutex_unlock(&rooms->lock);
    return room;
}

static void give_room(struct split_rooms *rooms, struct forward_room *room)
{
    (void)pthread_mutex_lock(&rooms->lock);
    if (rooms->nr < SPLIT_THREADS_MAX) {
        rooms->room[rooms->nr++] = *room;
        memset(room, 0, sizeof *room);
    }
    (void)pthread_mutex_unlock(&rooms->lock);
    forward_room_fini(room);
}

static void run_part(struct work *work)
{
    struct split_part *p = bbt_container(work, struct split_part, work);
    struct split *s = p->split;
    struct forward_room room = take_room(s->rooms);

    p->rc = forward_rows(s->w, s->q, p->from_to, &room,
        s->out + p->from_to[0] * s->q->out_cols, &p->err);
    give_room(s->rooms, &room);
}

/* Where each of `n` parts begins: part i ends with the row that brings the positions seen to
 * i + 1 n-ths of all. Empty parts are dropped. Returns how many are left. */
static unsigned cut(struct split *s, size_t total, unsigned n)
{
    size_t row = 0, seen = 0;
    unsigned parts = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t from = row, goal = total * (i + 1) / n;

        while (row < s->q->rows && seen < goal)
            seen += query_span(s->q, row++);
        if (row == from)
            continue;
        s->part[parts].from_to[0] = from;
        s->part[parts++].from_to[1] = row;
    }
    assert(row == s->q->rows);
    return parts;
}

enum bbt_rc split_start(struct split *s, struct work_pool *pool, unsigned threads,
    struct op *wake, struct bbt_err *err)
{
    size_t total = 0;
    unsigned n;

    for (size_t r = 0; r < s->q->rows; r++)
        total += query_span(s->q, r);
    n = threads;
    if (total / PART_POSITIONS_MIN < n)
        n = (unsigned)(total / PART_POSITIONS_MIN);
    if (n < 1)
        n = 1;
    s->part = bbt_calloc(n, sizeof s->part[0]);
    if (!s->part)
        return bbt_fail(err, BBT_NOMEM, "no memory for this request");
    s->parts = cut(s, total, n);
    for (unsigned i = 0; i < s->parts; i++) {
        s->part[i].split = s;
        s->part[i].work.run = run_part;
        s->part[i].work.wake = wake;
        work_submit(pool, &s->part[i].work);
    }
    return BBT_OK;
}

bool split_done(const struct split *s)
{
    for (unsigned i = 0; i < s->parts; i++)
        if (!s->part[i].work.done)
            return false;
    return true;
}

enum bbt_rc split_result(const struct split *s, struct bbt_err *err)
{
    for (unsigned i = 0; i < s->parts; i++)
        if (s->part[i].rc != BBT_OK) {
            *err = s->part[i].err;
            return s->part[i].rc;
        }
    return BBT_OK;
}

void split_fini(struct split *s)
{
    bbt_free(s->part);
    s->part = NULL;
    s->parts = 0;
}
