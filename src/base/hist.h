/* hist.h -- how times are spread: counts in buckets, 8 to a power of two. */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 3
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

/* Zeroed is empty. */
struct hist {
    uint64_t n, max; /* values so far; the largest */
    uint64_t bucket[HIST_BUCKETS];
};

/* Counts one value. */
void hist_add(struct hist *h, uint64_t v);

/* The value that a share `q` (0..1) of all is not above: at most 12.5 % too high, never above
 * the largest; 0 where there is none. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
