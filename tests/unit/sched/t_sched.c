/* The queue's laws: limits, holds, order, fairness, nothing lost and nothing twice. */
#include "sched/sched.h"
#include "unit.h"

#define NONE ((struct sched_item *)NULL)

static uint64_t seed;

static uint64_t bits(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct sched_item *next(struct sched_lane *lane, uint64_t now)
{
    uint64_t wake;

    return sched_next(lane, now, &wake);
}

static void first_in_first_out(void **state)
{
    struct sched_lane lane;
    struct sched_flow flow;
    struct sched_item item[5];

    (void)state;
    sched_lane_init(&lane, 3);
    sched_flow_init(&flow, &lane, 0);
    for (int i = 0; i < 5; i++) {
        sched_item_init(&item[i], &item[i]);
        sched_put(&flow, &item[i], 0, 10);
    }
    assert_int_equal(lane.queued, 5);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(next(&lane, 10), &item[i]);
        assert_ptr_equal(item[i].user, &item[i]);
    }
    assert_ptr_equal(next(&lane, 10), NONE); /* three in flight is the limit */
    sched_done(&item[1], SCHED_GOOD, 11);
    assert_ptr_equal(next(&lane, 11), &item[3]);
    assert_ptr_equal(next(&lane, 11), NONE);
}

/* A retry waits its time and is then ahead of what was put after it. */
static void a_retry_keeps_its_place(void **state)
{
    struct sched_lane lane;
    struct sched_flow flow;
    struct sched_item a, b, c;
    uint64_t wake;

    (void)state;
    sched_lane_init(&lane, 1);
    sched_flow_init(&flow, &lane, 1);
    sched_item_init(&a, NULL);
    sched_item_init(&b, NULL);
    sched_item_init(&c, NULL);
    sched_put(&flow, &a, 0, 0);
    sched_put(&flow, &b, 0, 0);
    sched_put(&flow, &c, 0, 0);
    assert_ptr_equal(next(&lane, 0), &a);
    sched_done(&a, SCHED_FAILED, 5);
    assert_int_equal(lane.failed, 1);
    sched_put(&flow, &a, 100, 5);
    assert_ptr_equal(next(&lane, 5), &b);
    sched_done(&b, SCHED_GOOD, 100);
    assert_int_equal(lane.failed, 0);
    assert_ptr_equal(next(&lane, 100), &a);
    sched_done(&a, SCHED_NEUTRAL, 101);
    assert_ptr_equal(next(&lane, 101), &c);
    sched_done(&c, SCHED_NEUTRAL, 102);
    assert_ptr_equal(sched_next(&lane, 102, &wake), NONE);
    assert_true(wake == SCHED_NEVER);
}

static void wake_times(void **state)
{
    struct sched_lane lane;
    struct sched_flow flow;
    struct sched_item a, b;
    uint64_t wake;

    (void)state;
    sched_lane_init(&lane, 1);
    sched_flow_init(&flow, &lane, 1);
    sched_item_init(&a, NULL);
    sched_item_init(&b, NULL);
    sched_put(&flow, &a, 50, 0);
    sched_put(&flow, &b, 30, 0);
    assert_ptr_equal(sched_next(&lane, 29, &wake), NONE);
    assert_true(wake == 30);
    sched_hold(&lane, 40);
    sched_hold(&lane, 35); /* never shorter */
    assert_ptr_equal(sched_next(&lane, 29, &wake), NONE);
    assert_true(wake == 40);
    assert_ptr_equal(sched_next(&lane, 39, &wake), NONE);
    assert_true(wake == 40);
    assert_ptr_equal(sched_next(&lane, 40, &wake), &b);
    assert_ptr_equal(sched_next(&lane, 41, &wake), NONE);
    assert_true(wake == SCHED_NEVER); /* full: only an answer helps */
    sched_done(&b, SCHED_GOOD, 42);
    assert_ptr_equal(sched_next(&lane, 42, &wake), NONE);
    assert_true(wake == 50);
    sched_hold(&lane, SCHED_NEVER);
    assert_ptr_equal(sched_next(&lane, 60, &wake), NONE);
    assert_true(wake == SCHED_NEVER);
    sched_release(&lane);
    assert_ptr_equal(sched_next(&lane, 60, &wake), &a);
}

