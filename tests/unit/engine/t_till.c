/* The till against a provider that keeps its own bill, and a store that dies: whatever happens,
 * no job, no user's day and no day is charged more than its cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/tariff.h"
#include "engine/till.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_S 86400
#define JOBS 5
#define BILLS 60
#define DAYS 40
#define CLAIMS_MAX 4096

/* ---- the world: a clock, a store in memory ---- */

static uint64_t now_us;
static int64_t wall_us;

static struct {
    struct rec_claim claim[CLAIMS_MAX]; /* id = index + 1; job < 0: free */
    bool used[CLAIMS_MAX];
    struct {
        int64_t job, owner, day;
        struct rec_sum sum;
    } spend[CLAIMS_MAX * 16];
    size_t spends;
} db;

uint64_t port_now_us(void)
{
    return now_us;
}

int64_t port_wall_us(void)
{
    return wall_us;
}

static void book(const struct rec_claim *c, const struct rec_sum *sum)
{
    db.spend[db.spends].job = c->job;
    db.spend[db.spends].owner = c->owner;
    db.spend[db.spends].day = c->day;
    db.spend[db.spends].sum = *sum;
    db.spends++;
}

enum bbt_rc port_db_claim_put(
    struct port_db *p, const struct rec_claim *c, int64_t *ret_id, struct bbt_err *err)
{
    size_t i = 0;

    (void)p;
    (void)err;
    while (!c->id && db.used[i])
        i++;
    if (c->id)
        i = (size_t)c->id - 1;
    db.used[i] = true;
    db.claim[i] = *c;
    *ret_id = (int64_t)i + 1;
    return BBT_OK;
}

enum bbt_rc port_db_claim_end(struct port_db *p, const struct rec_claim *c,
    const struct rec_sum *charged, struct bbt_err *err)
{
    (void)p;
    (void)err;
    if (c->id)
        db.used[c->id - 1] = false;
    if (charged->requests || charged->tokens || charged->nano)
        book(c, charged);
    return BBT_OK;
}

enum bbt_rc port_db_claims_charge(struct port_db *p, struct bbt_err *err)
{
    (void)p;
    (void)err;
    for (size_t i = 0; i < CLAIMS_MAX; i++)
        if (db.used[i]) {
            db.used[i] = false;
            book(&db.claim[i], &db.claim[i].worst);
        }
    return BBT_OK;
}

enum bbt_rc port_db_spend_days(
    struct port_db *p, struct rec_day **ret, size_t *ret_n, struct bbt_err *err)
{
    struct rec_day *rows = bbt_calloc(db.spends + 1, sizeof *rows);

    (void)p;
    (void)err;
    assert_non_null(rows);
    for (size_t i = 0; i < db.spends; i++) /* unsummed: adding up is the till's */
        rows[i] = (struct rec_day){db.spend[i].day, db.spend[i].owner, db.spend[i].sum.nano};
    *ret = rows;
    *ret_n = db.spends;
    return BBT_OK;
}

static struct rec_sum job_spent(int64_t job)
{
    struct rec_sum s = {0};

    for (size_t i = 0; i < db.spends; i++)
        if (db.spend[i].job == job) {
            s.requests += db.spend[i].sum.requests;
            s.tokens += db.spend[i].sum.tokens;
            s.nano += db.spend[i].sum.nano;
        }
    return s;
}

/* ---- the scene ---- */

static struct {
    struct conf conf;
    struct till till;
    struct op alarm, wake;
    struct turnq q;
    struct till_account account[JOBS];
    struct till_bill bill[BILLS];
    bool asked[BILLS], sent[BILLS];
    struct tariff tariff;
    uint64_t limit[JOBS];
    /* the provider's own count */
    uint64_t job_bill[JOBS + 1], user_bill[2][DAYS], day_bill[DAYS];
} sc;

static uint64_t seed;
static char utc[] = "UTC";

