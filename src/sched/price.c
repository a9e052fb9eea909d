#include "sched/price.h"

uint64_t price_cost(const struct price_rate *r, uint64_t tokens_in, uint64_t tokens_out)
{
    unsigned __int128 v = (unsigned __int128)r->in * tokens_in;

    v += (unsigned __int128)r->out * tokens_out; /* below 2^129 only for prices of nobody */
    v = (v + 999999) / 1000000 + r->request;
    return v < UINT64_MAX - 1 ? (uint64_t)v : UINT64_MAX - 1;
}
