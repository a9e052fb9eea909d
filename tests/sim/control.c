#include "control.h"

#include "api.h"
#include "base/alloc.h"
#include "daemon.h"
#include "events.h"
#include "fakeweb.h"
#include "upkeep.h"

#include <assert.h>
#include <stdlib.h>

void control_start(struct world *w)
{
    struct daemon *d = bbt_calloc(1, sizeof *d);
    struct bbt_err err = {0};

    assert(d && !w->daemon);
    d->conf = w->conf;
    d->state_dir = w->dir;
    d->store = w->store;
    d->engine = w->engine;
    d->cache = w->cache;
    d->started_us = port_wall_us();
    w->daemon = d;
    w->web_quiet = false;
    if (events_new(d, &d->events, &err) != BBT_OK ||
        upkeep_new(d, &d->upkeep, &err) != BBT_OK)
        abort();
}

void control_quiesce(struct world *w, bool hard)
{
    if (!w->daemon)
        return;
    w->daemon->draining = true;
    events_close(w->daemon->events);
    w->web_quiet = true;
    if (hard)
        api_drop_all(w->daemon);
}

bool control_idle(const struct world *w, bool hard)
{
    return !w->daemon ||
        (!w->daemon->stories && w->db_pending == 0 && (hard || fakeweb_busy(w) == 0));
}

void control_free(struct world *w)
{
    struct daemon *d = w->daemon;

    if (!d)
        return;
    upkeep_free(d->upkeep);
    events_free(d->events);
    fakeweb_cut(w);
    bbt_free(d);
    w->daemon = NULL;
}

/* What a killed process leaves behind is no leak: it is kept in sight until the end. */
void control_crash(struct world *w)
{
    static struct daemon **grave;
    static size_t graves, room;

    if (!w->daemon)
        return;
    fakeweb_cut(w);
    if (graves == room) {
        room = room ? 2 * room : 64;
        grave = bbt_realloc(grave, room * sizeof(struct daemon *));
        assert(grave);
    }
    grave[graves++] = w->daemon;
    w->daemon = NULL;
}