static uint64_t draw(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static void nothing(struct op *op)
{
    (void)op;
}

static void open_till(void)
{
    struct bbt_err err = {0};
    struct rec_day *rows = NULL;
    size_t n = 0;

    assert_int_equal(till_init(&sc.till, &sc.conf, &sc.alarm, &err), BBT_OK);
    assert_int_equal(till_load(NULL, &rows, &n, &err), BBT_OK);
    assert_int_equal(till_open(&sc.till, rows, n, &err), BBT_OK);
    memset(sc.bill, 0, sizeof sc.bill);
    memset(sc.asked, 0, sizeof sc.asked);
    memset(sc.sent, 0, sizeof sc.sent);
    for (size_t j = 0; j < JOBS; j++) {
        struct rec_sum spent = job_spent((int64_t)j + 1);

        sc.account[j] = (struct till_account){.job = (int64_t)j + 1,
            .owner = (int64_t)j % 2,
            .provider = "p",
            .model = "m",
            .tariff = &sc.tariff};
        till_account_open(&sc.account[j], &sc.till);
        sc.account[j].purse.spent =
            (struct purse_sum){spent.requests, spent.tokens, spent.nano};
        till_limit(&sc.account[j], 0, 0, sc.limit[j]);
    }
}

static void close_till(bool crash)
{
    for (size_t i = 0; i < BILLS; i++) {
        struct bbt_err err = {0};

        if (sc.bill[i].waits)
            till_forget(&sc.bill[i]);
        if (crash || !sc.asked[i])
            continue;
        if (sc.sent[i])
            till_lost(&sc.bill[i]); /* cut off */
        till_free(&sc.bill[i]);
        if (till_owes(&sc.bill[i]))
            assert_int_equal(till_end(&sc.bill[i], NULL, &err), BBT_OK);
        till_booked(&sc.bill[i], true);
    }
    for (size_t j = 0; j < JOBS; j++)
        till_account_close(&sc.account[j]);
    sc.till.waiting = 0;
    till_fini(&sc.till);
}

static int64_t day_now(void)
{
    return wall_us / 1000000 / DAY_S;
}

/* What the provider charges: always by its own arithmetic, at the moment of sending. */
static void provider_charges(size_t i, uint64_t tokens)
{
    size_t j = (size_t)(sc.bill[i].account - sc.account);
    uint64_t nano = (tokens * 100 + 1) / 2; /* 0.05 a million, rounded its way */

    sc.job_bill[j] += nano;
    sc.user_bill[j % 2][sc.bill[i].claim.day] += nano;
    sc.day_bill[sc.bill[i].claim.day] += nano;
}

static void check(void)
{
    for (size_t j = 0; j < JOBS; j++)
        if (sc.limit[j] != MONEY_NONE)
            assert_true(sc.job_bill[j] <= sc.limit[j]);
    for (size_t d = 0; d < DAYS; d++) {
        assert_true(sc.day_bill[d] <= sc.conf.caps.day);
        for (size_t u = 0; u < 2; u++)
            assert_true(sc.user_bill[u][d] <= sc.conf.caps.user_day);
    }
}

static void ask(size_t i)
{
    struct till_bill *b = &sc.bill[i];
    struct bbt_err err = {0};
    const char *reason = NULL;
    enum till_answer got;

    if (!b->called) {
        *b = (struct till_bill){.account = &sc.account[draw(JOBS)],
            .tokens_in = 1000 + draw(100000),
            .wake = &sc.wake};
    }
    got = till_ask(b, &reason, &err);
    sc.asked[i] = got == TILL_GO;
    if (got == TILL_STOP)
        assert_string_equal(reason, "usd");
    if (got != TILL_GO)
        return;
    if (b->unsaid) {
        assert_int_equal(till_put(b, NULL, &err), BBT_OK);
        till_put_done(b);
    }
}

static void end(size_t i)
{
    struct till_bill *b = &sc.bill[i];
    struct bbt_err err = {0};
    uint64_t tokens = b->tokens_in - draw(b->tokens_in / 2);

    switch (draw(4)) {
    case 0: /* refused */
        till_free(b);
        break;
    case 1: /* no answer; it may have been charged */
        if (draw(2))
            provider_charges(i, tokens);
        till_lost(b);
        break;
    default:
        provider_charges(i, tokens);
        till_settle(b, tokens, 0);
    }
    if (draw(3) == 0 && !b->charged.requests) { /* once more, under the same reservation */
        const char *reason;

        sc.sent[i] = false;
        if (till_ask(b, &reason, &err) == TILL_GO && b->unsaid) {
            assert_int_equal(till_put(b, NULL, &err), BBT_OK);
            till_put_done(b);
            return;
        }
        till_forget(b);
    }
    if (till_owes(b))
        assert_int_equal(till_end(b, NULL, &err), BBT_OK);
    till_booked(b, true);
    sc.asked[i] = sc.sent[i] = false;
    *b = (struct till_bill){0};
}

static void step(void)
{
    size_t i = draw(BILLS);

    now_us += draw(40000000);
    wall_us += (int64_t)draw(40000000) - (int64_t)draw(20) * 100000; /* a clock that is set */
    (void)till_alarm(&sc.till, now_us);
    if (sc.asked[i] && !sc.sent[i]) {
        sc.sent[i] = till_leave(&sc.bill[i]);
        sc.asked[i] = sc.sent[i];
        if (!sc.sent[i]) {
            struct bbt_err err = {0};

            assert_int_equal(till_end(&sc.bill[i], NULL, &err), BBT_OK);
            sc.bill[i] = (struct till_bill){0};
        } else {
            assert_int_equal(sc.bill[i].claim.day, day_now());
        }
    } else if (sc.sent[i]) {
        end(i);
    } else if (!sc.bill[i].waits) {
        ask(i);
    }
    if (draw(400) == 0) {
        bool crash = draw(2);

        for (size_t k = 0; k < BILLS; k++) /* what is on the wire may be charged yet */
            if (sc.sent[k] && draw(2))
                provider_charges(k, sc.bill[k].tokens_in);
        close_till(crash);
        open_till();
    }
}

static void no_cap_is_passed(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 12; run++) {
        uint64_t nights = 0;
        int64_t first;

        memset(&sc, 0, sizeof sc);
        memset(&db, 0, sizeof db);
        seed = 7000 + run;
        now_us = 1000000;
        wall_us = INT64_C(1000000) * (5 * DAY_S - 3600);
        sc.conf.timezone = utc;
        sc.conf.caps.day = 100000000 + draw(100000000);
        sc.conf.caps.user_day = 60000000 + draw(80000000);
        sc.tariff = (struct tariff){.known = true, .usual = {50000000, 0, 0},
            .worst = {50000000, 0, 0}};
        for (size_t j = 0; j < JOBS; j++)
            sc.limit[j] = draw(3) ? 50000000 + draw(900000000) : MONEY_NONE;
        turnq_init(&sc.q);
        op_init(&sc.alarm, &sc.q, nothing);
        op_init(&sc.wake, &sc.q, nothing);
        first = day_now();
        open_till();
        for (unsigned n = 0; n < 30000 && day_now() < DAYS - 2; n++) {
            step();
            if (n % 16 == 0)
                check();
        }
        check();
        for (size_t d = 0; d < DAYS; d++)
            nights += sc.day_bill[d] * 2 > sc.conf.caps.day;
        assert_true(day_now() > first + 3);
        assert_true(nights > 0); /* caps that nobody comes near would prove nothing */
        close_till(false);
    }
}

