/* Whose turn it is: order, times, shares, and random histories against the laws. */
#include "sched/sched.h"
#include "unit.h"

#include "bits.h"

#define NONE ((struct sched_item *)NULL)
#define S UINT64_C(1000000)

static const struct quota_limits open_limits;
static const struct breaker_conf conf = {60 * S, 10, 0.5, 30 * S, 900 * S};

/* One lane and one gate, without limits but the number at once. */
struct place {
    struct sched_lane lane;
    struct gate gate;
};

static void open_place(struct place *p, size_t concurrency)
{
    sched_lane_init(&p->lane, &open_limits, concurrency, false);
    gate_init(&p->gate, 1000, &conf);
}

static struct sched_item *next(struct sched_lane *lane, uint64_t now)
{
    uint64_t wake;

    return sched_next(lane, now, &wake);
}

static void done(struct sched_item *item, enum sched_outcome outcome, uint64_t now)
{
    if (item->reserved)
        sched_sent(item, now);
    sched_done(item, outcome, now);
}

static void first_in_first_out(void **state)
{
    static struct place p;
    struct sched_flow flow;
    struct sched_item item[5];

    (void)state;
    open_place(&p, 3);
    sched_flow_init(&flow, &p.lane, &p.gate, 0);
    for (int i = 0; i < 5; i++) {
        sched_item_init(&item[i], &item[i], 7);
        sched_put(&flow, &item[i], 0, 10);
    }
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(next(&p.lane, 10), &item[i]);
    assert_ptr_equal(next(&p.lane, 10), NONE); /* three at once */
    assert_int_equal(p.lane.block, SCHED_IS_FULL);
    done(&item[1], SCHED_GOOD, 11);
    assert_ptr_equal(next(&p.lane, 11), &item[3]);
    done(&item[0], SCHED_GOOD, 12);
    done(&item[2], SCHED_GOOD, 12);
    done(&item[3], SCHED_GOOD, 12);
    assert_ptr_equal(next(&p.lane, 12), &item[4]);
    done(&item[4], SCHED_GOOD, 13);
    assert_ptr_equal(next(&p.lane, 13), NONE);
    assert_int_equal(p.lane.block, SCHED_FREE);
}

/* A retry comes before what was asked for later; holds and delays say when to come back. */
static void order_and_times(void **state)
{
    static struct place p;
    struct sched_flow flow;
    struct sched_item a, b, c;
    uint64_t wake;

    (void)state;
    open_place(&p, 1);
    sched_flow_init(&flow, &p.lane, &p.gate, 1);
    sched_item_init(&a, NULL, 1);
    sched_item_init(&b, NULL, 1);
    sched_item_init(&c, NULL, 1);
    sched_put(&flow, &a, 0, 0);
    sched_put(&flow, &b, 0, 0);
    sched_put(&flow, &c, 0, 0);
    assert_ptr_equal(next(&p.lane, 0), &a);
    done(&a, SCHED_FAILED, 5);
    sched_put(&flow, &a, 100, 5);
    assert_ptr_equal(next(&p.lane, 5), &b);
    done(&b, SCHED_GOOD, 100);
    assert_ptr_equal(next(&p.lane, 100), &a);
    done(&a, SCHED_NEUTRAL, 101);
    assert_ptr_equal(next(&p.lane, 101), &c);
    assert_ptr_equal(sched_next(&p.lane, 101, &wake), NONE);
    assert_true(wake == SCHED_NEVER);
    done(&c, SCHED_NEUTRAL, 102);

    sched_put(&flow, &a, 150, 110);
    sched_put(&flow, &b, 130, 110);
    assert_ptr_equal(sched_next(&p.lane, 129, &wake), NONE);
    assert_true(wake == 130);
    sched_hold(&p.lane, 140);
    sched_hold(&p.lane, 135); /* never shorter */
    assert_ptr_equal(sched_next(&p.lane, 139, &wake), NONE);
    assert_true(wake == 140);
    assert_int_equal(p.lane.block, SCHED_IS_HELD);
    gate_hold(&p.gate, 145);
    assert_ptr_equal(sched_next(&p.lane, 140, &wake), NONE);
    assert_true(wake == 145);
    assert_int_equal(p.lane.block, SCHED_IS_SHUT);
    assert_ptr_equal(sched_next(&p.lane, 145, &wake), &b);
    done(&b, SCHED_GOOD, 146);
    sched_hold(&p.lane, SCHED_NEVER);
    assert_ptr_equal(next(&p.lane, 160), NONE);
    sched_release(&p.lane);
    assert_ptr_equal(next(&p.lane, 160), &a);
    done(&a, SCHED_GOOD, 161);
}

