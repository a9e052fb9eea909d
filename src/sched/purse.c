#include "sched/purse.h"

#include <assert.h>

static uint64_t add(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - 1 - b ? a + b : UINT64_MAX - 1;
}

void purse_sum_add(struct purse_sum *a, const struct purse_sum *b)
{
    a->requests = add(a->requests, b->requests);
    a->tokens = add(a->tokens, b->tokens);
    a->nano = add(a->nano, b->nano);
}

static void take(struct purse_sum *a, const struct purse_sum *b)
{
    assert(a->requests >= b->requests && a->tokens >= b->tokens && a->nano >= b->nano);
    a->requests -= b->requests;
    a->tokens -= b->tokens;
    a->nano -= b->nano;
}

void purse_init(struct purse *p)
{
    *p = (struct purse){.cap = {PURSE_OPEN, PURSE_OPEN, PURSE_OPEN}};
}

/* Where the sum of what is there and what is wanted is above the cap. */
static enum purse_unit short_of(
    const struct purse *p, const struct purse_sum *held, const struct purse_sum *more)
{
    struct purse_sum all = p->spent;

    purse_sum_add(&all, held);
    purse_sum_add(&all, more);
    return all.requests > p->cap.requests ? PURSE_REQUESTS
        : all.tokens > p->cap.tokens      ? PURSE_TOKENS
        : all.nano > p->cap.nano          ? PURSE_USD
                                          : PURSE_FITS;
}

enum purse_unit purse_reserve(
    struct purse_claim *c, const struct purse_sum *worst, size_t *ret_level)
{
    assert(!c->open);
    for (size_t i = 0; i < PURSE_LEVELS; i++) {
        enum purse_unit u =
            c->of[i] ? short_of(c->of[i], &c->of[i]->held, worst) : PURSE_FITS;

        if (u == PURSE_FITS)
            continue;
        if (ret_level)
            *ret_level = i;
        return u;
    }
    for (size_t i = 0; i < PURSE_LEVELS; i++)
        if (c->of[i])
            purse_sum_add(&c->of[i]->held, worst);
    c->held = *worst;
    c->open = true;
    return PURSE_FITS;
}

bool purse_may_fit(const struct purse_claim *c, const struct purse_sum *worst)
{
    static const struct purse_sum none = {0};

    for (size_t i = 0; i < PURSE_LEVELS; i++)
        if (c->of[i] && short_of(c->of[i], &none, worst) != PURSE_FITS)
            return false;
    return true;
}

static void close_claim(struct purse_claim *c)
{
    for (size_t i = 0; i < PURSE_LEVELS; i++)
        if (c->of[i])
            take(&c->of[i]->held, &c->held);
    c->open = false;
}

void purse_settle(struct purse_claim *c, const struct purse_sum *actual)
{
    assert(c->open);
    close_claim(c);
    for (size_t i = 0; i < PURSE_LEVELS; i++)
        if (c->of[i])
            purse_sum_add(&c->of[i]->spent, actual);
}

void purse_release(struct purse_claim *c)
{
    if (c->open)
        close_claim(c);
}
