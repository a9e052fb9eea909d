#include "sched/gate.h"

void gate_init(struct gate *g, size_t limit, const struct breaker_conf *conf)
{
    *g = (struct gate){.limit = limit ? limit : 1};
    breaker_init(&g->breaker, conf);
}

enum gate_why gate_shut(struct gate *g, uint64_t now, uint64_t *ret_wake)
{
    *ret_wake = UINT64_MAX;
    if (g->paused)
        return GATE_PAUSED;
    if (g->hold_until > now) {
        *ret_wake = g->hold_until;
        return GATE_HOLD;
    }
    if (g->closed_until > now) {
        *ret_wake = g->closed_until;
        return GATE_WINDOW;
    }
    if (!breaker_allows(&g->breaker, now, ret_wake))
        return GATE_BREAKER;
    return g->inflight >= g->limit ? GATE_FULL : GATE_OPEN;
}

void gate_hold(struct gate *g, uint64_t until)
{
    if (until > g->hold_until)
        g->hold_until = until;
}
