#include "engine/till.h"

#include "base/alloc.h"
#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A clock may be set, a machine may sleep: whoever waits for a day looks now and then. */
#define LOOK_US 900000000u

struct till_day {
    struct till_day *next;
    int64_t day, owner;
    bool all; /* of every user */
    struct purse purse;
};

/* ---- days ---- */

static int64_t today(const struct till *t)
{
    return zone_day(t->zone, port_wall_us() / 1000000);
}

static uint64_t until_midnight(const struct till *t)
{
    int64_t wall = port_wall_us(),
            end = zone_day_start(t->zone, zone_day(t->zone, wall / 1000000) + 1) * 1000000;

    return end > wall ? (uint64_t)(end - wall) : 1;
}

/* NULL without memory. They stay as long as the daemon: whatever the clock does, a day's
 * spending is not forgotten. */
static struct till_day *day_of(struct till *t, int64_t day, bool all, int64_t owner)
{
    struct till_day *d;

    for (d = t->days; d; d = d->next)
        if (d->day == day && d->all == all && (all || d->owner == owner))
            return d;
    d = bbt_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->day = day;
    d->owner = owner;
    d->all = all;
    purse_init(&d->purse);
    d->next = t->days;
    t->days = d;
    return d;
}

/* ---- life ---- */

enum bbt_rc till_init(
    struct till *t, const struct conf *conf, struct op *alarm, struct bbt_err *err)
{
    enum bbt_rc rc;

    *t = (struct till){.conf = conf, .alarm = alarm, .wake_us = PORT_NEVER};
    rc = zone_load(NULL, conf->timezone ? conf->timezone : "UTC", &t->zone, err);
    return rc == BBT_NOTFOUND || rc == BBT_CORRUPT ? BBT_INVALID : rc;
}

void till_fini(struct till *t)
{
    assert(!t->accounts);
    while (t->days) {
        struct till_day *d = t->days;

        t->days = d->next;
        bbt_free(d);
    }
    zone_free(t->zone);
    *t = (struct till){0};
}

enum bbt_rc till_load(
    struct port_db *db, struct rec_day **ret, size_t *ret_n, struct bbt_err *err)
{
    enum bbt_rc rc = port_db_claims_charge(db, err);

    return rc == BBT_OK ? port_db_spend_days(db, ret, ret_n, err) : rc;
}

enum bbt_rc till_open(struct till *t, struct rec_day *rows, size_t n, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        struct till_day *user = day_of(t, rows[i].day, false, rows[i].owner),
                        *all = day_of(t, rows[i].day, true, 0);

        if (!user || !all)
            rc = bbt_fail(err, BBT_NOMEM, "no memory for the spending of a day");
    }
    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        const struct purse_sum sum = {.nano = rows[i].nano};

        purse_sum_add(&day_of(t, rows[i].day, false, rows[i].owner)->purse.spent, &sum);
        purse_sum_add(&day_of(t, rows[i].day, true, 0)->purse.spent, &sum);
    }
    if (rc != BBT_OK)
        return rc;
    bbt_free(rows);
    t->open = true;
    return BBT_OK;
}

void till_today(const struct till *t, struct till_today *ret)
{
    *ret = (struct till_today){.day = today(t)};
    for (const struct till_day *d = t->days; d; d = d->next)
        if (d->day == ret->day && d->all) {
            ret->spent_nano = d->purse.spent.nano;
            ret->held_nano = d->purse.held.nano;
        }
}

/* ---- waiting ---- */

static void call_first(struct till_account *a)
{
    struct till_bill *b = a->first;

    if (!b)
        return;
    till_forget(b);
    b->called = true;
    op_wake(b->wake);
}

/* One of each account: it calls the next when it got what it wanted. */
static void call_all(struct till *t)
{
    for (struct till_account *a = t->accounts; t->waiting && a; a = a->next)
        call_first(a);
}

void till_look(struct till *t)
{
    call_all(t);
}

static void wait_in_line(struct till_bill *b)
{
    struct till_account *a = b->account;

    assert(!b->waits);
    b->waits = true;
    b->called = false;
    b->next = NULL;
    b->at = a->last;
    *a->last = b;
    a->last = &b->next;
    a->till->waiting++;
}

void till_forget(struct till_bill *b)
{
    struct till_account *a = b->account;

    if (!b->waits)
        return;
    *b->at = b->next;
    if (b->next)
        b->next->at = b->at;
    else
        a->last = b->at;
    b->waits = false;
    a->till->waiting--;
}

