#include "sched/backoff.h"

#define SPREAD_US 1000000u

static uint64_t part(uint64_t whole, uint64_t bits)
{
    return (uint64_t)(((unsigned __int128)bits * whole) >> 64);
}

uint64_t backoff_us(
    uint64_t base_us, uint64_t cap_us, unsigned tries, uint64_t hint_us, uint64_t bits)
{
    uint64_t step = base_us ? base_us : BACKOFF_BASE_US;
    uint64_t cap = cap_us ? cap_us : BACKOFF_CAP_US;

    if (hint_us)
        return hint_us + part(hint_us / 10 < SPREAD_US ? hint_us / 10 : SPREAD_US, bits);
    for (unsigned i = 1; i < tries && step < cap; i++)
        step *= 2;
    if (step > cap)
        step = cap;
    return step / 2 + part(step / 2, bits);
}

void backoff_earn(struct backoff_budget *b)
{
    if (b->spent)
        b->spent--;
}

bool backoff_spend(struct backoff_budget *b)
{
    if (b->spent + 5 > BACKOFF_FIFTHS_MAX)
        return false;
    b->spent += 5;
    return true;
}
