/* Rate-limit headers: every provider's, as its documentation shows them. */
#include "prov/limits.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NOW_US INT64_C(1763800000000000) /* 2025-11-22T08:26:40Z */

struct line {
    const char *name, *value;
};

#define LINES_MAX 14

static const char *header_of(const void *arg, const char *name)
{
    size_t len = strlen(name);
    bool prefix = name[len - 1] == '*';

    for (const struct line *l = arg; l->name; l++)
        if (prefix ? !strncasecmp(l->name, name, len - 1) : !strcasecmp(l->name, name))
            return l->value;
    return NULL;
}

static struct limits read_lines(const struct line *l)
{
    const struct prov_reply r = {.status = 200, .header = header_of, .arg = l};
    struct limits got;

    memset(&got, 0x55, sizeof got);
    limits_read(&r, NOW_US, &got);
    return got;
}

/* "limit/remaining/reset ms/window s", "-" for what is not known. */
static void show(const struct limits_dim *d, char out[100])
{
    char part[4][24] = {"-", "-", "-", "-"};

    if (d->limit_known)
        (void)snprintf(part[0], 24, "%llu", (unsigned long long)d->limit);
    if (d->remaining_known)
        (void)snprintf(part[1], 24, "%llu", (unsigned long long)d->remaining);
    if (d->reset_known)
        (void)snprintf(part[2], 24, "%llu", (unsigned long long)(d->reset_us / 1000));
    if (d->window_us)
        (void)snprintf(part[3], 24, "%llu", (unsigned long long)(d->window_us / 1000000));
    (void)snprintf(out, 100, "%s/%s/%s/%s", part[0], part[1], part[2], part[3]);
    assert_int_equal(d->known, d->limit_known || d->remaining_known);
}

struct row {
    const char *what;
    struct line line[LINES_MAX];
    const char *requests, *tokens;
    uint64_t wait_ms;
};

#define NONE "-/-/-/-"

