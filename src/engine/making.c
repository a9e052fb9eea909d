#include "engine/making.h"

/* As many as are kept anyway; the rest is made when its turn comes. */
static void make_all(struct making *m, struct parts *p, parts_make_fn *make,
    void (*ask_of)(const void *arg, size_t i, struct prov_ask *ret))
{
    for (size_t i = 0; i < p->n && p->bytes < PARTS_KEEP_MAX; i++) {
        struct prov_ask ask;

        ask_of(m->arg, i, &ask);
        if (parts_make(p, i, make, &m->copy, m->model, &ask) != BBT_OK)
            return;
    }
}

static void run_make(struct port_call *c, struct port_db *db)
{
    struct making *m = bbt_container(c, struct making, call);

    (void)db;
    make_all(m, m->batches, m->adapter->part_batch, m->ask_batch);
    make_all(m, m->prompts, m->adapter->part_prompt, m->ask_prompt);
}

static void making_step(struct op *op)
{
    struct making *m = bbt_container(op, struct making, op);

    if (m->done || !m->call.done)
        return;
    m->done = true;
    op_wake(m->wake);
}

enum bbt_rc making_start(struct making *m, struct turnq *q, struct bbt_err *err)
{
    enum bbt_rc rc = prov_model_copy(m->model, &m->copy, err);

    if (rc != BBT_OK)
        return rc;
    op_init(&m->op, q, making_step);
    m->call = (struct port_call){.run = run_make, .wake = &m->op};
    port_work_run(&m->call);
    return BBT_OK;
}

void making_fini(struct making *m)
{
    if (m->op.q)
        op_fini(&m->op);
    prov_model_fini(&m->copy);
    *m = (struct making){0};
}
