/* agenda.h -- a provider's hours: maintenance, in which nothing is sent, and windows, outside
 * of which nothing is. */
#ifndef ENGINE_AGENDA_H
#define ENGINE_AGENDA_H

#include "sched/calendar.h"
#include "spec/conf.h"

struct agenda {
    struct calendar_window *window; /* those of maintenance first; owned, and so are the zones */
    size_t maintenance, windows;
};

#define AGENDA_NEVER UINT64_MAX

/* Reads the zones' files: at start-up only. `zone`: where a window says none; NULL = UTC.
 * BBT_NOMEM, and what zone_load() says. A zeroed one is always open. */
BBT_NODISCARD enum bbt_rc agenda_init(struct agenda *a, const struct conf_provider *p,
    const char *zone, struct bbt_err *err);
void agenda_fini(struct agenda *a); /* a zeroed one is fine */

/* For so long nothing may be sent; 0 = it may. AGENDA_NEVER: longer than a calendar looks. */
uint64_t agenda_closed_us(const struct agenda *a, int64_t wall_us);

#endif
