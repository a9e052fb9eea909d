/* A quota under load against a limiter that looks at every window, by hand. */
#include "sched/quota.h"
#include "unit.h"

#include "bits.h"

#include <stdio.h>
#include <stdlib.h>

#define S UINT64_C(1000000)
#define N 40000

struct sent {
    uint64_t at, tokens;
};

static struct sent all[N];
static size_t n;

/* The most that is in any minute; a minute that is full begins with something sent. */
static void most_in_a_minute(uint64_t *requests, uint64_t *tokens)
{
    *requests = *tokens = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = 0, count = 0;

        for (size_t k = i; k < n && all[k].at < all[i].at + QUOTA_MINUTE_US; k++) {
            sum += all[k].tokens;
            count++;
        }
        if (sum > *tokens)
            *tokens = sum;
        if (count > *requests)
            *requests = count;
    }
}

static int by_time(const void *x, const void *y)
{
    uint64_t a = ((const struct sent *)x)->at, b = ((const struct sent *)y)->at;

    return (a > b) - (a < b);
}

static void add(uint64_t at, uint64_t tokens)
{
    assert_true(n < N);
    all[n++] = (struct sent){at, tokens};
}

/* Sends one as soon as it may leave, `late` after its turn; the time then. */
static uint64_t send(struct quota *q, uint64_t tokens, uint64_t now, uint64_t late)
{
    uint64_t at = quota_when(q, tokens, now);

    assert_true(at != QUOTA_NEVER);
    if (at > now)
        assert_true(quota_when(q, tokens, at - 1) > at - 1);
    assert_true(quota_when(q, tokens, at) == at);
    quota_reserve(q, tokens, at);
    (void)quota_sent(q, tokens, at + late);
    add(at + late, tokens);
    return at + late;
}

/* Any limits, requests of any size, pauses and bursts: no window is over, and under load
 * nearly everything is used. One request after the other, so that large ones wait at the head:
 * what is lost to them is not the quota's. */
static void no_window_is_over(void **state)
{
    static struct quota q;

    (void)state;
    for (int run = 0; run < 60; run++) {
        struct quota_limits l = {.per_minute = {bits() % 3 ? 30 + bits() % 900 : 0,
                                     bits() % 3 ? 5000 + bits() % 200000 : 0},
            .headroom = (double)(bits() % 3) / 100};
        uint64_t now = 7 * S, requests, tokens, large = 1 + bits() % 4000;

        if (!l.per_minute[0] && !l.per_minute[1])
            l.per_minute[0] = 100;
        quota_init(&q, &l);
        n = 0;
        while (now < 400 * S && n < N) {
            now = send(&q, 1 + bits() % large, now, bits() % 3 ? 0 : bits() % 300000);
            if (bits() % 400 == 0)
                now += bits() % (100 * S);
        }
        most_in_a_minute(&requests, &tokens);
        if (l.per_minute[0])
            assert_true((double)requests <= (double)l.per_minute[0] * (1 - l.headroom));
        if (l.per_minute[1])
            assert_true((double)tokens <= (double)l.per_minute[1] * (1 - l.headroom));
    }
}

static void check_delivery(uint64_t rpm, uint64_t tpm, uint64_t large)
{
    static struct quota q;
    const struct quota_limits l = {.per_minute = {rpm, tpm}, .headroom = 0.01};
    uint64_t now = 3 * S, end = now + 300 * S, sum = 0;
    double ratio;

    quota_init(&q, &l);
    for (n = 0; now < end && n < N;)
        now = send(&q, 1 + bits() % large, now, 0);
    for (size_t i = 0; i < n && all[i].at < end; i++)
        sum += rpm ? 1 : all[i].tokens;
    ratio = (double)sum / (double)(rpm ? rpm : tpm) / 5;
    print_message("# %llu %s/min, requests of 1..%llu tokens: %.4f delivered\n",
        (unsigned long long)(rpm ? rpm : tpm), rpm ? "requests" : "tokens",
        (unsigned long long)large, ratio);
    assert_true(ratio >= 0.98 && ratio <= 1.0);
}

static void what_is_allowed_is_used(void **state)
{
    (void)state;
    check_delivery(600, 0, 1000);
    check_delivery(60, 0, 1000);
    check_delivery(0, 100000, 1000);
    check_delivery(0, 1000000, 5000);
}

