/* gate.h -- may anything be sent to this endpoint now? Beside the quota, which several
 * endpoints may share: rests that the server asked for, the breaker, hours of the day, a
 * person's pause, its own number of connections. Pure; time is passed in and only grows. */
#ifndef SCHED_GATE_H
#define SCHED_GATE_H

#include "sched/breaker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_why {
    GATE_OPEN,
    GATE_PAUSED,  /* until somebody acts */
    GATE_HOLD,    /* the server asked for a rest */
    GATE_WINDOW,  /* not in these hours */
    GATE_BREAKER, /* it does not answer */
    GATE_FULL     /* as many in flight as it may have */
};

struct gate {
    bool paused;
    uint64_t hold_until;   /* nothing before; 0 = no hold */
    uint64_t closed_until; /* by the calendar; the caller keeps it true */
    struct breaker breaker;
    size_t limit, inflight;
};

/* An open gate for `limit` requests at once (0 counts as 1). */
void gate_init(struct gate *g, size_t limit, const struct breaker_conf *conf);

/* What stands in the way at `now`; *ret_wake: when time alone may change that, UINT64_MAX
 * where it cannot. */
enum gate_why gate_shut(struct gate *g, uint64_t now, uint64_t *ret_wake);

/* Nothing is sent before `until`; an earlier hold is never shortened. */
void gate_hold(struct gate *g, uint64_t until);

#endif
