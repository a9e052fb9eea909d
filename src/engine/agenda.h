/* agenda.h -- hours of a provider or of a job: maintenance, in which nothing is sent, and
 * windows, outside of which nothing is. */
#ifndef ENGINE_AGENDA_H
#define ENGINE_AGENDA_H

#include "base/err.h"
#include "sched/calendar.h"
#include "spec/table.h"

struct agenda {
    struct calendar_window *window; /* those of maintenance first; owned, and so are the zones */
    size_t maintenance, windows;
};

#define AGENDA_NEVER UINT64_MAX

/* Lists of struct spec_window; either may be NULL. Reads the zones' files, so not in the loop's
 * turn. `zone`: where a window says none; NULL = UTC. BBT_NOMEM, and what zone_load() says. A
 * zeroed one is always open. Any thread may look at one. */
BBT_NODISCARD enum bbt_rc agenda_init(struct agenda *a, const struct key_items *maintenance,
    const struct key_items *windows, const char *zone, struct bbt_err *err);
void agenda_fini(struct agenda *a); /* a zeroed one is fine */

/* For so long nothing may be sent; 0 = it may. AGENDA_NEVER: longer than a calendar looks. */
uint64_t agenda_closed_us(const struct agenda *a, int64_t wall_us);

/* For so long it may, from a moment at which it may; AGENDA_NEVER likewise. */
uint64_t agenda_open_us(const struct agenda *a, int64_t wall_us);

/* Are both open at once at some moment from then on, as far as a calendar looks? */
bool agenda_meets(const struct agenda *a, const struct agenda *b, int64_t wall_us);

#endif
