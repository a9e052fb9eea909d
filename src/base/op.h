/* op.h -- operations and the turn queue: the one place where long stories move on.
 *
 * A callback (timer, socket, worker, database) never decides anything. It stores what it
 * learned in its operation and calls op_wake(). turnq_run() then calls each woken
 * operation's step once, from a shallow stack. No loop library is visible here, so a test
 * drives the same operations with a plain for-loop and a clock of its own. */
#ifndef BASE_OP_H
#define BASE_OP_H

#include <stdbool.h>
#include <stddef.h>

struct op;
typedef void op_step_fn(struct op *op);

struct turnq {
    struct op *head;
    struct op **tail;
    void (*on_first)(void *arg); /* told when the queue stops being empty; may be NULL */
    void *arg;
};

struct op {
    op_step_fn *step;
    struct turnq *q;
    struct op *next; /* link; valid while queued */
    bool queued;
};

/* An empty queue; `on_first` and `arg` are the caller's to set afterwards. */
void turnq_init(struct turnq *q);

/* An operation that is not queued. `step` runs in `q`'s turns only. */
void op_init(struct op *op, struct turnq *q, op_step_fn *step);

/* Queues the operation for one step. Waking a queued one is a no-op, so wake-ups coalesce.
 * Loop thread only. */
void op_wake(struct op *op);

/* Takes the operation out of the queue; afterwards its memory may be freed. */
void op_fini(struct op *op);

/* Steps at most `limit` operations in wake order; true when some are left. A step may wake,
 * end and free any operation, its own included. */
bool turnq_run(struct turnq *q, unsigned limit);

/* The structure that holds `member` at `ptr`. */
#define bbt_container(ptr, type, member) \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
