#include "sched/pheap.h"

#include <stdbool.h>
#include <stddef.h>

static bool before(const struct pheap_node *a, const struct pheap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

/* The larger root becomes the first child of the smaller one. Both are roots or NULL. */
static struct pheap_node *meld(struct pheap_node *a, struct pheap_node *b)
{
    struct pheap_node *top, *sub;

    if (!a || !b)
        return a ? a : b;
    top = before(b, a) ? b : a;
    sub = top == a ? b : a;
    sub->prev = top;
    sub->next = top->child;
    if (sub->next)
        sub->next->prev = sub;
    top->child = sub;
    return top;
}

/* Melds a list of siblings into one root: in pairs from the left, then the pairs from the
 * right, which is what gives the logarithmic bound. A loop, because the list can be as long
 * as the heap. */
static struct pheap_node *meld_all(struct pheap_node *first)
{
    struct pheap_node *pairs = NULL, *root = NULL;

    while (first) {
        struct pheap_node *a = first, *b = a->next, *pair;

        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct pheap_node *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        root = meld(root, pair);
    }
    return root;
}

void pheap_push(struct pheap *h, struct pheap_node *n, uint64_t key, uint64_t tie)
{
    *n = (struct pheap_node){.key = key, .tie = tie};
    h->root = meld(h->root, n);
}

void pheap_remove(struct pheap *h, struct pheap_node *n)
{
    struct pheap_node *sub = meld_all(n->child);

    if (n == h->root) {
        h->root = sub;
    } else {
        if (n->prev->child == n)
            n->prev->child = n->next;
        else
            n->prev->next = n->next;
        if (n->next)
            n->next->prev = n->prev;
        h->root = meld(h->root, sub);
    }
    *n = (struct pheap_node){0};
}