/* ---- single laws ---- */

static void scene(uint64_t day_cap, uint64_t limit)
{
    memset(&sc, 0, sizeof sc);
    memset(&db, 0, sizeof db);
    now_us = 1000000;
    wall_us = INT64_C(1000000) * (20 * DAY_S - 10); /* ten seconds to midnight */
    sc.conf.timezone = utc;
    sc.conf.caps.day = day_cap;
    sc.conf.caps.user_day = MONEY_NONE;
    sc.tariff =
        (struct tariff){.known = true, .usual = {50000000, 0, 0}, .worst = {50000000, 0, 0}};
    for (size_t j = 0; j < JOBS; j++)
        sc.limit[j] = limit;
    turnq_init(&sc.q);
    op_init(&sc.alarm, &sc.q, nothing);
    op_init(&sc.wake, &sc.q, nothing);
    open_till();
}

static struct till_bill *bill(size_t i, size_t job, uint64_t tokens)
{
    sc.bill[i] = (struct till_bill){
        .account = &sc.account[job], .tokens_in = tokens, .wake = &sc.wake};
    return &sc.bill[i];
}

/* Two thousand tokens are 100 000 nano-dollars, a cap of 150 000 takes one of them at a time;
 * the second waits for the first, and both for the morning. */
static void waits_for_room_and_for_midnight(void **state)
{
    struct till_bill *a, *b;
    const char *reason = NULL;
    struct bbt_err err = {0};

    (void)state;
    scene(150000, MONEY_NONE);
    a = bill(0, 0, 2000);
    b = bill(1, 1, 2000);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    assert_int_equal(till_ask(b, &reason, &err), TILL_WAIT);
    assert_true(till_leave(a));
    assert_false(b->called);
    till_settle(a, 1000, 0); /* 50 000: now there is room */
    assert_int_equal(a->cost, 50000);
    assert_true(b->called);
    assert_int_equal(till_ask(b, &reason, &err), TILL_GO);
    assert_true(till_leave(b));
    till_settle(b, 2000, 0);
    b = bill(1, 1, 2000);
    assert_int_equal(till_ask(b, &reason, &err), TILL_WAIT);
    assert_non_null(strstr(till_why(&sc.account[1]), "midnight (UTC)"));
    assert_null(till_why(&sc.account[0]));
    assert_int_equal(sc.till.wake_us, now_us + 10000000);
    now_us += 10000000;
    assert_int_equal(till_alarm(&sc.till, now_us), PORT_NEVER);
    assert_true(b->called); /* the clock on the wall has not got there: another look */
    assert_int_equal(till_ask(b, &reason, &err), TILL_WAIT);
    wall_us += 10000000;
    now_us += 10000000;
    (void)till_alarm(&sc.till, now_us);
    assert_int_equal(till_ask(b, &reason, &err), TILL_GO);
    assert_null(till_why(&sc.account[1]));
    till_free(b);
    close_till(false);
}

