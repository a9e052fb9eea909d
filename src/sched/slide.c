#include "sched/slide.h"

static struct slide_cell *cell_at(struct slide *s, size_t i)
{
    return &s->cell[(s->head + i) % SLIDE_CELLS];
}

void slide_init(struct slide *s, uint64_t span_us)
{
    s->span_us = span_us;
    s->sum[SLIDE_REQUESTS] = s->sum[SLIDE_TOKENS] = 0;
    s->head = s->n = 0;
}

void slide_add(struct slide *s, uint64_t at, uint64_t requests, uint64_t tokens)
{
    struct slide_cell *c = s->n ? cell_at(s, s->n - 1) : NULL;

    if (c && at < c->last_us)
        at = c->last_us;
    slide_expire(s, at);
    if (s->n == 0 || (at - c->first_us > s->span_us / 1000 && s->n < SLIDE_CELLS)) {
        c = cell_at(s, s->n++);
        *c = (struct slide_cell){.first_us = at};
    }
    c->last_us = at;
    c->amount[SLIDE_REQUESTS] += requests;
    c->amount[SLIDE_TOKENS] += tokens;
    s->sum[SLIDE_REQUESTS] += requests;
    s->sum[SLIDE_TOKENS] += tokens;
}

void slide_less(struct slide *s, uint64_t at, uint64_t tokens)
{
    for (size_t i = s->n; i-- > 0;) {
        struct slide_cell *c = cell_at(s, i);

        if (at < c->first_us)
            continue;
        if (at > c->last_us)
            return;
        if (tokens > c->amount[SLIDE_TOKENS])
            tokens = c->amount[SLIDE_TOKENS];
        c->amount[SLIDE_TOKENS] -= tokens;
        s->sum[SLIDE_TOKENS] -= tokens;
        return;
    }
}

void slide_expire(struct slide *s, uint64_t now)
{
    while (s->n) {
        const struct slide_cell *c = cell_at(s, 0);

        if (c->last_us + s->span_us > now)
            return;
        for (unsigned d = 0; d < SLIDE_DIMS; d++)
            s->sum[d] -= c->amount[d];
        s->head = (s->head + 1) % SLIDE_CELLS;
        s->n--;
    }
}

uint64_t slide_when(const struct slide *s, unsigned dim, uint64_t most, uint64_t now)
{
    uint64_t sum = s->sum[dim], at = now;

    for (size_t i = 0; i < s->n && sum > most; i++) {
        const struct slide_cell *c = &s->cell[(s->head + i) % SLIDE_CELLS];

        sum -= c->amount[dim];
        if (c->last_us + s->span_us > at)
            at = c->last_us + s->span_us;
    }
    return at;
}
