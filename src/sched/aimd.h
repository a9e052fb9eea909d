/* aimd.h -- how many requests at once: additive increase, multiplicative decrease. The window
 * is halved when the server says "too much" and grows by one after as many good answers as it
 * is wide. Pure; time is passed in. */
#ifndef SCHED_AIMD_H
#define SCHED_AIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aimd {
    size_t limit;  /* most at once, from the configuration; >= 1 */
    size_t window; /* at present; 1 .. limit */
    size_t good;   /* good answers since the window last changed */
    bool fixed;    /* the window is always the limit */
    uint64_t cut_until; /* not halved again before */
};

/* Open to its limit; a limit of 0 counts as 1. */
void aimd_init(struct aimd *a, size_t limit, bool fixed);
/* Another limit, from a reloaded configuration. A window that was not cut stays uncut. */
void aimd_limit(struct aimd *a, size_t limit, bool fixed);
void aimd_good(struct aimd *a);
/* Answers of one window that were all refused are one piece of news: at most one cut in a
 * second. */
void aimd_cut(struct aimd *a, uint64_t now);

#endif