/* Not all of a minute in its first second, and no faster than the limit for long: what a leaky
 * bucket of the vendor would let through. */
static void the_pace(void **state)
{
    static struct quota q;
    const struct quota_limits l = {.per_minute = {600, 0}};
    uint64_t now = 0;

    (void)state;
    quota_init(&q, &l);
    for (n = 0; now < 10 * S;)
        now = send(&q, 1, now, 0);
    assert_in_range(n, 100, 111);
    now += 30 * S; /* an idle minute earns one second's worth, no more */
    for (n = 0; n < 31;)
        now = send(&q, 1, now, 0);
    assert_true(all[30].at - all[0].at >= 19 * S / 10);
}

static void too_large(void **state)
{
    static struct quota q;
    const struct quota_limits l = {.per_minute = {0, 1000}, .headroom = 0.01};

    (void)state;
    quota_init(&q, &l);
    assert_true(quota_fits(&q, 990));
    assert_false(quota_fits(&q, 991));
    assert_true(quota_when(&q, 991, 0) == QUOTA_NEVER);
    assert_true(quota_when(&q, 990, 0) == 0);
    quota_reserve(&q, 990, 0);
    assert_true(quota_when(&q, 1, 0) == QUOTA_NEVER); /* only its end can tell */
    quota_back(&q, 990);
    assert_true(quota_when(&q, 990, 60 * S) == 60 * S);
}

/* What an earlier daemon sent counts as one's own. */
static void over_a_restart(void **state)
{
    static struct quota a, b;
    const struct quota_limits l = {.per_minute = {50, 20000}};
    uint64_t now = 100 * S, requests, tokens;

    (void)state;
    for (int run = 0; run < 50; run++) {
        size_t before;

        quota_init(&a, &l);
        n = 0;
        for (uint64_t end = now + bits() % (150 * S); now < end;)
            now = send(&a, 1 + bits() % 2000, now, 0);
        before = n;
        now += bits() % (20 * S);
        quota_init(&b, &l);
        for (size_t i = 0; i < before; i++)
            quota_restore(&b, all[i].at, 1, all[i].tokens);
        for (uint64_t end = now + 120 * S; now < end;)
            now = send(&b, 1 + bits() % 2000, now, 0);
        most_in_a_minute(&requests, &tokens);
        assert_true(requests <= 50 && tokens <= 20000);
    }
}

/* Taken for up to three times what it is, and put right when the answer comes, 0.3 s later: no
 * minute has too much in truth, and it is nearly all used. */
static void estimates_are_put_right(void **state)
{
    static struct quota q;
    const struct quota_limits l = {.per_minute = {0, 100000}, .headroom = 0.01};
    uint64_t now = 3 * S, end = now + 300 * S, guess[16], requests, tokens, sum = 0;
    size_t settled = 0;

    (void)state;
    quota_init(&q, &l);
    for (n = 0; now < end;) {
        uint64_t truth = 1 + bits() % 600, taken = truth * (1 + bits() % 3), at;

        while (settled < n && (all[settled].at + 300000 <= now || n - settled == 16)) {
            quota_less(&q, guess[settled % 16] - all[settled].tokens, all[settled].at);
            settled++;
        }
        at = quota_when(&q, taken, now);
        if (at > now) {
            now = settled < n && all[settled].at + 300000 < at ? all[settled].at + 300000 : at;
            continue;
        }
        quota_reserve(&q, taken, now);
        (void)quota_sent(&q, taken, now);
        guess[n % 16] = taken;
        add(now, truth);
        sum += truth;
    }
    most_in_a_minute(&requests, &tokens);
    assert_true(tokens <= 99000);
    print_message("# guesses of twice the truth: %.4f delivered\n", (double)sum / 500000);
    assert_true(sum >= 480000);
}

/* Sixteen at once, each answered within `latency`: by the times at which they arrive no minute has
 * too much. Returns the share that was delivered. */