static const struct row table[] = {
    {"nothing", {{"Content-Type", "application/json"}}, NONE, NONE, 0},
    {"OpenAI",
        {{"x-ratelimit-limit-requests", "60"}, {"x-ratelimit-limit-tokens", "150000"},
            {"x-ratelimit-remaining-requests", "59"}, {"x-ratelimit-remaining-tokens", "149984"},
            {"x-ratelimit-reset-requests", "1s"}, {"x-ratelimit-reset-tokens", "6m0s"}},
        "60/59/1000/-", "150000/149984/360000/-", 0},
    {"OpenAI, by usage",
        {{"X-RateLimit-Limit-Tokens", "150000"}, {"X-RateLimit-Remaining-Tokens", "1000"},
            {"X-RateLimit-Reset-Tokens", "12ms"},
            {"x-ratelimit-limit-tokens_usage_based", "40000"},
            {"x-ratelimit-remaining-tokens_usage_based", "0"},
            {"x-ratelimit-reset-tokens_usage_based", "9ms"}},
        NONE, "40000/0/9/-", 9},
    {"Azure",
        {{"x-ratelimit-limit-requests", "100"}, {"x-ratelimit-remaining-requests", "99"},
            {"x-ratelimit-reset-requests", "10"}, {"x-ratelimit-limit-tokens", "-1"},
            {"x-ratelimit-remaining-tokens", "-1"}, {"x-ratelimit-reset-tokens", "0"}},
        "100/99/10000/-", NONE, 0},
    {"Azure, remaining only", {{"x-ratelimit-remaining-requests", "7"}}, "-/7/-/-", NONE, 0},
    {"Anthropic",
        {{"anthropic-ratelimit-requests-limit", "50"},
            {"anthropic-ratelimit-requests-remaining", "49"},
            {"anthropic-ratelimit-requests-reset", "2025-11-22T08:26:42Z"},
            {"anthropic-ratelimit-tokens-limit", "60000"},
            {"anthropic-ratelimit-tokens-remaining", "60000"},
            {"anthropic-ratelimit-tokens-reset", "2025-11-22T08:26:40Z"},
            {"anthropic-ratelimit-input-tokens-limit", "50000"},
            {"anthropic-ratelimit-input-tokens-remaining", "48000"},
            {"anthropic-ratelimit-input-tokens-reset", "2025-11-22T08:26:45Z"},
            {"anthropic-ratelimit-output-tokens-limit", "10000"},
            {"anthropic-ratelimit-output-tokens-remaining", "9000"},
            {"anthropic-ratelimit-output-tokens-reset", "2025-11-22T08:27:40Z"}},
        "50/49/2000/-", "50000/48000/5000/-", 0},
    {"Anthropic, no output left",
        {{"anthropic-ratelimit-input-tokens-limit", "50000"},
            {"anthropic-ratelimit-input-tokens-remaining", "48000"},
            {"anthropic-ratelimit-output-tokens-limit", "10000"},
            {"anthropic-ratelimit-output-tokens-remaining", "0"},
            {"anthropic-ratelimit-output-tokens-reset", "2025-11-22T09:27:40.5+01:00"}},
        NONE, "10000/0/60500/-", 60500},
    {"Anthropic, by the server's clock",
        {{"Date", "Sat, 22 Nov 2025 08:00:00 GMT"}, {"anthropic-ratelimit-requests-limit", "50"},
            {"anthropic-ratelimit-requests-remaining", "0"},
            {"anthropic-ratelimit-requests-reset", "2025-11-22T08:00:30Z"}},
        "50/0/30000/-", NONE, 30000},
    {"Together",
        {{"x-ratelimit-limit", "10"}, {"x-ratelimit-remaining", "4"}, {"x-ratelimit-reset", "1"},
            {"x-tokenlimit-limit", "3000"}, {"x-tokenlimit-remaining", "2500"},
            {"x-ratelimit-limit-dynamic", "6"}},
        "6/4/1000/1", "3000/2500/1000/1", 0},
    {"Together, fractions",
        {{"x-ratelimit-limit", "10.5"}, {"x-ratelimit-remaining", "0.5"},
            {"x-ratelimit-reset", "0.25"}, {"x-tokenlimit-limit", "0.9"}},
        "10/0/250/1", NONE, 250},
    {"Fireworks",
        {{"x-ratelimit-limit-requests", "600"}, {"x-ratelimit-remaining-requests", "599"},
            {"x-ratelimit-limit-tokens-prompt", "60000"},
            {"x-ratelimit-limit-tokens-generated", "6000"}},
        "600/599/-/-", "60000/-/-/-", 0},
    {"Groq",
        {{"x-ratelimit-limit-requests", "14400"}, {"x-ratelimit-remaining-requests", "14370"},
            {"x-ratelimit-reset-requests", "2m59.56s"}, {"x-ratelimit-limit-tokens", "18000"},
            {"x-ratelimit-remaining-tokens", "17997"}, {"x-ratelimit-reset-tokens", "7.66s"}},
        "14400/14370/179560/-", "18000/17997/7660/-", 0},
    {"Cerebras",
        {{"x-ratelimit-limit-requests-day", "14400"},
            {"x-ratelimit-remaining-requests-day", "14000"},
            {"x-ratelimit-reset-requests-day", "33011.382"},
            {"x-ratelimit-limit-tokens-minute", "60000"},
            {"x-ratelimit-remaining-tokens-minute", "59000"},
            {"x-ratelimit-reset-tokens-minute", "11.38"}},
        "14400/14000/33011382/86400", "60000/59000/11380/60", 0},
    {"a moment in milliseconds",
        {{"X-RateLimit-Limit", "20"}, {"X-RateLimit-Remaining", "0"},
            {"X-RateLimit-Reset", "1763800060000"}},
        "20/0/60000/-", NONE, 60000},
    {"draft 10",
        {{"RateLimit-Policy", "\"name\";q=100;w=60;qu=\"requests\";pk=:c29tZQ==:"},
            {"RateLimit", "\"name\";r=50;t=30"}},
        "100/50/30000/60", NONE, 0},
    {"draft 10, two windows",
        {{"RateLimit-Policy", "\"burst\";q=100;w=60, \"daily\";q=1000;w=86400"},
            {"RateLimit", "\"daily\";r=0;t=3600, \"burst\";r=50;t=30"}},
        "1000/0/3600000/86400", NONE, 3600000},
    {"draft 10, units",
        {{"RateLimit-Policy", "\"t\";q=9000;w=60;qu=\"tokens\", \"b\";q=5;qu=\"content-bytes\","
                              "\"c\";q=3;qu=\"concurrent-requests\""},
            {"RateLimit", "\"t\";r=8000;t=9, \"b\";r=0;t=9, \"c\";r=0"}},
        NONE, "9000/8000/9000/60", 0},
    {"draft 10, announced", {{"RateLimit-Policy", "\"d\";q=10;w=1"}}, "10/-/-/1", NONE, 0},
    {"draft 10, without its policy", {{"RateLimit", "\"d\";r=3"}}, "-/3/-/-", NONE, 0},
    {"draft 10, broken",
        {{"RateLimit-Policy", "\"d\";q=10;w=1,"}, {"RateLimit", "\"d\";r=0;t=5, \"e"}}, NONE, NONE,
        0},
    {"draft 10, nonsense",
        {{"RateLimit-Policy", "\"d\";q=-10;w=1"}, {"RateLimit", "\"d\";r=-1;t=5"}}, NONE, NONE, 0},
    {"draft 7",
        {{"RateLimit-Policy", "100;w=60"}, {"RateLimit", "limit=100, remaining=99, reset=60"}},
        "100/99/60000/60", NONE, 0},
    {"draft 7, said twice", {{"RateLimit", "limit=9, limit=0, remaining=5, remaining=x, reset=1"}},
        NONE, NONE, 0},
    {"draft 3",
        {{"RateLimit-Limit", "10, 10;w=1;burst=1000, 1000;w=3600"}, {"RateLimit-Remaining", "8"},
            {"RateLimit-Reset", "1"}},
        "10/8/1000/1", NONE, 0},
    {"draft 6",
        {{"RateLimit-Limit", "100"}, {"RateLimit-Policy", "100;w=60"}, {"RateLimit-Remaining", "0"},
            {"RateLimit-Reset", "17"}},
        "100/0/17000/60", NONE, 17000},
    {"APISIX",
        {{"X-AI-RateLimit-Limit-deepseek-1", "300"}, {"X-AI-RateLimit-Remaining-deepseek-1", "0"},
            {"X-AI-RateLimit-Reset-deepseek-1", "22"}},
        NONE, "300/0/22000/-", 22000},
    {"nonsense",
        {{"x-ratelimit-limit-requests", "nan"}, {"x-ratelimit-remaining-requests", "-0"},
            {"x-ratelimit-reset-requests", "inf"}, {"x-ratelimit-limit-tokens", "1e9"},
            {"x-ratelimit-remaining-tokens", "99999999999999999999"},
            {"x-ratelimit-reset-tokens", "-1s"}},
        NONE, NONE, 0},
    {"more than there is, and a limit of nothing",
        {{"x-ratelimit-limit-requests", "10"}, {"x-ratelimit-remaining-requests", "11"},
            {"x-ratelimit-reset-requests", "500d"}, {"x-ratelimit-limit-tokens", "0"}},
        "10/10/-/-", NONE, 0},
    {"a reset alone says nothing", {{"x-ratelimit-reset-requests", "5s"}}, NONE, NONE, 0},
};

