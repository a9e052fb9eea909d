/* Retry-After in all its forms, and what stands in for it. */
#include "prov/verdict.h"
#include "unit.h"

#include <strings.h>

#define NO_WAIT UINT64_MAX
#define NOW_S INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

struct headers {
    const char *after, *ms, *date;
};

static const char *header_of(const void *arg, const char *name)
{
    const struct headers *h = arg;

    if (!strcasecmp(name, "Retry-After"))
        return h->after;
    if (!strcasecmp(name, "retry-after-ms"))
        return h->ms;
    return strcasecmp(name, "Date") ? NULL : h->date;
}

static void every_form(void **state)
{
    static const struct {
        struct headers h;
        uint64_t us;
    } t[] = {
        {{NULL, NULL, NULL}, NO_WAIT},
        {{"0", NULL, NULL}, 0},
        {{"3", NULL, NULL}, 3000000},
        {{"  3\t ", NULL, NULL}, 3000000},
        {{"0.25", NULL, NULL}, 250000},
        {{"1.0000001", NULL, NULL}, 1000001}, /* up, never down */
        {{"0.0000000000000001", NULL, NULL}, 1},
        {{"1.", NULL, NULL}, 1000000},
        {{"34560000", NULL, NULL}, UINT64_C(34560000000000)},
        {{"34560001", NULL, NULL}, NO_WAIT}, /* over 400 days */
        {{"99999999999999999999999999", NULL, NULL}, NO_WAIT},
        {{"-1", NULL, NULL}, NO_WAIT},
        {{"+1", NULL, NULL}, NO_WAIT},
        {{"", NULL, NULL}, NO_WAIT},
        {{".5", NULL, NULL}, NO_WAIT},
        {{"1e3", NULL, NULL}, NO_WAIT},
        {{"nan", NULL, NULL}, NO_WAIT},
        {{"inf", NULL, NULL}, NO_WAIT},
        {{"3 seconds", NULL, NULL}, NO_WAIT},
        {{"1,5", NULL, NULL}, NO_WAIT},
        {{NULL, "1500", NULL}, 1500000},
        {{NULL, "0.5", NULL}, 500},
        {{"9", "1500", NULL}, 1500000}, /* the finer one wins */
        {{"9", "later", NULL}, 9000000},
        /* The three formats of RFC 9110, one minute ahead of the local clock. */
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, NULL}, 60000000},
        {{"Sunday, 06-Nov-94 08:50:37 GMT", NULL, NULL}, 60000000},
        {{"Sun Nov  6 08:50:37 1994", NULL, NULL}, 60000000},
        {{"1994-11-06T08:50:37Z", NULL, NULL}, NO_WAIT}, /* not in this header */
        {{"1m", NULL, NULL}, NO_WAIT},
        /* The server's own clock counts, not ours. */
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, "Sun, 06 Nov 1994 08:50:07 GMT"}, 30000000},
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, "Sun, 06 Nov 1994 08:50:37 GMT"}, 0},
        {{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, "nonsense"}, 60000000},
        {{"Sun, 06 Nov 1994 08:48:37 GMT", NULL, NULL}, 0}, /* past */
        {{"Sun, 06 Nov 2094 08:48:37 GMT", NULL, NULL}, NO_WAIT}, /* absurd */
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct prov_reply r = {.status = 429, .header = header_of, .arg = &t[i].h};
        uint64_t us = NO_WAIT;

        if (verdict_retry_after_us(&r, NOW_S * 1000000, &us) == (t[i].us == NO_WAIT) ||
            us != t[i].us)
            fail_msg("row %zu: %llu", i, (unsigned long long)us);
    }
}

struct line {
    const char *name, *value;
};

static const char *line_of(const void *arg, const char *name)
{
    for (const struct line *l = arg; l->name; l++)
        if (!strcasecmp(l->name, name))
            return l->value;
    return NULL;
}

/* Milliseconds before seconds before the exhausted limit before the words. */
static void in_their_order(void **state)
{
    static const struct line all[] = {{"retry-after-ms", "250"}, {"Retry-After", "2"},
        {"x-ratelimit-limit-requests", "60"}, {"x-ratelimit-remaining-requests", "0"},
        {"x-ratelimit-reset-requests", "12.5s"}, {"x-ratelimit-limit-tokens", "1000"},
        {"x-ratelimit-remaining-tokens", "10"}, {"x-ratelimit-reset-tokens", "50s"},
        {NULL, NULL}};
    static const uint64_t us[] = {250000, 2000000, 12500000};
    static const char said[] = "Rate limit reached. Please try again in 46.72s.";
    struct prov_reply r = {.status = 429, .header = line_of};
    static const struct line now = {NULL, NULL};
    static const struct line zero[] = {{"Retry-After", "0"}, {NULL, NULL}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        r.arg = all + i;
        assert_int_equal(verdict_throttle_us(&r, 0, said), us[i]);
    }
    r.arg = all + 5; /* tokens are left, so theirs is not what we wait for */
    assert_int_equal(verdict_throttle_us(&r, 0, said), 46720000);
    r.arg = &now;
    assert_int_equal(verdict_throttle_us(&r, 0, "Slow down"), 0);
    r.arg = zero; /* an answer, too */
    assert_int_equal(verdict_throttle_us(&r, 0, said), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