static void taking_out(void **state)
{
    static struct place p;
    static struct gate other;
    struct sched_flow mine, theirs;
    struct sched_item item[4], alien;

    (void)state;
    open_place(&p, 2);
    gate_init(&other, 5, &conf);
    sched_flow_init(&mine, &p.lane, &p.gate, 1);
    sched_flow_init(&theirs, &p.lane, &other, 1);
    for (int i = 0; i < 4; i++) {
        sched_item_init(&item[i], NULL, 3);
        sched_put(&mine, &item[i], i == 3 ? 1000 : 0, 0);
    }
    sched_item_init(&alien, NULL, 3);
    sched_put(&theirs, &alien, 0, 0);
    sched_cancel(&item[1]);
    sched_cancel(&item[1]); /* idle: nothing happens */
    p.gate.paused = true;
    assert_ptr_equal(next(&p.lane, 0), &alien); /* the other endpoint of the limit goes on */
    assert_ptr_equal(next(&p.lane, 5000), NONE);
    for (int i = 0; i < 3; i++)
        assert_non_null(sched_evict(&p.lane, &p.gate));
    assert_ptr_equal(sched_evict(&p.lane, &p.gate), NONE);
    assert_int_equal(p.lane.queued, 0);
    done(&alien, SCHED_GOOD, 5000);
}

/* An endpoint that answers again: its own back-offs end, the server's wishes do not. */
static void hurry(void **state)
{
    static struct place p;
    struct sched_flow flow;
    struct sched_item item[12];

    (void)state;
    open_place(&p, 12);
    sched_flow_init(&flow, &p.lane, &p.gate, 1);
    for (int i = 0; i < 12; i++) {
        sched_item_init(&item[i], NULL, 1);
        sched_put(&flow, &item[i], 0, 0);
    }
    for (int i = 0; i < 12; i++)
        assert_non_null(next(&p.lane, 0));
    for (int i = 0; i < 12; i++) {
        done(&item[i], SCHED_FAILED, 0);
        item[i].hinted = i == 5;
        sched_put(&flow, &item[i], i == 11 ? 30 * S : 300 * S, 0);
    }
    assert_ptr_equal(next(&p.lane, 29 * S), NONE);
    assert_ptr_equal(next(&p.lane, 30 * S), &item[11]); /* the probe */
    assert_true(item[11].probe);
    assert_ptr_equal(next(&p.lane, 30 * S), NONE);
    done(&item[11], SCHED_GOOD, 31 * S);
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(next(&p.lane, 31 * S), &item[i < 5 ? i : i + 1]);
    assert_ptr_equal(next(&p.lane, 31 * S), NONE);
    assert_ptr_equal(next(&p.lane, 300 * S), &item[5]);
    for (int i = 0; i < 11; i++)
        done(&item[i], SCHED_GOOD, 300 * S);
}

/* A flow whose time is over is not served, and stands in nobody's way: neither as the one
 * whose turn it is, nor as one that fits in while another waits for room. */
