#include "events.h"

#include "api.h"
#include "base/alloc.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/st_event.h"

#include <stdio.h>
#include <string.h>

#define STREAM_ROOM (256u * 1024u)
#define LISTENERS_MAX 200
#define PAGE 500
#define AGAIN_US 1000000u /* after a read that an ill disk refused */

struct listener {
    struct web_req *r;
    int64_t job, cursor;
    struct listener *next;
};

struct events {
    struct daemon *d;
    struct op op;
    struct port_call read;
    bool reading, dirty, closed;
    struct loop_timer again;
    struct listener *first;
    size_t n;
    int64_t after; /* of the page under way */
    struct rec_event *page;
    size_t page_n;
};

static void run_read(struct port_call *c, struct port_db *db)
{
    struct events *ev = bbt_container(c, struct events, read);

    c->rc = store_event_list(
        (struct store *)db, 0, ev->after, PAGE, &ev->page, &ev->page_n, &c->err);
}

/* False where the listener is gone or too slow: it can come back with its cursor. */
static bool hand(struct listener *l, const struct rec_event *e)
{
    json_t *v = api_view_event(e);
    char *text = v ? json_print(v) : NULL;
    char *frame = text ? bbt_asprintf("id: %lld\nevent: %s\ndata: %s\n\n", (long long)e->id,
                             e->kind, text)
                       : NULL;
    bool ok = frame && web_stream_put(l->r, frame, strlen(frame)) == BBT_OK;

    bbt_free(frame);
    bbt_free(text);
    json_decref(v);
    return ok;
}

static bool serve(struct listener *l, const struct events *ev)
{
    if (web_gone(l->r))
        return false;
    if (l->cursor < ev->after)
        return true; /* came while this page was read: what lies before it is read next */
    for (size_t i = 0; i < ev->page_n; i++) {
        const struct rec_event *e = &ev->page[i];

        if (e->id <= l->cursor)
            continue;
        if ((l->job == 0 || l->job == e->job) && !hand(l, e))
            return false;
        l->cursor = e->id;
    }
    return true;
}

static void drop(struct events *ev, struct listener **at)
{
    struct listener *l = *at;

    *at = l->next;
    ev->n--;
    web_stream_end(l->r);
    bbt_free(l);
}

static void serve_all(struct events *ev)
{
    for (struct listener **at = &ev->first; *at;) {
        if (serve(*at, ev))
            at = &(*at)->next;
        else
            drop(ev, at);
    }
    if (ev->page_n == PAGE)
        ev->dirty = true; /* there is more */
    bbt_free(ev->page);
    ev->page = NULL;
    ev->page_n = 0;
}

static void events_step(struct op *op)
{
    struct events *ev = bbt_container(op, struct events, op);

    if (ev->reading) {
        if (!ev->read.done)
            return;
        ev->reading = false;
        if (ev->read.rc == BBT_OK)
            serve_all(ev);
        else /* no later change may come to bring it up */
            timer_start(&ev->again, AGAIN_US);
        bbt_free(ev->page); /* read, but the batch did not commit */
        ev->page = NULL;
    }
    for (struct listener **at = &ev->first; *at;) {
        if (ev->closed || web_gone((*at)->r))
            drop(ev, at);
        else
            at = &(*at)->next;
    }
    ev->dirty = ev->dirty || ev->again.fired;
    if (!ev->dirty || !ev->first || ev->closed)
        return;
    timer_stop(&ev->again);
    ev->dirty = false;
    ev->reading = true;
    ev->after = INT64_MAX;
    for (struct listener *l = ev->first; l; l = l->next)
        if (l->cursor < ev->after)
            ev->after = l->cursor;
    ev->read = (struct port_call){.run = run_read, .wake = &ev->op};
    port_db_run(&ev->read);
}

enum bbt_rc events_new(struct daemon *d, struct events **ret, struct bbt_err *err)
{
    struct events *ev = bbt_calloc(1, sizeof *ev);

    if (!ev)
        return bbt_fail(err, BBT_NOMEM, "no memory for the event stream");
    ev->d = d;
    op_init(&ev->op, loop_turnq(d->loop), events_step);
    timer_init(&ev->again, d->loop, &ev->op);
    *ret = ev;
    return BBT_OK;
}

void events_close(struct events *ev)
{
    ev->closed = true;
    op_wake(&ev->op);
}

void events_free(struct events *ev)
{
    if (!ev)
        return;
    while (ev->first)
        drop(ev, &ev->first);
    timer_stop(&ev->again);
    op_fini(&ev->op);
    bbt_free(ev->page);
    bbt_free(ev);
}

void events_changed(struct events *ev, int64_t job)
{
    (void)job;
    ev->dirty = true;
    op_wake(&ev->op);
}

void events_listen(struct events *ev, struct web_req *r, int64_t job, int64_t after)
{
    struct listener *l = ev->closed || ev->n >= LISTENERS_MAX ? NULL : bbt_calloc(1, sizeof *l);

    if (!l) {
        api_problem(r, BBT_AGAIN, "too many listeners, or the daemon is stopping");
        return;
    }
    l->r = r;
    l->job = job;
    l->cursor = after;
    l->next = ev->first;
    ev->first = l;
    ev->n++;
    web_stream_start(r, 200, "text/event-stream", STREAM_ROOM, &ev->op);
    events_changed(ev, job);
}