static void look_again(struct till *t, uint64_t after_us)
{
    uint64_t at = port_now_us() + after_us;

    if (at >= t->wake_us)
        return;
    t->wake_us = at;
    op_wake(t->alarm);
}

uint64_t till_alarm(struct till *t, uint64_t now_us)
{
    if (t->wake_us <= now_us) {
        t->wake_us = PORT_NEVER;
        call_all(t);
    }
    return t->wake_us;
}

/* ---- accounts ---- */

void till_account_open(struct till_account *a, struct till *t)
{
    a->till = t;
    a->next = t->accounts;
    a->at = &t->accounts;
    if (a->next)
        a->next->at = &a->next;
    t->accounts = a;
    a->last = &a->first;
    a->stretch = 1000;
    purse_init(&a->purse);
    a->limit = a->purse.cap;
}

void till_account_close(struct till_account *a)
{
    if (!a->till)
        return;
    assert(!a->first);
    *a->at = a->next;
    if (a->next)
        a->next->at = a->at;
    a->till = NULL;
}

static uint64_t less(uint64_t limit, uint64_t kept)
{
    return limit == PURSE_OPEN ? limit : limit > kept ? limit - kept : 0;
}

static void set_caps(struct till_account *a)
{
    a->purse.cap = (struct purse_sum){less(a->limit.requests, a->kept.requests),
        less(a->limit.tokens, a->kept.tokens), less(a->limit.nano, a->kept.nano)};
    call_first(a);
}

void till_limit(struct till_account *a, uint64_t requests, uint64_t tokens, uint64_t nano)
{
    a->limit = (struct purse_sum){requests ? requests : PURSE_OPEN,
        tokens ? tokens : PURSE_OPEN, nano == MONEY_NONE ? PURSE_OPEN : nano};
    set_caps(a);
}

void till_keep_back(struct till_account *a, const struct purse_sum *kept)
{
    a->kept = *kept;
    set_caps(a);
}

const char *till_why(const struct till_account *a)
{
    return a->till && a->broke && a->first ? a->why : NULL;
}

/* The caps of a day, for who reads why nothing is sent. */
static void say_broke(struct till_account *a)
{
    const struct conf *c = a->till->conf;
    char day[MONEY_TEXT] = "", user[MONEY_TEXT] = "";

    if (c->caps.day != MONEY_NONE)
        money_print(c->caps.day, day);
    if (c->caps.user_day != MONEY_NONE)
        money_print(c->caps.user_day, user);
    (void)snprintf(a->why, sizeof a->why,
        "the day's cap (%s%s%s%s%s) has no room for the next request; it goes on at midnight "
        "(%s)",
        day, *day ? " USD" : "", *day && *user ? ", " : "", user,
        *user ? " USD for one user" : "", c->timezone ? c->timezone : "UTC");
}

/* Something is to be counted before it leaves: money, or a limit of the job. */
static bool counts(const struct till_account *a)
{
    const struct price_rate *w = &a->tariff->worst;
    const struct purse_sum *cap = &a->purse.cap;

    return w->in || w->out || w->request || cap->requests != PURSE_OPEN ||
        cap->tokens != PURSE_OPEN || cap->nano != PURSE_OPEN;
}

/* ---- one request ---- */

static struct purse_sum worst_of(const struct till_bill *b)
{
    const struct till_account *a = b->account;
    uint64_t in = (b->tokens_in * a->stretch + 999) / 1000,
             out = (b->tokens_out * a->stretch + 999) / 1000;

    return (struct purse_sum){1, in + out, price_cost(&a->tariff->worst, in, out)};
}

static const char *const reasons[] = {
    [PURSE_REQUESTS] = "requests", [PURSE_TOKENS] = "tokens", [PURSE_USD] = "usd"};

