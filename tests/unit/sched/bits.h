/* bits.h -- random bits that repeat: a test sets `seed` where it matters. */
#ifndef TEST_SCHED_BITS_H
#define TEST_SCHED_BITS_H

#include <stdint.h>

static uint64_t seed = 88172645463325252u;

static uint64_t bits(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

#endif