static void over(void **state)
{
    const struct quota_limits limits = {.per_minute = {0, 1000}};
    struct sched_lane lane;
    struct gate gate;
    struct sched_flow mine, other;
    struct sched_item a, b[4];
    uint64_t wake;

    (void)state;
    for (int rate = 0; rate < 2; rate++) {
        sched_lane_init(&lane, rate ? &limits : &open_limits, 4, false);
        gate_init(&gate, 1000, &conf);
        sched_flow_init(&mine, &lane, &gate, 1);
        sched_flow_init(&other, &lane, &gate, 1);
        sched_item_init(&a, NULL, 1);
        sched_put(&mine, &a, 0, 10);
        for (int i = 0; i < 4; i++) {
            sched_item_init(&b[i], NULL, 600);
            sched_put(&other, &b[i], 0, 10);
        }
        mine.until = 10;
        assert_false(sched_over(&mine, 9));
        assert_true(sched_over(&mine, 10));
        assert_false(sched_over(&other, 10));
        for (int i = 0; i < (rate ? 1 : 3); i++) {
            assert_ptr_equal(next(&lane, 10), &b[i]);
            sched_sent(&b[i], 10);
        }
        if (!rate)
            sched_cancel(&b[3]);
        assert_ptr_equal(sched_next(&lane, 50 * S, &wake), NONE);
        assert_true(rate == (wake != SCHED_NEVER)); /* b[1] waits for room, which a need not */
        mine.until = 60 * S; /* the clock was wrong */
        assert_ptr_equal(next(&lane, 50 * S), &a);
        sched_done(&a, SCHED_NEUTRAL, 50 * S);
        for (int i = 0; i < 4; i++)
            if (b[i].state == SCHED_SENT)
                done(&b[i], SCHED_GOOD, 50 * S);
            else
                sched_cancel(&b[i]);
        assert_int_equal(lane.queued + lane.inflight, 0);
    }
}

static void too_large_is_told(void **state)
{
    static struct place p;
    const struct quota_limits l = {.per_minute = {0, 100}};
    struct sched_flow flow;
    struct sched_item a, b;

    (void)state;
    open_place(&p, 4);
    sched_lane_init(&p.lane, &l, 4, false);
    sched_flow_init(&flow, &p.lane, &p.gate, 1);
    sched_item_init(&a, NULL, 101);
    sched_item_init(&b, NULL, 100);
    sched_put(&flow, &a, 0, 0);
    sched_put(&flow, &b, 0, 0);
    assert_ptr_equal(next(&p.lane, 0), &a);
    assert_true(a.oversize);
    assert_ptr_equal(next(&p.lane, 0), &b);
    assert_false(b.oversize);
    sched_done(&a, SCHED_NEUTRAL, 0);
    done(&b, SCHED_GOOD, 0);
    assert_true(p.lane.quota.log.sum[SLIDE_TOKENS] == 100);
}

/* ---- shares ---- */

enum { JOBS = 6 };

/* Jobs that always have something to ask, one lane; what each was given. */
struct share {
    struct place p;
    struct sched_flow flow[JOBS];
    struct sched_item item[JOBS][16];
    uint64_t cost[JOBS]; /* of its requests */
    uint64_t got[JOBS];
    bool on[JOBS];
};

static void refill(struct share *s, uint64_t now)
{
    for (int f = 0; f < JOBS; f++)
        for (int i = 0; s->on[f] && i < 16; i++)
            if (s->item[f][i].state == SCHED_IDLE) {
                sched_item_init(&s->item[f][i], NULL, 1 + bits() % (2 * s->cost[f]));
                sched_put(&s->flow[f], &s->item[f][i], 0, now);
            }
}

static void open_share(struct share *s, size_t concurrency)
{
    memset(s, 0, sizeof *s);
    open_place(&s->p, concurrency);
    for (int f = 0; f < JOBS; f++) {
        s->cost[f] = (uint64_t[]){1, 10, 100, 1000, 30, 300}[f];
        sched_flow_init(&s->flow[f], &s->p.lane, &s->p.gate, 1);
    }
}

/* Hands out `tokens` in all; answers come in any order. */
static void serve(struct share *s, uint64_t tokens, uint64_t now)
{
    struct sched_item *out[64];
    size_t n = 0;

    for (uint64_t sum = 0; sum < tokens;) {
        struct sched_item *got;

        refill(s, now);
        while ((got = next(&s->p.lane, now))) {
            out[n++] = got;
            sum += got->cost;
            s->got[got->flow - s->flow] += got->cost;
        }
        got = out[bits() % n];
        for (size_t i = 0; i < n; i++)
            if (out[i] == got)
                out[i--] = out[--n];
        done(got, SCHED_GOOD, now);
    }
    while (n)
        done(out[--n], SCHED_GOOD, now);
}