/* "limits.usd: 3.98 of 4.00 USD are spent, the next request may take 0.03: bbtctl extend ..." */
static void say_stop(const struct till_account *a, enum purse_unit u,
    const struct purse_sum *worst, struct bbt_err *err)
{
    const struct purse *p = &a->purse;
    char spent[MONEY_TEXT], cap[MONEY_TEXT], next[MONEY_TEXT];

    if (u == PURSE_USD) {
        money_print(p->spent.nano, spent);
        money_print(a->limit.nano, cap);
        money_print(worst->nano, next);
        (void)bbt_fail(err, BBT_DENIED,
            "limits.usd: %s of %s USD are spent, the next request may cost %s; go on with: "
            "bbtctl extend %lld --max-usd +1",
            spent, cap, next, (long long)a->job);
        return;
    }
    (void)bbt_fail(err, BBT_DENIED,
        "limits.%s: %llu of %llu are used, the next request may take %llu; go on with: bbtctl "
        "extend %lld --max-%s +N",
        reasons[u],
        (unsigned long long)(u == PURSE_TOKENS ? p->spent.tokens : p->spent.requests),
        (unsigned long long)(u == PURSE_TOKENS ? a->limit.tokens : a->limit.requests),
        (unsigned long long)(u == PURSE_TOKENS ? worst->tokens : worst->requests),
        (long long)a->job, reasons[u]);
}

/* No day has room for it. */
static void say_oversize(uint64_t cap_nano, uint64_t worst_nano, struct bbt_err *err)
{
    char cap[MONEY_TEXT], worst[MONEY_TEXT];

    money_print(cap_nano, cap);
    money_print(worst_nano, worst);
    (void)bbt_fail(err, BBT_DENIED,
        "caps: one request may cost %s USD, a whole day has %s (raise the cap, or give the "
        "model a smaller `batch`)",
        worst, cap);
}

static enum till_answer no_memory(const char **ret_reason, struct bbt_err *err)
{
    *ret_reason = NULL;
    (void)bbt_fail(err, BBT_NOMEM, "no memory for the spending of a day");
    return TILL_STOP;
}

/* The purses of the day, with today's caps. */
static bool find_purses(struct till_bill *b, int64_t day)
{
    struct till_account *a = b->account;
    struct till *t = a->till;
    struct till_day *user = day_of(t, day, false, a->owner), *all = day_of(t, day, true, 0);

    if (!user || !all)
        return false;
    user->purse.cap.nano =
        t->conf->caps.user_day == MONEY_NONE ? PURSE_OPEN : t->conf->caps.user_day;
    all->purse.cap.nano = t->conf->caps.day == MONEY_NONE ? PURSE_OPEN : t->conf->caps.day;
    b->held = (struct purse_claim){.of = {&a->purse, &user->purse, &all->purse}};
    return true;
}

static enum till_answer refuse(struct till_bill *b, enum purse_unit u, size_t level,
    const struct purse_sum *worst, const char **ret_reason, struct bbt_err *err)
{
    struct till_account *a = b->account;
    const struct purse_claim own = {.of = {&a->purse}};

    if (level == 0 && !purse_may_fit(&own, worst)) {
        *ret_reason = reasons[u];
        say_stop(a, u, worst, err);
        return TILL_STOP;
    }
    if (level > 0 && worst->nano > b->held.of[level]->cap.nano) {
        *ret_reason = reasons[u];
        say_oversize(b->held.of[level]->cap.nano, worst->nano, err);
        return TILL_STOP;
    }
    if (level > 0 && a->impatient && !purse_may_fit(&b->held, worst)) {
        *ret_reason = reasons[u];
        say_broke(a);
        (void)bbt_fail(err, BBT_DENIED, "%s", a->why);
        return TILL_STOP;
    }
    a->broke = level > 0;
    if (a->broke) {
        uint64_t wait = until_midnight(a->till);

        say_broke(a);
        look_again(a->till, wait < LOOK_US ? wait : LOOK_US);
    }
    wait_in_line(b);
    return TILL_WAIT;
}

enum till_answer till_ask(
    struct till_bill *b, const char **ret_reason, struct bbt_err *err)
{
    struct till_account *a = b->account;
    struct purse_sum worst;
    enum purse_unit u;
    size_t level = 0;
    int64_t day;

    till_booked(b, true); /* the same reservation in the store is for the next attempt */
    if (!a || b->held.open)
        return TILL_GO;
    b->called = false;
    day = today(a->till);
    b->claim.day = day;
    b->claim.owner = a->owner;
    b->claim.job = a->job;
    b->claim.provider = a->provider;
    b->claim.model = a->model;
    if (!counts(a))
        return TILL_GO;
    if (!a->till->open) {
        look_again(a->till, 100000);
        wait_in_line(b);
        return TILL_WAIT;
    }
    if (!find_purses(b, day))
        return no_memory(ret_reason, err);
    worst = worst_of(b);
    u = purse_reserve(&b->held, &worst, &level);
    if (u != PURSE_FITS)
        return refuse(b, u, level, &worst, ret_reason, err);
    a->broke = false;
    b->claim.worst = (struct rec_sum){worst.requests, worst.tokens, worst.nano};
    b->unsaid = true;
    call_first(a);
    return TILL_GO;
}