static void the_window_is_halved_and_recovers(void **state)
{
    struct sched_lane lane;
    struct sched_flow flow;
    struct sched_item item[8];
    uint64_t now = 1;

    (void)state;
    sched_lane_init(&lane, 8);
    sched_flow_init(&flow, &lane, 1);
    for (int i = 0; i < 8; i++) {
        sched_item_init(&item[i], NULL);
        sched_put(&flow, &item[i], 0, now);
    }
    for (int i = 0; i < 8; i++)
        assert_non_null(next(&lane, now));
    for (int i = 0; i < 8; i++) /* one piece of news, eight times told */
        sched_done(&item[i], SCHED_THROTTLED, now);
    assert_int_equal(lane.window, 4);
    for (int round = 0; round < 10; round++) {
        now += 2000000;
        sched_put(&flow, &item[0], 0, now);
        assert_ptr_equal(next(&lane, now), &item[0]);
        sched_done(&item[0], SCHED_THROTTLED, now);
    }
    assert_int_equal(lane.window, 1); /* never none */
    for (int i = 0; i < 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8; i++) {
        sched_put(&flow, &item[0], 0, now);
        assert_ptr_equal(next(&lane, now), &item[0]);
        sched_done(&item[0], SCHED_GOOD, now);
    }
    assert_int_equal(lane.window, 8);
    sched_lane_limit(&lane, 2);
    assert_int_equal(lane.window, 2);
    sched_lane_limit(&lane, 0);
    assert_int_equal(lane.window, 1);
    sched_lane_limit(&lane, 5);
    assert_int_equal(lane.window, 5); /* was not cut, so it is open again */
}

static void cancel_and_drop(void **state)
{
    struct sched_lane lane;
    struct sched_flow mine, other;
    struct sched_item item[6], theirs;

    (void)state;
    sched_lane_init(&lane, 2);
    sched_flow_init(&mine, &lane, 1);
    sched_flow_init(&other, &lane, 1);
    for (int i = 0; i < 6; i++) {
        sched_item_init(&item[i], NULL);
        sched_put(&mine, &item[i], i == 4 ? 1000 : 0, 0);
    }
    sched_item_init(&theirs, NULL);
    sched_put(&other, &theirs, 0, 0);
    assert_ptr_equal(next(&lane, 0), &item[0]);
    sched_cancel(&item[1]);
    sched_cancel(&item[1]); /* idle: nothing happens */
    sched_cancel(&item[4]);
    assert_int_equal(sched_drop(&mine), 3);
    assert_int_equal(sched_drop(&mine), 0);
    assert_int_equal(lane.queued, 1);
    assert_int_equal(mine.inflight, 1);
    assert_ptr_equal(next(&lane, 2000), &theirs);
    sched_done(&item[0], SCHED_NEUTRAL, 2000);
    assert_ptr_equal(next(&lane, 2000), NONE);
    sched_put(&mine, &item[5], 0, 2000); /* may be used again */
    assert_ptr_equal(next(&lane, 2000), &item[5]);
}

/* One job with a thousand requests, one with three that comes later: the small one gets every
 * second slot at once. Weights share in proportion. */
