#include "sched/breaker.h"

void breaker_init(struct breaker *b, const struct breaker_conf *conf)
{
    *b = (struct breaker){.conf = *conf};
}

static void count(struct breaker *b, bool good, uint64_t now)
{
    uint64_t turn = now / (b->conf.window_us / BREAKER_SLOTS + 1);
    unsigned at = (unsigned)(turn % BREAKER_SLOTS);

    if (b->slot[at].turn != turn) {
        b->slot[at].turn = turn;
        b->slot[at].good = b->slot[at].bad = 0;
    }
    if (good)
        b->slot[at].good++;
    else
        b->slot[at].bad++;
}

/* A slow server gives few answers in a window: failures in a row count whatever their age. */
static bool too_bad(const struct breaker *b, uint64_t now)
{
    uint64_t turn = now / (b->conf.window_us / BREAKER_SLOTS + 1), good = 0, bad = 0;

    for (unsigned i = 0; i < BREAKER_SLOTS; i++)
        if (b->slot[i].turn + BREAKER_SLOTS > turn) {
            good += b->slot[i].good;
            bad += b->slot[i].bad;
        }
    if (b->row >= b->conf.min_requests)
        return true;
    return good + bad >= b->conf.min_requests &&
        (double)bad >= b->conf.failure_ratio * (double)(good + bad);
}

static void open_up(struct breaker *b, uint64_t now)
{
    b->open_len = b->open_len ? 2 * b->open_len : b->conf.open_us;
    if (b->open_len > b->conf.open_cap_us)
        b->open_len = b->conf.open_cap_us;
    b->state = BREAKER_OPEN;
    b->open_until = now + b->open_len;
}

static void close_again(struct breaker *b)
{
    struct breaker_conf conf = b->conf;

    *b = (struct breaker){.conf = conf}; /* what was counted is about another time */
}

bool breaker_allows(struct breaker *b, uint64_t now, uint64_t *ret_wake)
{
    if (b->state == BREAKER_OPEN && now >= b->open_until)
        b->state = BREAKER_HALF;
    if (b->state == BREAKER_CLOSED || (b->state == BREAKER_HALF && !b->probing))
        return true;
    *ret_wake = b->state == BREAKER_OPEN ? b->open_until : UINT64_MAX;
    return false;
}

bool breaker_take(struct breaker *b)
{
    if (b->state != BREAKER_HALF)
        return false;
    b->probing = true;
    return true;
}

void breaker_done(struct breaker *b, enum breaker_news news, bool probe, uint64_t now)
{
    if (probe)
        b->probing = false;
    if (news == BREAKER_NONE)
        return;
    b->row = news == BREAKER_GOOD ? 0 : b->row + 1;
    if (b->state == BREAKER_CLOSED) {
        count(b, news == BREAKER_GOOD, now);
        if (news == BREAKER_BAD && too_bad(b, now))
            open_up(b, now);
    } else if (probe && b->state == BREAKER_HALF) {
        if (news == BREAKER_GOOD)
            close_again(b);
        else
            open_up(b, now);
    } else if (news == BREAKER_GOOD && b->state == BREAKER_OPEN) {
        b->open_until = now; /* one that left before it was opened: a sign of life */
    }
}

void breaker_reset(struct breaker *b)
{
    close_again(b);
}