/* Whatever their requests' sizes, jobs get the same tokens; with weights, by weight. */
static void tokens_are_shared(void **state)
{
    static struct share s;

    (void)state;
    open_share(&s, 8);
    for (int f = 0; f < JOBS; f++)
        s.on[f] = true;
    serve(&s, 6000000, 0);
    for (int f = 0; f < JOBS; f++)
        assert_in_range(s.got[f], 990000, 1010000);
    open_share(&s, 8);
    for (int f = 0; f < JOBS; f++) {
        s.on[f] = true;
        s.flow[f].weight = 1 + (unsigned)f;
    }
    serve(&s, 2100000, 0);
    for (int f = 0; f < JOBS; f++)
        assert_in_range(s.got[f], 99000u * (unsigned)(f + 1) - 9000,
            101000u * (unsigned)(f + 1) + 9000);
}

/* Who comes late gets an equal share from now on, and nothing for the past. */
static void a_newcomer(void **state)
{
    static struct share s;
    uint64_t before[JOBS];

    (void)state;
    open_share(&s, 8);
    for (int f = 1; f < JOBS; f++)
        s.on[f] = true;
    serve(&s, 3000000, 0);
    s.on[0] = true;
    memcpy(before, s.got, sizeof before);
    serve(&s, 60000, 0);
    assert_in_range(s.got[0], 7000, 13000);
    s.on[1] = false; /* away for a while */
    serve(&s, 3000000, 0);
    s.on[1] = true;
    memcpy(before, s.got, sizeof before);
    serve(&s, 600000, 0);
    for (int f = 0; f < JOBS; f++)
        assert_in_range(s.got[f] - before[f], 90000, 110000);
}

/* With all queues full, nobody is ever further behind than a few of the largest requests: the
 * law that no starvation is. Also under a limit per minute, where large ones must wait. */
static void nobody_starves(void **state)
{
    static struct share s;
    const struct quota_limits l = {.per_minute = {0, 60000}, .headroom = 0.01};

    (void)state;
    for (int limited = 0; limited < 2; limited++) {
        uint64_t now = 0, wake = 0, sum = 0;

        open_share(&s, 1000);
        if (limited)
            sched_lane_init(&s.p.lane, &l, 1000, false);
        for (int f = 0; f < JOBS; f++)
            s.on[f] = true;
        while (sum < 600000) {
            struct sched_item *got;

            refill(&s, now);
            got = sched_next(&s.p.lane, now, &wake);
            if (!got) {
                assert_true(wake > now && wake != SCHED_NEVER);
                now = wake;
                continue;
            }
            sum += got->cost;
            s.got[got->flow - s.flow] += got->cost;
            done(got, SCHED_GOOD, now);
            for (int f = 0; f < JOBS; f++)
                assert_true(s.got[f] + 4 * 2000 >= sum / JOBS);
        }
        if (limited) /* large requests, small ones: the limit is used all the same */
            assert_true((double)sum >= 0.98 * 1000 * ((double)now / S - 60));
    }
}

/* The last of a round go ahead, but not for ever: who has only small rounds gets no more
 * than a share. */
static void stragglers_first(void **state)
{
    static struct place p;
    static struct sched_item big[400], small;
    struct sched_flow large, little;
    unsigned first = 0, given = 0, turns = 0;
    size_t at = 0;

    (void)state;
    open_place(&p, 1);
    sched_flow_init(&large, &p.lane, &p.gate, 1);
    sched_flow_init(&little, &p.lane, &p.gate, 1);
    for (size_t i = 0; i < 400; i++) {
        sched_item_init(&big[i], NULL, 10);
        sched_put(&large, &big[i], 0, 0);
    }
    sched_item_init(&small, NULL, 10);
    while (at < 200) {
        struct sched_item *got;

        if (small.state == SCHED_IDLE)
            sched_put(&little, &small, 0, 0);
        got = next(&p.lane, 0);
        assert_non_null(got);
        turns++;
        if (got == &small) {
            given++;
            first += turns <= 8;
        } else {
            at++;
        }
        done(got, SCHED_GOOD, 0);
    }
    assert_true(first >= 7);                     /* at once, while it is not far ahead */
    assert_in_range(given, 200, 200 + SCHED_BOOST + 1); /* and then its share */
}

