/* Concurrency window, breaker, gate, back-off. */
#include "sched/aimd.h"
#include "sched/backoff.h"
#include "sched/breaker.h"
#include "sched/gate.h"
#include "unit.h"

#include "bits.h"

#define S UINT64_C(1000000)

static const struct breaker_conf conf = {60 * S, 10, 0.5, 30 * S, 100 * S};

static void the_window_is_halved_and_recovers(void **state)
{
    struct aimd a;

    (void)state;
    aimd_init(&a, 8, false);
    assert_int_equal(a.window, 8);
    for (int i = 0; i < 8; i++)
        aimd_cut(&a, S); /* one piece of news */
    assert_int_equal(a.window, 4);
    aimd_cut(&a, 2 * S);
    aimd_cut(&a, 3 * S);
    aimd_cut(&a, 4 * S);
    assert_int_equal(a.window, 1);
    for (int i = 0; i < 1 + 2 + 3; i++)
        aimd_good(&a);
    assert_int_equal(a.window, 4);
    for (int i = 0; i < 100; i++)
        aimd_good(&a);
    assert_int_equal(a.window, 8);
    aimd_limit(&a, 12, false);
    assert_int_equal(a.window, 12); /* not cut: stays not cut */
    aimd_cut(&a, 9 * S);
    aimd_limit(&a, 20, false);
    assert_int_equal(a.window, 6);
    aimd_limit(&a, 0, false);
    assert_int_equal(a.window, 1);
    aimd_limit(&a, 5, true);
    aimd_cut(&a, 20 * S);
    assert_int_equal(a.window, 5);
}

static void bad(struct breaker *b, unsigned n, uint64_t now)
{
    while (n--)
        breaker_done(b, BREAKER_BAD, false, now);
}

static void opens_by_share(void **state)
{
    struct breaker b;
    uint64_t wake = 0;

    (void)state;
    breaker_init(&b, &conf);
    for (uint64_t t = 0; t < 200; t++) { /* four in ten fail: that is life */
        breaker_done(&b, t % 5 == 0 || t % 5 == 2 ? BREAKER_BAD : BREAKER_GOOD, false, t * S);
        assert_int_equal(b.state, BREAKER_CLOSED);
    }
    for (uint64_t t = 200; t < 300 && b.state == BREAKER_CLOSED; t++)
        breaker_done(&b, t % 10 < 7 ? BREAKER_BAD : BREAKER_GOOD, false, t * S);
    assert_int_equal(b.state, BREAKER_OPEN);
    breaker_init(&b, &conf);
    bad(&b, 5, 0);
    breaker_done(&b, BREAKER_GOOD, false, S);
    bad(&b, 3, 200 * S); /* old ones do not count any more */
    assert_int_equal(b.state, BREAKER_CLOSED);
    bad(&b, 7, 100000 * S); /* ten in a row do, however slowly they come */
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_false(breaker_allows(&b, 100001 * S, &wake));
    assert_true(wake == 100030 * S);
}

