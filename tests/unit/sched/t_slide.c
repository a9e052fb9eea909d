/* The sliding log against a plain list of everything that was ever added. */
#include "sched/slide.h"
#include "unit.h"

#include "bits.h"

#define SPAN 60000u
#define N 6000

struct entry {
    uint64_t at, amount[SLIDE_DIMS];
};

static struct entry all[N];
static size_t n;

/* By looking at everything; what is older than `span` does not count. */
static uint64_t sum_by_hand(unsigned dim, uint64_t now, uint64_t span)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (all[i].at + span > now)
            sum += all[i].amount[dim];
    return sum;
}

/* Never less than the truth, and never more than the truth of a span a thousandth longer. */
static void never_short_hardly_long(void **state)
{
    static struct slide s;

    (void)state;
    for (int run = 0; run < 20; run++) {
        uint64_t now = 1000;
        unsigned gap = 1u << bits() % 9;

        n = 0;
        slide_init(&s, SPAN, 0);
        while (n < N) {
            now += bits() % gap;
            all[n] = (struct entry){now, {1, bits() % 500}};
            (void)slide_add(&s, now, 1, all[n].amount[1]);
            n++;
            if (n % 97)
                continue;
            now += bits() % 4 ? 0 : bits() % SPAN;
            slide_expire(&s, now);
            for (unsigned d = 0; d < SLIDE_DIMS; d++) {
                assert_true(s.sum[d] >= sum_by_hand(d, now, SPAN));
                assert_true(s.sum[d] <= sum_by_hand(d, now, SPAN + SPAN / 1000 + 1));
            }
        }
    }
}

/* Requests arrive between their leaving and their answer, and never later than the slack: what
 * has arrived within the span always counts. Once all is answered nothing counts for longer than
 * its answer asks. */
static void counts_until_it_has_arrived(void **state)
{
    static struct slide s;
    static uint64_t arrived[N], answered[N], known[N];
    const uint64_t slack = 500;
    size_t done = 0;

    (void)state;
    for (int run = 0; run < 40; run++) {
        uint64_t now = 1000, wait = 1 + bits() % 2000, longest = 0;

        slide_init(&s, SPAN, slack);
        for (n = done = 0; n < N; n++) {
            uint64_t in_window = 0, took;

            now += bits() % 200;
            for (; done < n && answered[done] <= now; done++)
                if (answered[done]) /* some never are */
                    slide_answered(&s, known[done], answered[done]);
            slide_expire(&s, now);
            for (size_t i = n; i-- > 0 && all[i].at + SPAN + slack > now;)
                in_window += arrived[i] <= now && arrived[i] + SPAN > now ? all[i].amount[1] : 0;
            assert_true(s.sum[SLIDE_TOKENS] >= in_window);
            all[n] = (struct entry){now, {1, 1 + bits() % 500}};
            known[n] = slide_add(&s, now, 1, all[n].amount[1]);
            answered[n] = (n && answered[n - 1] > now ? answered[n - 1] : now) + bits() % wait;
            took = answered[n] - now;
            longest = took > longest ? took : longest;
            arrived[n] = now + bits() % (1 + (took < slack ? took : slack));
            if (bits() % 50 == 0 && run % 2)
                answered[n] = 0; /* lost */
        }
        if (run % 2)
            continue;
        for (; done < n; done++)
            slide_answered(&s, known[done], answered[done]);
        assert_true(slide_when(&s, SLIDE_TOKENS, 0, now) <=
            now + (longest < slack ? longest : slack) + SPAN);
    }
}

/* At the time that it names the sum is low enough, one tick before it is not. */
static void says_when(void **state)
{
    static struct slide s, at, before;

    (void)state;
    for (int run = 0; run < 300; run++) {
        uint64_t now = 5;

        slide_init(&s, SPAN, 0);
        for (int i = 0; i < 200; i++) {
            now += bits() % 600;
            (void)slide_add(&s, now, 1, bits() % 100);
        }
        for (int i = 0; i < 10; i++) {
            uint64_t most = bits() % 8000, when = slide_when(&s, SLIDE_TOKENS, most, now);

            at = before = s;
            slide_expire(&at, when);
            assert_true(at.sum[SLIDE_TOKENS] <= most);
            assert_true(when >= now);
            if (when == now)
                continue;
            slide_expire(&before, when - 1);
            assert_true(before.sum[SLIDE_TOKENS] > most);
        }
    }
}

/* A clock that stands, or times out of order, lose nothing. */
static void times_out_of_order(void **state)
{
    static struct slide s;

    (void)state;
    slide_init(&s, SPAN, 0);
    for (int i = 0; i < 5000; i++)
        (void)slide_add(&s, 100 - (uint64_t)i % 50, 1, 2);
    assert_true(s.sum[SLIDE_REQUESTS] == 5000 && s.sum[SLIDE_TOKENS] == 10000);
    assert_true(slide_when(&s, SLIDE_REQUESTS, 4999, 100) == 100 + SPAN);
    assert_true(slide_when(&s, SLIDE_REQUESTS, 5000, 100) == 100);
    slide_expire(&s, 99 + SPAN);
    assert_true(s.sum[SLIDE_REQUESTS] == 5000);
    slide_expire(&s, 100 + SPAN);
    assert_true(s.sum[SLIDE_REQUESTS] == 0 && s.n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_short_hardly_long),
        cmocka_unit_test(counts_until_it_has_arrived),
        cmocka_unit_test(says_when),
        cmocka_unit_test(times_out_of_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