/* A request that was given a turn and never left costs its flow nothing. */
static void unsent_is_free(void **state)
{
    static struct share s;

    (void)state;
    open_share(&s, 1);
    s.on[0] = s.on[1] = true;
    for (int i = 0; i < 1000; i++) {
        struct sched_item *got;

        refill(&s, 0);
        got = next(&s.p.lane, 0);
        if (got->flow == &s.flow[1] && i % 2) { /* taken back */
            sched_done(got, SCHED_NEUTRAL, 0);
            continue;
        }
        s.got[got->flow - s.flow] += got->cost;
        done(got, SCHED_GOOD, 0);
    }
    assert_true(s.got[0] > 100 && s.got[1] + 40 > s.got[0] && s.got[0] + 40 > s.got[1]);
}

/* ---- random histories ---- */

enum { FLOWS = 4, ITEMS = 24, GATES = 2 };

struct world {
    struct sched_lane lane;
    struct gate gate[GATES];
    struct sched_flow flow[FLOWS];
    struct sched_item item[ITEMS];
    int expect[ITEMS]; /* 0 idle, 1 queued, 2 sent: what the laws say */
    uint64_t ready_at[ITEMS];
    uint64_t now, hold, gate_hold[GATES];
    size_t sent, sent_by[GATES];
};

static size_t gate_of(const struct world *w, size_t i)
{
    return (size_t)(w->item[i].flow->gate - w->gate);
}

/* By the laws: may this one be handed out now? */
static bool may(const struct world *w, size_t i)
{
    size_t g;

    if (w->expect[i] != 1 || w->ready_at[i] > w->now || w->hold > w->now ||
        w->sent >= w->lane.aimd.window)
        return false;
    g = gate_of(w, i);
    return w->gate_hold[g] <= w->now && w->sent_by[g] < w->gate[g].limit &&
        w->gate[g].breaker.state == BREAKER_CLOSED;
}

static void take_one(struct world *w)
{
    uint64_t wake;
    bool any = false;
    struct sched_item *got;
    size_t i;

    for (i = 0; i < ITEMS; i++)
        any = any || may(w, i);
    got = sched_next(&w->lane, w->now, &wake);
    if (!got) { /* only for a reason, and with the right time to come back */
        assert_false(any);
        assert_true(wake > w->now);
        return;
    }
    i = (size_t)(got - w->item);
    assert_true(may(w, i) || w->gate[gate_of(w, i)].breaker.state == BREAKER_HALF);
    for (size_t k = 0; k < ITEMS; k++)
        if (w->expect[k] == 1 && k != i && w->ready_at[k] <= w->now &&
            w->item[k].flow == got->flow)
            assert_true(w->item[k].seq > got->seq); /* in order within one */
    w->expect[i] = 2;
    w->sent++;
    w->sent_by[gate_of(w, i)]++;
    if (bits() % 3)
        sched_sent(got, w->now);
}

static void put_one(struct world *w, size_t i)
{
    w->ready_at[i] = bits() % 3 ? 0 : w->now + bits() % 50;
    if (bits() % 2 || !w->item[i].flow)
        sched_item_init(&w->item[i], NULL, bits() % 100);
    sched_put(w->item[i].flow ? w->item[i].flow : &w->flow[bits() % FLOWS], &w->item[i],
        w->ready_at[i], w->now);
    w->expect[i] = 1;
}

static void come_back(struct world *w, size_t i, enum sched_outcome outcome)
{
    bool closed = w->gate[gate_of(w, i)].breaker.state == BREAKER_CLOSED;

    sched_done(&w->item[i], outcome, w->now);
    w->expect[i] = 0;
    w->sent--;
    w->sent_by[gate_of(w, i)]--;
    for (size_t k = 0; !closed && k < ITEMS; k++) /* it answers again: nobody rests */
        if (w->expect[k] == 1 && gate_of(w, k) == gate_of(w, i) &&
            w->gate[gate_of(w, i)].breaker.state == BREAKER_CLOSED)
            w->ready_at[k] = 0;
}

