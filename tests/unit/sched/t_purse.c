/* Purses against a list of every single claim that is added up anew at every step. */
#include "sched/price.h"
#include "sched/purse.h"
#include "unit.h"

#define JOBS 4
#define USERS 2
#define CLAIMS 40
#define LOG 2000

/* The independent account: who paid what, once; who holds what. */
struct entry {
    unsigned job;
    struct purse_sum sum;
};

struct books {
    struct purse job[JOBS], user[USERS], day;
    struct purse_claim claim[CLAIMS];
    unsigned owner[CLAIMS]; /* job of an open claim */
    struct entry paid[LOG];
    size_t paid_n;
};

static uint64_t seed;

static uint64_t draw(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

static struct purse_sum spent_of(const struct books *b, bool (*mine)(unsigned job, unsigned of),
    unsigned of)
{
    struct purse_sum s = {0};

    for (size_t i = 0; i < b->paid_n; i++)
        if (mine(b->paid[i].job, of)) {
            s.requests += b->paid[i].sum.requests;
            s.tokens += b->paid[i].sum.tokens;
            s.nano += b->paid[i].sum.nano;
        }
    return s;
}

static struct purse_sum held_of(const struct books *b, bool (*mine)(unsigned job, unsigned of),
    unsigned of)
{
    struct purse_sum s = {0};

    for (size_t i = 0; i < CLAIMS; i++)
        if (b->claim[i].open && mine(b->owner[i], of)) {
            s.requests += b->claim[i].held.requests;
            s.tokens += b->claim[i].held.tokens;
            s.nano += b->claim[i].held.nano;
        }
    return s;
}

static bool of_job(unsigned job, unsigned of)
{
    return job == of;
}

static bool of_user(unsigned job, unsigned of)
{
    return job % USERS == of;
}

static bool of_all(unsigned job, unsigned of)
{
    (void)job;
    (void)of;
    return true;
}

static bool same(const struct purse_sum *a, const struct purse_sum *b)
{
    return a->requests == b->requests && a->tokens == b->tokens && a->nano == b->nano;
}

static void check_one(const struct books *b, const struct purse *p,
    bool (*mine)(unsigned job, unsigned of), unsigned of)
{
    struct purse_sum spent = spent_of(b, mine, of), held = held_of(b, mine, of);

    assert_true(same(&spent, &p->spent));
    assert_true(same(&held, &p->held));
    assert_true(spent.requests + held.requests <= p->cap.requests);
    assert_true(spent.tokens + held.tokens <= p->cap.tokens);
    assert_true(spent.nano + held.nano <= p->cap.nano);
}

static void check(const struct books *b)
{
    for (unsigned j = 0; j < JOBS; j++)
        check_one(b, &b->job[j], of_job, j);
    for (unsigned u = 0; u < USERS; u++)
        check_one(b, &b->user[u], of_user, u);
    check_one(b, &b->day, of_all, 0);
}

/* By plain sums: does it fit everywhere? */
static bool fits(const struct books *b, unsigned j, const struct purse_sum *w)
{
    const struct {
        const struct purse *p;
        bool (*mine)(unsigned job, unsigned of);
        unsigned of;
    } all[] = {{&b->job[j], of_job, j}, {&b->user[j % USERS], of_user, j % USERS},
        {&b->day, of_all, 0}};

    for (size_t i = 0; i < 3; i++) {
        struct purse_sum s = spent_of(b, all[i].mine, all[i].of),
                         h = held_of(b, all[i].mine, all[i].of);

        if (s.requests + h.requests + w->requests > all[i].p->cap.requests ||
            s.tokens + h.tokens + w->tokens > all[i].p->cap.tokens ||
            s.nano + h.nano + w->nano > all[i].p->cap.nano)
            return false;
    }
    return true;
}

static void begin(struct books *b, size_t i)
{
    unsigned j = (unsigned)draw(JOBS);
    struct purse_sum worst = {1, draw(500), draw(2000)};
    bool fit = fits(b, j, &worst);
    size_t level = 99;
    enum purse_unit u;

    b->claim[i] = (struct purse_claim){
        .of = {&b->job[j], &b->user[j % USERS], &b->day}};
    b->owner[i] = j;
    u = purse_reserve(&b->claim[i], &worst, &level);
    assert_int_equal(u == PURSE_FITS, fit);
    assert_int_equal(b->claim[i].open, fit);
    if (!fit)
        assert_in_range(level, 0, 2);
    if (fit)
        assert_true(purse_may_fit(
            &(struct purse_claim){.of = {&b->job[j], &b->user[j % USERS], &b->day}}, &worst));
}

static void end(struct books *b, size_t i)
{
    const struct purse_sum *h = &b->claim[i].held;
    struct purse_sum actual = {h->requests, draw(h->tokens + 1), draw(h->nano + 1)};

    if (draw(4) == 0) {
        purse_release(&b->claim[i]);
        return;
    }
    if (draw(4) == 0)
        actual = *h; /* nobody knows: the worst case */
    b->paid[b->paid_n++] = (struct entry){b->owner[i], actual};
    purse_settle(&b->claim[i], &actual);
}

static void sums_are_those_of_the_list(void **state)
{
    static struct books b;

    (void)state;
    for (unsigned run = 0; run < 30; run++) {
        seed = 99 + run;
        b = (struct books){0};
        for (unsigned j = 0; j < JOBS; j++) {
            purse_init(&b.job[j]);
            if (draw(3))
                b.job[j].cap.nano = draw(60000);
            if (draw(3) == 0)
                b.job[j].cap.requests = draw(60);
            if (draw(3) == 0)
                b.job[j].cap.tokens = draw(20000);
        }
        for (unsigned u = 0; u < USERS; u++) {
            purse_init(&b.user[u]);
            b.user[u].cap.nano = 40000 + draw(100000);
        }
        purse_init(&b.day);
        b.day.cap.nano = 100000 + draw(60000);
        for (unsigned n = 0; n < 1500; n++) {
            size_t i = draw(CLAIMS);

            if (b.claim[i].open)
                end(&b, i);
            else
                begin(&b, i);
            check(&b);
        }
    }
}

/* Fifty at once against a cap that has room for fewer: to the last nano-dollar. */
static void fifty_at_once(void **state)
{
    struct purse p;
    struct purse_claim c[50];
    const struct purse_sum worst = {1, 100, 30000000}; /* 3 cents, cap 1.00 */
    unsigned in = 0;

    (void)state;
    purse_init(&p);
    p.cap.nano = 1000000000;
    for (unsigned i = 0; i < 50; i++) {
        c[i] = (struct purse_claim){.of = {&p}};
        in += purse_reserve(&c[i], &worst, NULL) == PURSE_FITS;
    }
    assert_int_equal(in, 33);
    assert_int_equal(p.held.nano, 990000000);
    assert_true(purse_may_fit(&c[40], &worst)); /* if they all came back for nothing */
    for (unsigned i = 0; i < 33; i++)
        purse_settle(&c[i], &worst);
    assert_false(purse_may_fit(&c[40], &worst));
    assert_int_equal(p.spent.nano, 990000000);
    assert_int_equal(p.held.nano, 0);
}

static void names_what_is_short(void **state)
{
    struct purse job, day;
    struct purse_claim c = {.of = {&job, NULL, &day}};
    size_t level = 9;

    (void)state;
    purse_init(&job);
    purse_init(&day);
    day.cap.nano = 5;
    assert_int_equal(purse_reserve(&c, &(struct purse_sum){1, 1, 6}, &level), PURSE_USD);
    assert_int_equal(level, 2);
    job.cap.tokens = 0;
    assert_int_equal(purse_reserve(&c, &(struct purse_sum){1, 1, 6}, &level), PURSE_TOKENS);
    assert_int_equal(level, 0);
    job.cap.requests = 0;
    assert_int_equal(purse_reserve(&c, &(struct purse_sum){1, 1, 6}, &level), PURSE_REQUESTS);
    assert_int_equal(job.held.nano + day.held.nano, 0);
    purse_release(&c); /* never opened */
}

static void what_cost_more_than_thought_is_spent(void **state)
{
    struct purse p;
    struct purse_claim c = {.of = {&p}};

    (void)state;
    purse_init(&p);
    p.cap.nano = 10;
    assert_int_equal(purse_reserve(&c, &(struct purse_sum){1, 1, 10}, NULL), PURSE_FITS);
    purse_settle(&c, &(struct purse_sum){1, 1, 14});
    assert_int_equal(p.spent.nano, 14);
    assert_int_equal(purse_reserve(&c, &(struct purse_sum){1, 1, 0}, NULL), PURSE_USD);
    p.cap.nano = PURSE_OPEN; /* no cap takes everything, without a wrap */
    assert_int_equal(
        purse_reserve(&c, &(struct purse_sum){1, 1, UINT64_MAX - 3}, NULL), PURSE_FITS);
    purse_settle(&c, &(struct purse_sum){1, 1, UINT64_MAX - 3});
    assert_int_equal(p.spent.nano, UINT64_MAX - 1);
}

/* The figures of the design's example, and the rounding: up, once an answer. */
static void costs(void **state)
{
    const struct price_rate r = {100000000, 400000000, 0}, odd = {37500000, 0, 7};
    const struct price_rate huge = {UINT64_MAX, UINT64_MAX, UINT64_MAX};

    (void)state;
    assert_int_equal(price_cost(&r, 20168000, 258560), 2120224000u);
    assert_int_equal(price_cost(&r, 0, 0), 0);
    assert_int_equal(price_cost(&odd, 1, 0), 38 + 7);
    assert_int_equal(price_cost(&odd, 2, 0), 75 + 7);
    assert_int_equal(price_cost(&huge, 1u << 20, 1u << 20), UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_list),
        cmocka_unit_test(fifty_at_once),
        cmocka_unit_test(names_what_is_short),
        cmocka_unit_test(what_cost_more_than_thought_is_spent),
        cmocka_unit_test(costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
