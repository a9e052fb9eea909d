#include "base/hist.h"

#include <math.h>

#define SUB_BITS HIST_SUB_BITS
#define SUB (1u << SUB_BITS)

static unsigned bucket_of(uint64_t v)
{
    unsigned top;

    if (v < SUB)
        return (unsigned)v;
    top = 63u - (unsigned)__builtin_clzll(v);
    return (top - SUB_BITS + 1) * SUB + (unsigned)(v >> (top - SUB_BITS) & (SUB - 1));
}

/* Largest value that falls into bucket `b`. */
static uint64_t bucket_edge(unsigned b)
{
    unsigned shift;

    if (b < SUB)
        return b;
    shift = b / SUB - 1;
    return ((uint64_t)(SUB + b % SUB) << shift) + ((1ull << shift) - 1);
}

void hist_add(struct hist *h, uint64_t v)
{
    h->n++;
    h->bucket[bucket_of(v)]++;
    if (v > h->max)
        h->max = v;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    double want = ceil(q * (double)h->n);
    uint64_t rank, seen = 0;

    if (!h->n)
        return 0;
    rank = want < 1 ? 1 : want > (double)h->n ? h->n : (uint64_t)want;
    for (unsigned b = 0; b < HIST_BUCKETS; b++) {
        seen += h->bucket[b];
        if (seen >= rank)
            return bucket_edge(b) < h->max ? bucket_edge(b) : h->max;
    }
    return h->max;
}