/* One request at a time, each failure twice as long, up to the cap; a good one closes. */
static void half_open(void **state)
{
    static const uint64_t waits[] = {30, 60, 100, 100};
    struct breaker b;
    uint64_t now = 5 * S, wake = 0;

    (void)state;
    breaker_init(&b, &conf);
    assert_false(breaker_take(&b));
    bad(&b, 10, now);
    for (int i = 0; i < 4; i++) {
        assert_false(breaker_allows(&b, now + waits[i] * S - 1, &wake));
        assert_true(wake == now + waits[i] * S);
        now += waits[i] * S;
        assert_true(breaker_allows(&b, now, &wake));
        assert_true(breaker_take(&b));
        assert_false(breaker_allows(&b, now, &wake));
        assert_true(wake == UINT64_MAX);
        bad(&b, 1, now); /* an old one comes home: it is not the probe */
        assert_int_equal(b.state, BREAKER_HALF);
        breaker_done(&b, BREAKER_BAD, true, now);
    }
    now += 100 * S;
    assert_true(breaker_allows(&b, now, &wake));
    assert_true(breaker_take(&b));
    breaker_done(&b, BREAKER_NONE, true, now); /* canceled: the next one tries */
    assert_true(breaker_allows(&b, now, &wake));
    assert_true(breaker_take(&b));
    breaker_done(&b, BREAKER_GOOD, true, now);
    assert_int_equal(b.state, BREAKER_CLOSED);
    bad(&b, 9, now);
    assert_int_equal(b.state, BREAKER_CLOSED);
    bad(&b, 1, now);
    breaker_done(&b, BREAKER_GOOD, false, now + S); /* an old one, good: no need to wait */
    assert_true(breaker_allows(&b, now + S, &wake));
    breaker_reset(&b);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* For any history of failures: the requests of a dead time are bounded by the waits. */
static void probes_are_few(void **state)
{
    (void)state;
    for (int run = 0; run < 200; run++) {
        struct breaker b;
        uint64_t now = 0, wake = 0, end = 7200 * S;
        unsigned sent = 0;

        breaker_init(&b, &conf);
        while (now < end) {
            if (!breaker_allows(&b, now, &wake)) {
                now = wake;
                continue;
            }
            breaker_done(&b, BREAKER_BAD, breaker_take(&b), now + bits() % (2 * S));
            now += bits() % (5 * S);
            sent++;
        }
        assert_true(sent <= 10 + 2 + 7200 / 100);
    }
}

static void what_stands_in_the_way(void **state)
{
    struct gate g;
    uint64_t wake;

    (void)state;
    gate_init(&g, 0, &conf);
    assert_int_equal(g.limit, 1);
    assert_int_equal(gate_shut(&g, 0, &wake), GATE_OPEN);
    g.inflight = 1;
    assert_int_equal(gate_shut(&g, 0, &wake), GATE_FULL);
    assert_true(wake == UINT64_MAX);
    bad(&g.breaker, 10, 0);
    assert_int_equal(gate_shut(&g, 0, &wake), GATE_BREAKER);
    assert_true(wake == 30 * S);
    g.closed_until = 50 * S;
    assert_int_equal(gate_shut(&g, 0, &wake), GATE_WINDOW);
    assert_true(wake == 50 * S);
    gate_hold(&g, 40 * S);
    gate_hold(&g, 20 * S); /* never shorter */
    assert_int_equal(gate_shut(&g, 0, &wake), GATE_HOLD);
    assert_true(wake == 40 * S);
    g.paused = true;
    assert_int_equal(gate_shut(&g, 0, &wake), GATE_PAUSED);
    assert_true(wake == UINT64_MAX);
    g.paused = false;
    g.inflight = 0;
    assert_int_equal(gate_shut(&g, 50 * S, &wake), GATE_OPEN);
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

        assert_true(backoff_us(0, 0, tries, 0, 0) == top / 2);
        assert_true(backoff_us(0, 0, tries, 0, UINT64_MAX) == top - 1);
        for (int i = 0; i < 10000; i++)
            sum += backoff_us(0, 0, tries, 0, bits());
        assert_in_range(sum / 10000, top * 74 / 100, top * 76 / 100);
    }
    assert_true(backoff_us(0, 0, 0, 0, UINT64_MAX) == 499999);
    assert_true(backoff_us(1000, 5000, 1, 0, 0) == 500);
    assert_true(backoff_us(1000, 5000, 9, 0, 0) == 2500);
    assert_true(backoff_us(9000, 5000, 1, 0, 0) == 2500); /* the cap wins */
    assert_true(backoff_us(0, 0, UINT32_MAX, 0, 0) == 15000000);
}

/* The server's word is kept in full, whatever we would have done; a little more, not much. */
static void a_hint_wins(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t hint = 1 + bits() % (600 * S);
        uint64_t wait = backoff_us(S, 300 * S, 1 + (unsigned)(bits() % 12), hint, bits());

        assert_true(wait >= hint && wait <= hint + hint / 10 && wait < hint + S);
    }
}

/* In the long run at most one retry for five requests, after a reserve of a hundred. */
static void retries_have_a_budget(void **state)
{
    struct backoff_budget b = {0};
    unsigned spent = 0;

    (void)state;
    while (backoff_spend(&b))
        spent++;
    assert_int_equal(spent, 100);
    for (int i = 0; i < 1000; i++)
        backoff_earn(&b);
    for (spent = 0; backoff_spend(&b); spent++)
        ;
    assert_int_equal(spent, 100); /* a reserve, not savings */
    spent = 0;
    for (int i = 0; i < 5000; i++) {
        backoff_earn(&b);
        spent += backoff_spend(&b);
    }
    assert_int_equal(spent, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_is_halved_and_recovers),
        cmocka_unit_test(opens_by_share),
        cmocka_unit_test(half_open),
        cmocka_unit_test(probes_are_few),
        cmocka_unit_test(what_stands_in_the_way),
        cmocka_unit_test(back_off_doubles_within_its_jitter),
        cmocka_unit_test(a_hint_wins),
        cmocka_unit_test(retries_have_a_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