static void jobs_share_fairly(void **state)
{
    enum { BIG = 1000, SMALL = 3 };
    static struct sched_item item[BIG + SMALL];
    struct sched_lane lane;
    struct sched_flow big, small, heavy;
    size_t inflight_big, inflight_heavy;

    (void)state;
    sched_lane_init(&lane, 12);
    sched_flow_init(&big, &lane, 1);
    sched_flow_init(&small, &lane, 1);
    for (int i = 0; i < BIG + SMALL; i++)
        sched_item_init(&item[i], NULL);
    for (int i = 0; i < BIG; i++)
        sched_put(&big, &item[i], 0, 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(next(&lane, 0)->flow == &big, true);
    for (int i = BIG; i < BIG + SMALL; i++)
        sched_put(&small, &item[i], 0, 1);
    for (int i = 0; i < SMALL; i++) {
        sched_done(&item[i], SCHED_GOOD, 2);
        assert_ptr_equal(next(&lane, 2), &item[BIG + i]);
    }
    (void)sched_drop(&big);
    for (int i = SMALL; i < 12; i++)
        sched_done(&item[i], SCHED_GOOD, 3);
    for (int i = BIG; i < BIG + SMALL; i++)
        sched_done(&item[i], SCHED_GOOD, 3);
    assert_int_equal(lane.inflight, 0);

    sched_flow_init(&heavy, &lane, 3);
    for (int i = 0; i < 100; i++) {
        sched_item_init(&item[i], NULL);
        sched_put(i % 2 ? &big : &heavy, &item[i], 0, 4);
    }
    while (next(&lane, 4)) {
    }
    inflight_big = big.inflight;
    inflight_heavy = heavy.inflight;
    assert_int_equal(inflight_big, 3);
    assert_int_equal(inflight_heavy, 9);
}

/* With room for one at a time, equal jobs take turns. */
static void turns_go_round(void **state)
{
    struct sched_lane lane;
    struct sched_flow flow[3];
    struct sched_item item[9];

    (void)state;
    sched_lane_init(&lane, 1);
    for (int f = 0; f < 3; f++) {
        sched_flow_init(&flow[f], &lane, 1);
        for (int i = 0; i < 3; i++) {
            sched_item_init(&item[f * 3 + i], NULL);
            sched_put(&flow[f], &item[f * 3 + i], 0, 0);
        }
    }
    for (int round = 0; round < 3; round++) {
        unsigned seen = 0;

        for (int f = 0; f < 3; f++) {
            struct sched_item *got = next(&lane, 0);

            assert_non_null(got);
            seen |= 1u << (got->flow - flow);
            sched_done(got, SCHED_GOOD, 0);
        }
        assert_int_equal(seen, 7);
    }
}

/* ---- random histories ---- */

enum { FLOWS = 4, ITEMS = 24 };

struct world {
    struct sched_lane lane;
    struct sched_flow flow[FLOWS];
    struct sched_item item[ITEMS];
    int expect[ITEMS]; /* 0 idle, 1 queued, 2 sent: what the laws say */
    uint64_t ready_at[ITEMS];
    uint64_t now, hold;
    size_t sent;
};

static void take_one(struct world *w)
{
    uint64_t wake;
    size_t window = w->lane.window, due = 0;
    struct sched_item *got = sched_next(&w->lane, w->now, &wake);
    size_t i;

    for (i = 0; i < ITEMS; i++)
        due += w->expect[i] == 1 && w->ready_at[i] <= w->now;
    if (!got) { /* only for a reason, and with the right time to come back */
        assert_true(due == 0 || w->sent >= window || w->hold > w->now);
        assert_true(wake > w->now);
        for (i = 0; w->sent < window && i < ITEMS; i++)
            if (w->expect[i] == 1)
                assert_true(wake <= (w->ready_at[i] > w->hold ? w->ready_at[i] : w->hold));
        return;
    }
    i = (size_t)(got - w->item);
    assert_int_equal(w->expect[i], 1); /* queued, so never twice */
    assert_true(w->ready_at[i] <= w->now);
    assert_true(w->hold <= w->now);
    assert_true(w->sent < window && window <= w->lane.limit);
    for (size_t k = 0; k < ITEMS; k++) { /* fair between flows */
        struct sched_flow *f = w->item[k].flow;

        if (w->expect[k] == 1 && k != i && w->ready_at[k] <= w->now && f != got->flow)
            assert_true(f->inflight + 1 >= got->flow->inflight);
        if (w->expect[k] == 1 && k != i && w->ready_at[k] <= w->now && f == got->flow)
            assert_true(w->item[k].seq > got->seq); /* in order within one */
    }
    w->expect[i] = 2;
    w->sent++;
}

static void put_one(struct world *w, size_t i)
{
    w->ready_at[i] = bits() % 3 ? 0 : w->now + bits() % 50;
    if (bits() % 2 || !w->item[i].flow)
        sched_item_init(&w->item[i], NULL);
    sched_put(w->item[i].flow ? w->item[i].flow : &w->flow[bits() % FLOWS], &w->item[i],
        w->ready_at[i], w->now);
    w->expect[i] = 1;
}

static void drop_one(struct world *w)
{
    struct sched_flow *f = &w->flow[bits() % FLOWS];
    size_t n = 0;

    for (size_t i = 0; i < ITEMS; i++)
        if (w->expect[i] == 1 && w->item[i].flow == f) {
            w->expect[i] = 0;
            n++;
        }
    assert_int_equal(sched_drop(f), n);
}

static void step(struct world *w)
{
    size_t i = bits() % ITEMS;

    switch (bits() % 12) {
    case 0:
        drop_one(w);
        break;
    case 1:
        if (w->expect[i] == 1) {
            sched_cancel(&w->item[i]);
            w->expect[i] = 0;
        }
        break;
    case 2:
        if (bits() % 4 == 0) {
            w->hold = w->hold > w->now + 20 ? w->hold : w->now + 20;
            sched_hold(&w->lane, w->now + 20);
        }
        break;
    case 3:
        w->now += bits() % 40;
        break;
    default:
        if (w->expect[i] == 0)
            put_one(w, i);
        else if (w->expect[i] == 2) {
            sched_done(&w->item[i], (enum sched_outcome)(bits() % 4), w->now);
            w->expect[i] = 0;
            w->sent--;
        }
        take_one(w);
    }
}

static void check_counts(const struct world *w)
{
    size_t queued = 0;

    for (size_t i = 0; i < ITEMS; i++) {
        queued += w->expect[i] == 1;
        assert_int_equal(w->item[i].state == SCHED_SENT, w->expect[i] == 2);
        assert_int_equal(w->item[i].state == SCHED_IDLE, w->expect[i] == 0);
    }
    assert_int_equal(w->lane.queued, queued);
    assert_int_equal(w->lane.inflight, w->sent);
}

/* Whatever was put comes out in the end, once time passes and answers come. */
static void drain(struct world *w)
{
    for (int guard = 0; w->lane.queued || w->sent; guard++) {
        assert_true(guard < 10000);
        w->now += 100;
        w->hold = 0;
        sched_release(&w->lane);
        for (size_t i = 0; i < ITEMS; i++)
            if (w->expect[i] == 2) {
                sched_done(&w->item[i], SCHED_GOOD, w->now);
                w->expect[i] = 0;
                w->sent--;
            }
        take_one(w);
    }
}

static void random_histories(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 20000; run++) {
        static struct world w;

        seed = run * 0x9e3779b97f4a7c15u;
        memset(&w, 0, sizeof w);
        sched_lane_init(&w.lane, 1 + bits() % 6);
        for (int f = 0; f < FLOWS; f++)
            sched_flow_init(&w.flow[f], &w.lane, 1);
        for (int s = 0; s < 120; s++)
            step(&w);
        check_counts(&w);
        drain(&w);
        check_counts(&w);
        for (int f = 0; f < FLOWS; f++)
            assert_true(w.flow[f].queued == 0 && w.flow[f].inflight == 0);
    }
}