/* What the store has as reserved or spent, of all days. */
static uint64_t books(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < CLAIMS_MAX; i++)
        sum += db.used[i] ? db.claim[i].worst.nano : 0;
    for (size_t i = 0; i < db.spends; i++)
        sum += db.spend[i].sum.nano;
    return sum;
}

/* The room of a reservation that a crash would charge is not given away before the store knows
 * how it ended, whether it cost something or nothing; and never, if the store is too ill. */
static void a_crash_between_answer_and_ledger_has_its_room(void **state)
{
    struct till_bill *a, *b;
    const char *reason = NULL;
    struct bbt_err err = {0};

    (void)state;
    for (int way = 0; way < 3; way++) {
        scene(150000, MONEY_NONE);
        a = bill(0, 0, 2000);
        b = bill(1, 1, 2000);
        assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
        assert_int_equal(till_put(a, NULL, &err), BBT_OK);
        till_put_done(a);
        assert_int_equal(till_ask(b, &reason, &err), TILL_WAIT);
        assert_true(till_leave(a));
        if (way == 0)
            till_free(a);
        else
            till_settle(a, 1000, 0);
        assert_false(b->called);
        assert_int_equal(books(), 100000); /* with b's it would be above the cap */
        if (way < 2)
            assert_int_equal(till_end(a, NULL, &err), BBT_OK);
        till_booked(a, way < 2);
        assert_int_equal(books(), way == 0 ? 0 : way == 1 ? 50000 : 100000);
        assert_int_equal(sc.account[0].purse.spent.nano, books());
        assert_true(b->called);
        assert_int_equal(till_ask(b, &reason, &err), way < 2 ? TILL_GO : TILL_WAIT);
        till_free(b);
        close_till(false);
    }
}

