/* heap.h -- inside of src/loop: the timers of one loop, by due time, on one handle. */
#ifndef LOOP_HEAP_H
#define LOOP_HEAP_H

#include <stdint.h>
#include <uv.h>

struct loop;
struct loop_timer;

struct loop_heap {
    uv_timer_t uv;
    struct loop *loop;
    struct loop_timer *root; /* pairing heap: intrusive, so starting never allocates */
    uint64_t armed_us;       /* due time the handle is set to; 0: stopped */
};

/* Empty, on its own handle of the loop; close ends with that handle's close callback.
 */
void timer_heap_init(struct loop_heap *h, struct loop *l);
void timer_heap_close(struct loop_heap *h);

#endif
