/* progress.h -- how far a job is and when it will be done, from two looks at it. Pure. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "base/json.h"

#include <stddef.h>

struct progress {
    double done;           /* 0..1; NaN where the end is open */
    double eta_s;          /* NaN: cannot be told yet */
    const char *binds;     /* what will end it: "generations", "evaluations", "wall_time" */
    double s_per_gen;      /* NaN until a generation is done */
};

/* `job`: API view; `spec`: its job file, or NULL. */
void progress_of(const json_t *job, const json_t *spec, struct progress *ret);

/* A bar of `columns` cells in eighths, between "▕" and "▏"; `done` NaN gives an empty one.
 * `out` holds 4 * columns + 8 bytes. */
void progress_bar(double done, size_t columns, char *out, size_t room);

/* The whole line without an end. */
void progress_line(const json_t *job, const json_t *spec, char *out, size_t room);

#endif