/* What was reserved before midnight and leaves after it belongs to the new day. */
static void a_day_ends_between_turn_and_sending(void **state)
{
    struct till_bill *a;
    const char *reason = NULL;
    struct bbt_err err = {0};

    (void)state;
    scene(150000, MONEY_NONE);
    a = bill(0, 0, 2000);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    wall_us += 11000000;
    assert_false(till_leave(a));
    assert_false(a->held.open);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    assert_true(a->unsaid);
    assert_true(till_leave(a));
    assert_int_equal(a->claim.day, 20);
    till_lost(a);
    assert_int_equal(a->lost.nano, 100000);
    assert_int_equal(a->lost_by.day, 20);
    assert_true(till_owes(a));
    assert_int_equal(till_end(a, NULL, &err), BBT_OK);
    close_till(false);
    assert_int_equal(job_spent(1).nano, 100000);
}

/* The job's own limit: those under way come home first, then it stops and says what to do. */
static void a_job_stops_at_its_limit(void **state)
{
    struct till_bill *a, *b;
    const char *reason = NULL;
    struct bbt_err err = {0};

    (void)state;
    scene(MONEY_NONE, 150000);
    a = bill(0, 0, 2000);
    b = bill(1, 0, 2000);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    assert_int_equal(till_ask(b, &reason, &err), TILL_WAIT); /* it may cost nothing */
    assert_true(till_leave(a));
    till_settle(a, 2000, 0);
    assert_true(b->called);
    assert_int_equal(till_ask(b, &reason, &err), TILL_STOP);
    assert_string_equal(reason, "usd");
    assert_string_equal(err.msg, "limits.usd: 0.0001 of 0.00015 USD are spent, the next request "
                                 "may cost 0.0001; go on with: bbtctl extend 1 --max-usd +1");
    till_limit(&sc.account[0], 1, 0, 1000000);
    assert_int_equal(till_ask(b, &reason, &err), TILL_STOP);
    assert_string_equal(reason, "requests");
    till_limit(&sc.account[0], 0, 3000, 1000000);
    assert_int_equal(till_ask(b, &reason, &err), TILL_STOP);
    assert_string_equal(reason, "tokens");
    till_limit(&sc.account[0], 2, 4000, 200000);
    assert_int_equal(till_ask(b, &reason, &err), TILL_GO);
    till_free(b);
    close_till(false);
}

/* What costs nothing and has no limit is not counted, and not written down. */
static void free_is_not_held_up(void **state)
{
    struct till_bill *a, none = {0};
    const char *reason = NULL;
    struct bbt_err err = {0};

    (void)state;
    scene(0, MONEY_NONE);
    sc.tariff = (struct tariff){.known = true};
    a = bill(0, 0, 2000);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    assert_false(a->unsaid);
    assert_true(till_leave(a));
    till_settle(a, 5000, 5);
    assert_int_equal(a->cost, 0);
    assert_false(till_owes(a));
    till_lost(a);
    till_free(a);
    assert_int_equal(till_ask(&none, &reason, &err), TILL_GO);
    assert_true(till_leave(&none));
    till_settle(&none, 1, 1);
    assert_false(till_owes(&none));
    close_till(false);
    assert_int_equal(db.spends, 0);
}

/* A server that counts more tokens than we see is reserved for by its own measure. */
static void learns_the_servers_count(void **state)
{
    struct till_bill *a;
    const char *reason = NULL;
    struct bbt_err err = {0};

    (void)state;
    log_set_level(LOG_ERROR);
    scene(MONEY_NONE, MONEY_NONE);
    a = bill(0, 0, 2000);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    assert_true(till_leave(a));
    till_settle(a, 2500, 1);
    a = bill(1, 0, 1000);
    assert_int_equal(till_ask(a, &reason, &err), TILL_GO);
    assert_int_equal(a->claim.worst.tokens, 1251);
    till_free(a);
    close_till(false);
}

/* ---- price lists ---- */

