#include "sched/aimd.h"

#define CUT_PAUSE_US 1000000u

void aimd_init(struct aimd *a, size_t limit, bool fixed)
{
    *a = (struct aimd){.fixed = fixed};
    a->limit = a->window = limit ? limit : 1;
}

void aimd_limit(struct aimd *a, size_t limit, bool fixed)
{
    bool open = a->window == a->limit;

    a->limit = limit ? limit : 1;
    a->fixed = fixed;
    if (open || fixed || a->window > a->limit)
        a->window = a->limit;
    a->good = 0;
}

void aimd_good(struct aimd *a)
{
    if (a->window < a->limit && ++a->good >= a->window) {
        a->window++;
        a->good = 0;
    }
}

void aimd_cut(struct aimd *a, uint64_t now)
{
    a->good = 0;
    if (a->fixed || now < a->cut_until)
        return;
    a->window = a->window > 1 ? a->window / 2 : 1;
    a->cut_until = now + CUT_PAUSE_US;
}
