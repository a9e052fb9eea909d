#include "sched/slide.h"

static struct slide_cell *cell_at(struct slide *s, size_t i)
{
    return &s->cell[(s->head + i) % SLIDE_CELLS];
}

/* The cell of what was added at `at`; NULL where it is forgotten. */
static struct slide_cell *cell_of(struct slide *s, uint64_t at)
{
    for (size_t i = s->n; i-- > 0;) {
        struct slide_cell *c = cell_at(s, i);

        if (at >= c->first_us)
            return at <= c->last_us ? c : NULL;
    }
    return NULL;
}

/* From then on it no longer counts. */
static uint64_t end_of(const struct slide *s, const struct slide_cell *c)
{
    uint64_t arrived = c->last_us + s->slack_us;

    if (c->away == 0 && c->answered_us < arrived)
        arrived = c->answered_us > c->last_us ? c->answered_us : c->last_us;
    return arrived + s->span_us;
}

void slide_init(struct slide *s, uint64_t span_us, uint64_t slack_us)
{
    s->span_us = span_us;
    s->slack_us = slack_us;
    s->sum[SLIDE_REQUESTS] = s->sum[SLIDE_TOKENS] = 0;
    s->head = s->n = 0;
}

uint64_t slide_add(struct slide *s, uint64_t at, uint64_t requests, uint64_t tokens)
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
    c->away += requests;
    c->amount[SLIDE_REQUESTS] += requests;
    c->amount[SLIDE_TOKENS] += tokens;
    s->sum[SLIDE_REQUESTS] += requests;
    s->sum[SLIDE_TOKENS] += tokens;
    return at;
}

void slide_answered(struct slide *s, uint64_t at, uint64_t now)
{
    struct slide_cell *c = cell_of(s, at);

    if (!c || c->away == 0)
        return;
    c->away--;
    if (now > c->answered_us)
        c->answered_us = now;
}

void slide_less(struct slide *s, uint64_t at, uint64_t tokens)
{
    struct slide_cell *c = cell_of(s, at);

    if (!c)
        return;
    if (tokens > c->amount[SLIDE_TOKENS])
        tokens = c->amount[SLIDE_TOKENS];
    c->amount[SLIDE_TOKENS] -= tokens;
    s->sum[SLIDE_TOKENS] -= tokens;
}

void slide_expire(struct slide *s, uint64_t now)
{
    while (s->n) {
        const struct slide_cell *c = cell_at(s, 0);

        if (end_of(s, c) > now)
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
        if (end_of(s, c) > at)
            at = end_of(s, c);
    }
    return at;
}