static void evict(struct world *w)
{
    size_t g = bits() % GATES;
    struct sched_item *got = sched_evict(&w->lane, &w->gate[g]);
    bool any = false;

    for (size_t i = 0; i < ITEMS; i++)
        any = any || (w->expect[i] == 1 && gate_of(w, i) == g);
    assert_int_equal(any, got != NULL);
    if (!got)
        return;
    assert_int_equal(w->expect[got - w->item], 1);
    assert_ptr_equal(got->flow->gate, &w->gate[g]);
    w->expect[got - w->item] = 0;
}

static void step(struct world *w)
{
    size_t i = bits() % ITEMS, g = bits() % GATES;

    switch (bits() % 12) {
    case 0:
        if (bits() % 4 == 0)
            evict(w);
        break;
    case 1:
        if (w->expect[i] == 1) {
            sched_cancel(&w->item[i]);
            w->expect[i] = 0;
        }
        break;
    case 2:
        if (bits() % 8 == 0) {
            w->hold = w->hold > w->now + 20 ? w->hold : w->now + 20;
            sched_hold(&w->lane, w->now + 20);
        } else if (bits() % 4 == 0) {
            w->gate_hold[g] = w->gate_hold[g] > w->now + 30 ? w->gate_hold[g] : w->now + 30;
            gate_hold(&w->gate[g], w->now + 30);
        }
        break;
    case 3:
        w->now += bits() % 16 ? bits() % 40 : 20 * S;
        break;
    default:
        if (w->expect[i] == 0)
            put_one(w, i);
        else if (w->expect[i] == 2)
            come_back(w, i, (enum sched_outcome)(bits() % 5));
        take_one(w);
    }
}

static void check_counts(const struct world *w)
{
    size_t queued = 0, reserved = 0;

    for (size_t i = 0; i < ITEMS; i++) {
        queued += w->expect[i] == 1;
        reserved += w->expect[i] == 2 && w->item[i].reserved;
        assert_int_equal(w->item[i].state == SCHED_SENT, w->expect[i] == 2);
        assert_int_equal(w->item[i].state == SCHED_IDLE, w->expect[i] == 0);
    }
    assert_int_equal(w->lane.queued, queued);
    assert_int_equal(w->lane.inflight, w->sent);
    assert_true(w->lane.quota.pending[SLIDE_REQUESTS] == reserved);
    for (size_t g = 0; g < GATES; g++)
        assert_int_equal(w->gate[g].inflight, w->sent_by[g]);
}

/* Whatever was put comes out in the end, once time passes and answers come. */
static void drain(struct world *w)
{
    for (int guard = 0; w->lane.queued || w->sent; guard++) {
        assert_true(guard < 10000);
        w->now += S;
        w->hold = 0;
        sched_release(&w->lane);
        for (size_t i = 0; i < ITEMS; i++)
            if (w->expect[i] == 2)
                come_back(w, i, SCHED_GOOD);
        take_one(w);
    }
}

static void random_histories(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t run = 1; run <= 10000; run++) {
        seed = run * 0x9e3779b97f4a7c15u;
        memset(&w, 0, sizeof w);
        sched_lane_init(&w.lane, &open_limits, 1 + bits() % 6, bits() % 4 == 0);
        for (int g = 0; g < GATES; g++)
            gate_init(&w.gate[g], 1 + bits() % 4, &conf);
        for (int f = 0; f < FLOWS; f++)
            sched_flow_init(&w.flow[f], &w.lane, &w.gate[f % GATES], 1 + (unsigned)(bits() % 3));
        for (int s = 0; s < 120; s++)
            step(&w);
        check_counts(&w);
        drain(&w);
        check_counts(&w);
        for (int f = 0; f < FLOWS; f++)
            assert_true(w.flow[f].queued == 0 && w.flow[f].inflight == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(order_and_times),
        cmocka_unit_test(taking_out),
        cmocka_unit_test(hurry),
        cmocka_unit_test(over),
        cmocka_unit_test(too_large_is_told),
        cmocka_unit_test(tokens_are_shared),
        cmocka_unit_test(a_newcomer),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(stragglers_first),
        cmocka_unit_test(unsent_is_free),
        cmocka_unit_test(random_histories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
