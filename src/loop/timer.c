/* timer.c -- a pairing heap of timers over one uv_timer_t.
 *
 * A node points to its first child and its next sibling; `prev` is the previous
 * sibling, or the parent for a first child. */
#include "loop/timer.h"

#include "base/op.h"
#include "loop/heap.h"
#include "loop/loop.h"

#include <assert.h>
#include <stddef.h>

/* The root of both; the earlier stays on top. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due_us < a->due_us) {
        struct loop_timer *t = a;

        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* One heap from a list of siblings: pairs from left to right, then right to left. The
 * second pass walks the pairs by `prev`. */
static struct loop_timer *meld_list(struct loop_timer *list)
{
    struct loop_timer *pairs = NULL, *root = NULL;

    while (list) {
        struct loop_timer *a = list, *b = a->next;

        list = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->prev = pairs;
        pairs = a;
    }
    while (pairs) {
        struct loop_timer *rest = pairs->prev;

        pairs->prev = NULL;
        root = meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void take_out(struct loop_heap *h, struct loop_timer *t)
{
    struct loop_timer *below = meld_list(t->child);

    if (t == h->root) {
        h->root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        h->root = meld(h->root, below);
    }
    t->child = t->next = t->prev = NULL;
    t->running = false;
}

static void on_due(uv_timer_t *uv);

static void arm(struct loop_heap *h)
{
    uint64_t now, wait;

    if (!h->root) {
        uv_timer_stop(&h->uv);
        h->armed_us = 0;
        return;
    }
    if (h->armed_us == h->root->due_us && uv_is_active((uv_handle_t *)&h->uv))
        return;
    now = loop_now_us(h->loop);
    wait = h->root->due_us > now ? h->root->due_us - now : 0;
    h->armed_us = h->root->due_us;
    uv_timer_start(&h->uv, on_due, wait / 1000 + (wait % 1000 != 0), 0);
}

static void on_due(uv_timer_t *uv)
{
    struct loop_heap *h = uv->data;
    uint64_t now = loop_now_us(h->loop);

    h->armed_us = 0;
    while (h->root && h->root->due_us <= now) {
        struct loop_timer *t = h->root;

        take_out(h, t);
        t->fired = true;
        if (t->wake)
            op_wake(t->wake);
    }
    arm(h); /* uv's milliseconds may be early: then it waits for the rest */
}

void timer_heap_init(struct loop_heap *h, struct loop *l)
{
    *h = (struct loop_heap){.loop = l};
    uv_timer_init(loop_uv(l), &h->uv);
    h->uv.data = h;
}

void timer_heap_close(struct loop_heap *h)
{
    assert(!h->root); /* somebody's memory would be pointed to by nobody */
    uv_close((uv_handle_t *)&h->uv, NULL);
}

void timer_init(struct loop_timer *t, struct loop *l, struct op *wake)
{
    *t = (struct loop_timer){.loop = l, .wake = wake};
}

void timer_start_at(struct loop_timer *t, uint64_t due_us)
{
    struct loop_heap *h = loop_timers(t->loop);

    if (t->running)
        take_out(h, t);
    t->fired = false;
    t->due_us = due_us;
    t->running = true;
    h->root = meld(h->root, t);
    arm(h);
}

void timer_start(struct loop_timer *t, uint64_t after_us)
{
    uint64_t now = loop_now_us(t->loop);

    timer_start_at(t, after_us > UINT64_MAX - now ? UINT64_MAX : now + after_us);
}

void timer_stop(struct loop_timer *t)
{
    t->fired = false;
    if (!t->running)
        return;
    take_out(loop_timers(t->loop), t);
    arm(loop_timers(t->loop));
}