static void every_provider(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct limits l = read_lines(table[i].line);
        char requests[100], tokens[100];

        show(&l.requests, requests);
        show(&l.tokens, tokens);
        if (strcmp(requests, table[i].requests) || strcmp(tokens, table[i].tokens) ||
            limits_wait_us(&l) != table[i].wait_ms * 1000)
            fail_msg("%s: requests %s, tokens %s, wait %llu us", table[i].what, requests, tokens,
                (unsigned long long)limits_wait_us(&l));
    }
}

/* However the headers stand, the tightest limit wins. */
static void order_does_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct line turned[LINES_MAX] = {{NULL, NULL}};
        struct limits a = read_lines(table[i].line), b;
        size_t n = 0;

        while (table[i].line[n].name)
            n++;
        for (size_t k = 0; k < n; k++)
            turned[k] = table[i].line[n - 1 - k];
        b = read_lines(turned);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static struct limits_dim any_dim(void)
{
    struct limits_dim d = {.limit_known = rand() % 2, .remaining_known = rand() % 2};

    d.known = d.limit_known || d.remaining_known;
    d.reset_known = d.known && rand() % 2;
    d.limit = d.limit_known ? (uint64_t)(1 + rand() % 4) : 0;
    d.remaining = d.remaining_known ? (uint64_t)(rand() % 4) : 0;
    d.reset_us = d.reset_known ? (uint64_t)(rand() % 4) : 0;
    d.window_us = d.known ? (uint64_t)(rand() % 3) : 0;
    return d;
}

static bool same(const struct limits_dim *a, const struct limits_dim *b)
{
    return a->limit_known == b->limit_known && a->remaining_known == b->remaining_known &&
           a->limit == b->limit && a->remaining == b->remaining && a->reset_us == b->reset_us &&
           a->window_us == b->window_us;
}

static void tighter_is_an_order(void **state)
{
    static const struct limits_dim none;

    (void)state;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        struct limits_dim a = any_dim(), b = any_dim(), c = any_dim();
        struct limits_dim ab = limits_tighter(&a, &b), ba = limits_tighter(&b, &a);
        struct limits_dim bc = limits_tighter(&b, &c), left, right;

        assert_true(same(&ab, &ba));
        left = limits_tighter(&ab, &c);
        right = limits_tighter(&a, &bc);
        assert_true(same(&left, &right));
        left = limits_tighter(&a, &none);
        assert_true(same(&left, &a));
        if (a.remaining_known && b.remaining_known)
            assert_true(ab.remaining <= a.remaining && ab.remaining <= b.remaining);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_provider),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(tighter_is_an_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
