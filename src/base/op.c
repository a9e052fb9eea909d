#include "base/op.h"

#include <assert.h>

void turnq_init(struct turnq *q)
{
    *q = (struct turnq){0};
    q->tail = &q->head;
}

void op_init(struct op *op, struct turnq *q, op_step_fn *step)
{
    *op = (struct op){.step = step, .q = q};
}

void op_wake(struct op *op)
{
    struct turnq *q = op->q;
    bool first;

    if (op->queued)
        return;
    assert(q && op->step);
    first = !q->head;
    op->queued = true;
    op->next = NULL;
    *q->tail = op;
    q->tail = &op->next;
    if (first && q->on_first)
        q->on_first(q->arg);
}

void op_fini(struct op *op)
{
    struct turnq *q = op->q;
    struct op **at;

    if (!op->queued)
        return;
    for (at = &q->head; *at != op; at = &(*at)->next)
        ;
    *at = op->next;
    if (q->tail == &op->next)
        q->tail = at;
    op->queued = false;
}

bool turnq_run(struct turnq *q, unsigned limit)
{
    while (q->head && limit-- > 0) {
        struct op *op = q->head;

        q->head = op->next;
        if (!q->head)
            q->tail = &q->head;
        op->queued = false;
        op->step(op); /* may free op: nothing below touches it */
    }
    return q->head != NULL;
}