bool till_leave(struct till_bill *b)
{
    if (!b->account)
        return true;
    if (b->claim.day != today(b->account->till)) {
        purse_release(&b->held); /* of a day in which nothing leaves any more */
        call_all(b->account->till);
        return false;
    }
    tariff_rate(b->account->tariff, port_wall_us(), &b->rate);
    return true;
}

/* The server read more than we counted: from now on its measure counts. */
static void learn(struct till_bill *b, uint64_t tokens_in, uint64_t tokens_out)
{
    struct till_account *a = b->account;
    uint64_t ours = b->tokens_in + b->tokens_out, its = tokens_in + tokens_out, by;

    if (!ours || its * 1000 <= ours * a->stretch)
        return;
    by = (its * 1000 + ours - 1) / ours;
    log_warn("token-count", "%s/%s counts %llu tokens where we see %llu: reserving more",
        a->provider, a->model, (unsigned long long)its, (unsigned long long)ours);
    a->stretch = by;
}

/* It took so much of what is held. */
static void end_held(struct till_bill *b, const struct purse_sum *took)
{
    b->over = true;
    b->took = *took;
    if (!b->claim.id)
        till_booked(b, true);
}

void till_settle(struct till_bill *b, uint64_t tokens_in, uint64_t tokens_out)
{
    struct price_rate now;
    struct purse_sum sum = {1, tokens_in + tokens_out, 0};
    uint64_t then;

    if (!b->account)
        return;
    tariff_rate(b->account->tariff, port_wall_us(), &now);
    b->cost = price_cost(&now, tokens_in, tokens_out);
    then = price_cost(&b->rate, tokens_in, tokens_out);
    if (then > b->cost) /* by which of the two hours it is billed, nobody says */
        b->cost = then;
    sum.nano = b->cost;
    if (!b->held.open)
        return;
    learn(b, tokens_in, tokens_out);
    if (!b->ledger)
        b->charged = (struct rec_sum){sum.requests, sum.tokens, sum.nano};
    end_held(b, &sum);
}

void till_lost(struct till_bill *b)
{
    const struct purse_sum worst = b->held.held;

    if (!b->account || !b->held.open || b->over)
        return;
    purse_settle(&b->held, &worst);
    b->lost = (struct rec_sum){worst.requests, worst.tokens, worst.nano};
    b->lost_by = b->claim;
    b->lost_by.id = 0;
    call_all(b->account->till);
}

void till_free(struct till_bill *b)
{
    if (b->account && b->held.open && !b->over)
        end_held(b, &(struct purse_sum){0});
}

/* ---- the store ---- */

static bool any(const struct rec_sum *s)
{
    return s->requests || s->tokens || s->nano;
}

enum bbt_rc till_put(struct till_bill *b, struct port_db *db, struct bbt_err *err)
{
    enum bbt_rc rc =
        any(&b->lost) ? port_db_claim_end(db, &b->lost_by, &b->lost, err) : BBT_OK;

    return rc == BBT_OK ? port_db_claim_put(db, &b->claim, &b->put_id, err) : rc;
}

void till_put_done(struct till_bill *b)
{
    b->claim.id = b->put_id;
    b->lost = (struct rec_sum){0};
    b->unsaid = false;
}

bool till_owes(const struct till_bill *b)
{
    return b->claim.id || any(&b->lost) || any(&b->charged);
}

enum bbt_rc till_end(
    const struct till_bill *b, struct port_db *db, struct bbt_err *err)
{
    enum bbt_rc rc =
        any(&b->lost) ? port_db_claim_end(db, &b->lost_by, &b->lost, err) : BBT_OK;

    return rc == BBT_OK ? port_db_claim_end(db, &b->claim, &b->charged, err) : rc;
}

void till_booked(struct till_bill *b, bool known)
{
    const struct purse_sum worst = b->held.held;

    if (!b->account || !b->held.open || !b->over)
        return;
    b->over = false;
    purse_settle(&b->held, known ? &b->took : &worst);
    call_all(b->account->till);
}
