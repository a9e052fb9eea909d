/* checks_cap.c -- money as the provider counts it: by its own arithmetic, from what reached it
 * and was computed, on the day on which it was sent. */
#include "checks_model.h"

#include "sql.h"

#include <string.h>

#define DAY_US INT64_C(86400000000)

void checks_price(struct checks *c, uint64_t cap, uint64_t per_token, uint64_t per_request)
{
    c->money = (struct money){
        .cap = cap, .per_token = per_token, .per_request = per_request};
}

void checks_paid(struct checks *c, int64_t sent_wall_us, uint64_t tokens)
{
    struct money *m = &c->money;
    int64_t day = sent_wall_us / DAY_US;
    uint64_t nano = tokens * m->per_token + m->per_request;

    if (!m->cap)
        return;
    if (!m->first_day)
        m->first_day = day;
    day -= m->first_day;
    if (day < 0 || day >= MONEY_DAYS) {
        world_fail(c->w, "cap: the story takes more days than the checker counts");
        return;
    }
    m->all += nano;
    m->day[day] += nano;
    if (m->day[day] > m->cap)
        world_fail(c->w, "cap: day %lld is charged %llu nano-dollars, its cap is %llu",
            (long long)day, (unsigned long long)m->day[day], (unsigned long long)m->cap);
}

/* Nobody charges for the tokens of a text. */
static bool is_question(const struct port_http *x)
{
    return strcmp(x->method, "POST") == 0 && strcmp(x->path, "/v1/tokenize") != 0;
}

/* Every question on the wire has a reservation that a crash would not lose. */
void checks_cap_sent(struct checks *c, const struct port_http *x)
{
    int64_t held;

    if (!c->money.cap || !is_question(x))
        return;
    c->money.wire++;
    held = sql_number(c->w->store, "SELECT count(*) FROM claim WHERE job >= ?", 0);
    if (held >= 0 && (uint64_t)held < c->money.wire)
        world_fail(c->w, "cap: %llu questions are on the wire, %lld are reserved",
            (unsigned long long)c->money.wire, (long long)held);
}

void checks_cap_over(struct checks *c, const struct port_http *x)
{
    if (c->money.cap && is_question(x))
        c->money.wire--;
}

/* What is charged stands in the books, at any moment: as spent, or as reserved. And no day's
 * books are above its cap. */
void checks_books(struct checks *c)
{
    int64_t spent, held, most;

    if (!c->money.cap)
        return;
    spent = sql_number(c->w->store,
        "SELECT ifnull(sum(nano + other_nano), 0) FROM spend WHERE day >= ?", 0);
    held = sql_number(
        c->w->store, "SELECT ifnull(sum(nano), 0) FROM claim WHERE job >= ?", 0);
    if (spent >= 0 && held >= 0 && (uint64_t)(spent + held) < c->money.all)
        world_fail(c->w, "cap: %llu nano-dollars are charged, the books say %lld and %lld",
            (unsigned long long)c->money.all, (long long)spent, (long long)held);
    most = sql_number(c->w->store,
        "SELECT ifnull(max(n), 0) FROM (SELECT sum(n) AS n FROM (SELECT day, nano + other_nano "
        "AS n FROM spend UNION ALL SELECT day, nano FROM claim) WHERE day >= ? GROUP BY day)",
        0);
    if (most > 0 && (uint64_t)most > c->money.cap)
        world_fail(c->w, "cap: the books of a day say %lld nano-dollars, its cap is %llu",
            (long long)most, (unsigned long long)c->money.cap);
}
