/* pheap.h -- pairing heap whose nodes live in the caller's structures: a priority queue that
 * never allocates, so nothing that uses it can fail half-way. Smallest first by
 * (key, tie). Push and peek O(1), pop and remove O(log n) amortised. */
#ifndef SCHED_PHEAP_H
#define SCHED_PHEAP_H

#include <stdint.h>

struct pheap_node {
    uint64_t key, tie;
    struct pheap_node *child; /* first child */
    struct pheap_node *next;  /* next sibling */
    struct pheap_node *prev;  /* previous sibling, or the parent for a first child */
};

struct pheap {
    struct pheap_node *root; /* NULL: empty; also the smallest */
};

/* `n` must not be in any heap. Overwrites its links. */
void pheap_push(struct pheap *h, struct pheap_node *n, uint64_t key, uint64_t tie);

/* `n` must be in `h`. */
void pheap_remove(struct pheap *h, struct pheap_node *n);

#endif
