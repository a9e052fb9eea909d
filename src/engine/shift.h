/* shift.h -- when a job may be at work: not before its start, and in its own hours. The hours of
 * its provider are the provider's business. */
#ifndef ENGINE_SHIFT_H
#define ENGINE_SHIFT_H

#include "engine/agenda.h"
#include "spec/job.h"

struct shift {
    struct agenda agenda;
    int64_t not_before_us; /* wall clock; 0 = at once */
};

#define SHIFT_NEVER INT64_MAX
#define SHIFT_LOOK_US 60000000u /* the wall clock may jump: one looks at it so often */

struct shift_now {
    const char *why;  /* "start_time", "window"; NULL: it may be at work */
    int64_t until_us; /* wall clock at which to look again; SHIFT_NEVER */
};

/* Reads the zones' files, so not in the loop's turn. `zone`: where a window says none; NULL =
 * UTC. BBT_INVALID: the system does not have a zone; BBT_NOMEM, BBT_IO, BBT_DENIED. A zeroed
 * one is always at work. Any thread may look at one. */
BBT_NODISCARD enum bbt_rc shift_init(struct shift *s, const struct job_spec *spec,
    const char *zone, struct bbt_err *err);
void shift_fini(struct shift *s); /* a zeroed one is fine */

/* Does the clock matter to it at all? */
bool shift_any(const struct shift *s);

/* How it is at a moment. */
void shift_look(const struct shift *s, int64_t wall_us, struct shift_now *ret);

/* The sentence about one that may not be at work. */
void shift_text(const struct shift_now *now, char *out, size_t room);

/* The same as shift_init(), for a job that is about to be submitted: BBT_INVALID also where
 * there is no moment at which its provider is open as well. */
BBT_NODISCARD enum bbt_rc shift_check(const struct job_spec *spec, const char *zone,
    const struct agenda *provider, int64_t wall_us, struct bbt_err *err);

#endif