static void prices_follow_the_clock(void **state)
{
    struct conf_off_peak off[2] = {
        {.week = {{16 * 60 + 30, 30}, 0}, .in = 50, .out = MONEY_NONE, .request = MONEY_NONE},
        {.week = {{23 * 60, 24 * 60}, 0}, .in = 10, .out = 900, .request = 3}};
    struct conf_price p = {.in = 100, .out = 400, .request = MONEY_NONE,
        .off_peak = {off, 2}};
    struct price_rate r;
    struct tariff t;
    struct bbt_err err = {0};

    (void)state;
    assert_int_equal(tariff_init(&t, &p, NULL, &err), BBT_OK);
    assert_true(t.known);
    assert_int_equal(t.worst.in, 100);
    assert_int_equal(t.worst.out, 900);
    assert_int_equal(t.worst.request, 3);
    tariff_rate(&t, INT64_C(1000000) * 12 * 3600, &r);
    assert_int_equal(r.in + r.out + r.request, 500);
    tariff_rate(&t, INT64_C(1000000) * 17 * 3600, &r);
    assert_int_equal(r.in + r.out + r.request, 450);
    tariff_rate(&t, INT64_C(1000000) * 23 * 3600, &r); /* both: the dearest of each */
    assert_int_equal(r.in, 50);
    assert_int_equal(r.out, 900);
    assert_int_equal(r.request, 3);
    tariff_fini(&t);
    off[0].zone = (char[]){"No/Where"};
    assert_int_equal(tariff_init(&t, &p, NULL, &err), BBT_INVALID);
    assert_non_null(strstr(err.msg, "No/Where"));
    if (access(ZONE_FOLDER "/Asia/Tokyo", R_OK) == 0) { /* nine hours ahead */
        off[0].zone = (char[]){"Asia/Tokyo"};
        assert_int_equal(tariff_init(&t, &p, NULL, &err), BBT_OK);
        tariff_rate(&t, INT64_C(1000000) * 8 * 3600, &r);
        assert_int_equal(r.in, 50);
        tariff_fini(&t);
    }
    tariff_fini(&t);
}

/* Every allocation refused once: said, nothing reserved, nothing lost, and the next try works. */
static void without_memory(void **state)
{
    static char utc_name[] = "UTC", tokyo[] = "Asia/Tokyo";
    struct conf_off_peak off = {.in = 1, .out = 2, .request = 3, .zone = utc_name};
    struct conf_price p = {.in = 100, .out = 400, .request = 0, .off_peak = {&off, 1}};
    const char *reason = "";
    struct bbt_err err = {0};
    struct till_bill *b;
    struct tariff t;
    unsigned refused = 0;

    (void)state;
    if (access(ZONE_FOLDER "/Asia/Tokyo", R_OK) == 0)
        off.zone = tokyo;
    for (long k = 0;; k++) {
        enum bbt_rc rc;
        unsigned long asked;

        (void)bbt_alloc_fault(k, 0);
        rc = tariff_init(&t, &p, NULL, &err);
        asked = bbt_alloc_fault(-1, 0);
        assert_true(rc == BBT_OK || rc == BBT_NOMEM);
        if (rc == BBT_OK)
            tariff_fini(&t);
        refused += rc != BBT_OK;
        if (asked <= (unsigned long)k)
            break;
    }
    assert_true(refused > 0);
    scene(150000, MONEY_NONE);
    b = bill(0, 0, 2000);
    for (long k = 0; k < 2; k++) { /* a day of the user, a day of all */
        (void)bbt_alloc_fault(k, 0);
        assert_int_equal(till_ask(b, &reason, &err), TILL_STOP);
        (void)bbt_alloc_fault(-1, 0);
        assert_int_equal(err.rc, BBT_NOMEM);
        assert_null(reason); /* the job did nothing wrong */
        assert_false(b->held.open);
        wall_us += INT64_C(86400000000);
    }
    assert_int_equal(till_ask(b, &reason, &err), TILL_GO);
    till_free(b);
    close_till(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cap_is_passed),
        cmocka_unit_test(waits_for_room_and_for_midnight),
        cmocka_unit_test(a_crash_between_answer_and_ledger_has_its_room),
        cmocka_unit_test(a_day_ends_between_turn_and_sending),
        cmocka_unit_test(a_job_stops_at_its_limit),
        cmocka_unit_test(free_is_not_held_up),
        cmocka_unit_test(learns_the_servers_count),
        cmocka_unit_test(prices_follow_the_clock),
        cmocka_unit_test(without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