static double arrivals(uint64_t latency)
{
    static struct quota q;
    const struct quota_limits l = {.per_minute = {0, 100000}, .headroom = 0.01};
    uint64_t now = 3 * S, end = now + 1200 * S, size = 1, requests, tokens, sum = 0;
    struct {
        uint64_t sent, answered;
    } way[16] = {{0}};

    quota_init(&q, &l);
    for (n = 0; now < end;) {
        uint64_t at = quota_when(&q, size, now), due = QUOTA_NEVER;
        size_t next = 0, room = 16;

        for (size_t i = 0; i < 16; i++) {
            if (!way[i].answered) {
                room = i;
            } else if (way[i].answered < due) {
                due = way[i].answered;
                next = i;
            }
        }
        if (due <= now) {
            quota_answered(&q, way[next].sent, now);
            way[next].answered = 0;
        } else if (room < 16 && at <= now) {
            uint64_t took = 1 + bits() % latency;

            quota_reserve(&q, size, now);
            way[room].sent = quota_sent(&q, size, now);
            way[room].answered = now + took;
            add(now + bits() % (took < QUOTA_JITTER_US ? took : QUOTA_JITTER_US), size);
            sum += size;
            size = 1 + bits() % 600;
        } else {
            now = room < 16 && at < due ? at : due;
        }
    }
    qsort(all, n, sizeof *all, by_time);
    most_in_a_minute(&requests, &tokens);
    assert_true(tokens <= 99000);
    return (double)sum / 2000000;
}

/* What is answered at once has arrived at once: there is nothing to be careful about. */
static void answered_is_arrived(void **state)
{
    double quick, slow;

    (void)state;
    quick = arrivals(50000);
    slow = arrivals(3000000);
    print_message("# answers within 0.05 s: %.4f delivered; within 3 s: %.4f\n", quick, slow);
    assert_true(quick >= 0.985 && slow >= 0.98 && quick > slow);
}

/* ---- what the server says ---- */

static void learned_limits(void **state)
{
    static struct quota q;
    struct quota_limits l = {.per_minute = {100, 0}, .honour = true};
    struct quota_seen seen = {.has_limit = true, .limit = 40};

    (void)state;
    quota_init(&q, &l);
    assert_true(q.cap[SLIDE_REQUESTS] == 100 && q.cap[SLIDE_TOKENS] == QUOTA_NEVER);
    quota_learn(&q, SLIDE_REQUESTS, &seen, 0);
    assert_true(q.cap[SLIDE_REQUESTS] == 40);
    seen.limit = 5000;
    quota_learn(&q, SLIDE_REQUESTS, &seen, 0);
    assert_true(q.cap[SLIDE_REQUESTS] == 100); /* our own is never raised */
    quota_learn(&q, SLIDE_TOKENS, &seen, 0);
    assert_true(q.cap[SLIDE_TOKENS] == 5000); /* where we have none, theirs */
    seen.limit = 7000;
    quota_learn(&q, SLIDE_TOKENS, &seen, 0);
    assert_true(q.cap[SLIDE_TOKENS] == 7000);
    l.honour = false;
    quota_init(&q, &l);
    quota_learn(&q, SLIDE_TOKENS, &seen, 0);
    assert_true(q.cap[SLIDE_TOKENS] == QUOTA_NEVER);
}

static void remaining(void **state)
{
    static struct quota q;
    const struct quota_limits l = {.per_minute = {100, 0}, .honour = true};
    struct quota_seen seen = {.has_remaining = true, .remaining = 0, .reset_us = 20 * S};
    uint64_t now = 50 * S;

    (void)state;
    quota_init(&q, &l);
    quota_learn(&q, SLIDE_REQUESTS, &seen, now);
    assert_true(quota_when(&q, 1, now) == now + 20 * S); /* nothing before the reset */
    now += 20 * S;
    assert_true(quota_when(&q, 1, now) == now);
    seen = (struct quota_seen){.has_remaining = true, .remaining = 3, .reset_us = 30 * S};
    quota_learn(&q, SLIDE_REQUESTS, &seen, now);
    for (n = 0; n < 3;)
        now = send(&q, 1, now, 0);
    assert_true(now < 75 * S);
    now = send(&q, 1, now, 0); /* somebody else has used the rest */
    assert_true(now >= 100 * S);
    seen.remaining = 90; /* more than we think: nothing to be learned */
    quota_learn(&q, SLIDE_REQUESTS, &seen, now);
    assert_true(quota_when(&q, 1, now + S) == now + S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_is_over),
        cmocka_unit_test(what_is_allowed_is_used),
        cmocka_unit_test(the_pace),
        cmocka_unit_test(too_large),
        cmocka_unit_test(over_a_restart),
        cmocka_unit_test(estimates_are_put_right),
        cmocka_unit_test(answered_is_arrived),
        cmocka_unit_test(learned_limits),
        cmocka_unit_test(remaining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
