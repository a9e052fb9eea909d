#include "engine/keep.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

bool keep_is_ill(enum bbt_rc rc)
{
    return rc == BBT_IO || rc == BBT_CORRUPT;
}

void keep_note(struct keep_ill *ill, const struct bbt_err *err)
{
    bool full = strstr(err->msg, "full") != NULL;

    if (!ill->ill)
        log_error("store-ill", "nothing is sent until the disk is good again: %s", err->msg);
    ill->ill = true;
    ill->reason = full ? "disk_full" : "io";
    (void)snprintf(ill->text, sizeof ill->text, "%.239s", err->msg);
}

static void keep_end(struct keep *k)
{
    k->done = true;
    op_wake(k->wake);
}

static void run_now(struct keep *k)
{
    k->resting = false;
    k->call = (struct port_call){.run = k->run, .wake = &k->op};
    port_db_run(&k->call);
}

static void keep_step(struct op *op)
{
    struct keep *k = bbt_container(op, struct keep, op);

    if (k->done)
        return;
    if (k->resting) {
        if (k->drop) {
            port_timer_stop(&k->rest);
            keep_end(k);
        } else if (port_timer_fired(&k->rest)) {
            run_now(k);
        }
        return;
    }
    if (!k->call.done)
        return;
    if (!keep_is_ill(k->call.rc)) {
        if (k->ill->ill)
            log_info("store-well", "the disk takes writes again");
        k->ill->ill = false;
        keep_end(k);
        return;
    }
    keep_note(k->ill, &k->call.err);
    if (k->drop) {
        keep_end(k);
        return;
    }
    k->resting = true;
    k->rest.wake = &k->op;
    port_timer_start(&k->rest, KEEP_REST_US);
}

void keep_start(struct keep *k, struct turnq *q)
{
    op_init(&k->op, q, keep_step);
    run_now(k);
}

void keep_drop(struct keep *k)
{
    k->drop = true;
    if (k->op.q && !k->done)
        op_wake(&k->op);
}

void keep_fini(struct keep *k)
{
    if (k->op.q)
        op_fini(&k->op);
}
