#include "engine/agenda.h"

#include "base/alloc.h"
#include "spec/window.h"

/* Windows that touch each other, or that maintenance cuts: so many in a row are enough. */
#define STEPS_MAX 64

/* As far as sched/calendar looks ahead. */
#define LOOK_AHEAD_US (INT64_C(35) * 86400 * 1000000)

static enum bbt_rc add(struct agenda *a, const struct key_items *items, const char *zone,
    size_t *count, struct bbt_err *err)
{
    const struct spec_window *w = items->item;

    for (size_t i = 0; i < items->nr; i++) {
        struct calendar_window *to = &a->window[a->maintenance + a->windows];
        const char *name = w[i].zone ? w[i].zone : zone ? zone : "UTC";
        enum bbt_rc rc = zone_load(NULL, name, &to->zone, err);

        if (rc != BBT_OK)
            return rc;
        to->week = w[i].week;
        ++*count;
    }
    return BBT_OK;
}

enum bbt_rc agenda_init(struct agenda *a, const struct key_items *maintenance,
    const struct key_items *windows, const char *zone, struct bbt_err *err)
{
    size_t n = (maintenance ? maintenance->nr : 0) + (windows ? windows->nr : 0);
    enum bbt_rc rc = BBT_OK;

    *a = (struct agenda){0};
    if (n == 0)
        return BBT_OK;
    a->window = bbt_calloc(n, sizeof *a->window);
    if (!a->window)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu windows", n);
    if (maintenance)
        rc = add(a, maintenance, zone, &a->maintenance, err);
    return rc == BBT_OK && windows ? add(a, windows, zone, &a->windows, err) : rc;
}

void agenda_fini(struct agenda *a)
{
    for (size_t i = 0; i < a->maintenance + a->windows; i++)
        zone_free(a->window[i].zone);
    bbt_free(a->window);
    *a = (struct agenda){0};
}

uint64_t agenda_closed_us(const struct agenda *a, int64_t wall_us)
{
    const struct calendar_window *windows;
    int64_t at = wall_us;

    if (!a->window)
        return 0;
    windows = a->window + a->maintenance;
    for (int i = 0; i < STEPS_MAX; i++) {
        if (calendar_open(a->window, a->maintenance, at))
            at = calendar_next(a->window, a->maintenance, at);
        else if (a->windows && !calendar_open(windows, a->windows, at))
            at = calendar_next(windows, a->windows, at);
        else
            return (uint64_t)(at - wall_us);
        if (at == CALENDAR_NEVER)
            break;
    }
    return AGENDA_NEVER;
}

uint64_t agenda_open_us(const struct agenda *a, int64_t wall_us)
{
    int64_t shut, over;

    if (!a->window)
        return AGENDA_NEVER;
    shut = calendar_next(a->window, a->maintenance, wall_us);
    over = calendar_next(a->window + a->maintenance, a->windows, wall_us);
    shut = over < shut ? over : shut;
    return shut == CALENDAR_NEVER ? AGENDA_NEVER : (uint64_t)(shut - wall_us);
}

bool agenda_meets(const struct agenda *a, const struct agenda *b, int64_t wall_us)
{
    int64_t at = wall_us;

    while (at < wall_us + LOOK_AHEAD_US) {
        uint64_t one = agenda_closed_us(a, at), two = agenda_closed_us(b, at);

        if (one == AGENDA_NEVER || two == AGENDA_NEVER)
            return false;
        if (one == 0 && two == 0)
            return true;
        at += (int64_t)(one > two ? one : two);
    }
    return false;
}