/* ---- back-off ---- */

static void back_off_doubles_within_its_jitter(void **state)
{
    static const uint64_t step_us[] = {500000, 1000000, 2000000, 4000000, 8000000, 16000000,
        30000000, 30000000};

    (void)state;
    seed = 7;
    for (unsigned tries = 1; tries <= 8; tries++) {
        uint64_t top = step_us[tries - 1], sum = 0;

        assert_true(sched_backoff_us(tries, 0, 0) == top / 2);
        assert_true(sched_backoff_us(tries, 0, UINT64_MAX) == top - 1);
        for (int i = 0; i < 10000; i++)
            sum += sched_backoff_us(tries, 0, bits());
        assert_in_range(sum / 10000, top * 74 / 100, top * 76 / 100);
        assert_true(sched_backoff_us(tries, 45000000, bits()) == 45000000); /* hint wins */
        assert_true(sched_backoff_us(tries, 1, UINT64_MAX) == top - 1);
    }
    assert_true(sched_backoff_us(0, 0, UINT64_MAX) == 499999);
    assert_true(sched_backoff_within_us(1000, 5000, 1, 0, 0) == 500);
    assert_true(sched_backoff_within_us(1000, 5000, 9, 0, 0) == 2500);
    assert_true(sched_backoff_within_us(9000, 5000, 1, 0, 0) == 2500); /* the cap wins */
    assert_true(sched_backoff_us(UINT32_MAX, 0, 0) == 15000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),
        cmocka_unit_test(a_retry_keeps_its_place),
        cmocka_unit_test(wake_times),
        cmocka_unit_test(the_window_is_halved_and_recovers),
        cmocka_unit_test(cancel_and_drop),
        cmocka_unit_test(jobs_share_fairly),
        cmocka_unit_test(turns_go_round),
        cmocka_unit_test(random_histories),
        cmocka_unit_test(back_off_doubles_within_its_jitter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
