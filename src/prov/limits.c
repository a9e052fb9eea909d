#include "prov/limits.h"

#include "prov/sf.h"
#include "prov/wait.h"

#include <string.h>

#define COUNT_MAX UINT64_C(1000000000000000) /* more is nonsense */
#define POLICIES_MAX 16
#define MINUTE_US UINT64_C(60000000)

enum dim { REQUESTS, TOKENS, OUTPUT };

/* ---- one limit ---- */

/* The value that decides which of two limits is the tighter one, field by field. */
static int order(const struct limits_dim *a, const struct limits_dim *b)
{
    const uint64_t key[][2] = {
        {!a->known, !b->known},
        {!a->remaining_known, !b->remaining_known},
        {a->remaining, b->remaining},
        {b->reset_us, a->reset_us}, /* the longer wait */
        {!a->limit_known, !b->limit_known},
        {a->limit, b->limit},
        {b->window_us, a->window_us},
    };

    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++)
        if (key[i][0] != key[i][1])
            return key[i][0] < key[i][1] ? -1 : 1;
    return 0;
}

struct limits_dim limits_tighter(const struct limits_dim *a, const struct limits_dim *b)
{
    return order(a, b) <= 0 ? *a : *b;
}

/* Digits, with a fraction that is dropped; blanks around. */
static bool count(const char *s, uint64_t *ret)
{
    uint64_t n = 0;

    while (s && (*s == ' ' || *s == '\t'))
        s++;
    if (!s || *s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > COUNT_MAX)
            return false;
    }
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++)
            ;
    while (*s == ' ' || *s == '\t')
        s++;
    if (*s)
        return false;
    *ret = n;
    return true;
}

struct reading {
    const struct prov_reply *r;
    int64_t now_us;
    struct limits *l;
};

/* Keeps the tightest, with 0 for what is not known. A limit of output alone hides how much
 * input is still allowed, and our answers are a token or a few: it counts only where it stops
 * us. */
static void put(struct reading *x, enum dim dim, struct limits_dim d)
{
    struct limits_dim *to = dim == REQUESTS ? &x->l->requests : &x->l->tokens;

    d.limit_known = d.limit_known && d.limit > 0;
    d.known = d.limit_known || d.remaining_known;
    d.reset_known = d.reset_known && d.known;
    d.limit = d.limit_known ? d.limit : 0;
    d.remaining = d.remaining_known ? d.remaining : 0;
    d.reset_us = d.reset_known ? d.reset_us : 0;
    if (d.limit_known && d.remaining_known && d.remaining > d.limit)
        d.remaining = d.limit;
    if (d.known && (dim != OUTPUT || (d.remaining_known && d.remaining == 0)))
        *to = limits_tighter(to, &d);
}

/* From the texts of three headers, any of which may be NULL. */
static void put_texts(struct reading *x, enum dim dim, const char *const text[3],
    uint64_t window_us)
{
    struct limits_dim d = {.window_us = window_us};

    d.limit_known = count(text[0], &d.limit);
    d.remaining_known = count(text[1], &d.remaining);
    d.reset_known = text[2] && wait_until(text[2], x->now_us, &d.reset_us);
    put(x, dim, d);
}

/* ---- families of names ---- */

struct names {
    enum dim dim;
    uint64_t window_us;
    const char *name[3]; /* limit, remaining, reset */
};

#define OPENAI(what) \
    {"x-ratelimit-limit-" what, "x-ratelimit-remaining-" what, "x-ratelimit-reset-" what}
#define ANTHROPIC(what) \
    {"anthropic-ratelimit-" what "-limit", "anthropic-ratelimit-" what "-remaining", \
        "anthropic-ratelimit-" what "-reset"}
#define APISIX(what) \
    {"X-AI-RateLimit-Limit" what, "X-AI-RateLimit-Remaining" what, "X-AI-RateLimit-Reset" what}

static const struct names families[] = {
    {REQUESTS, 0, OPENAI("requests")},
    {TOKENS, 0, OPENAI("tokens")},
    {TOKENS, 0, OPENAI("tokens_usage_based")},
    {TOKENS, 0, OPENAI("tokens-prompt")},
    {OUTPUT, 0, OPENAI("tokens-generated")},
    {REQUESTS, MINUTE_US, OPENAI("requests-minute")},
    {REQUESTS, 60 * MINUTE_US, OPENAI("requests-hour")},
    {REQUESTS, 1440 * MINUTE_US, OPENAI("requests-day")},
    {TOKENS, MINUTE_US, OPENAI("tokens-minute")},
    {TOKENS, 60 * MINUTE_US, OPENAI("tokens-hour")},
    {TOKENS, 1440 * MINUTE_US, OPENAI("tokens-day")},
    {REQUESTS, 0, ANTHROPIC("requests")},
    {TOKENS, 0, ANTHROPIC("tokens")},
    {TOKENS, 0, ANTHROPIC("input-tokens")},
    {OUTPUT, 0, ANTHROPIC("output-tokens")},
    {TOKENS, 0, APISIX("")},
    {TOKENS, 0, APISIX("-*")},
};

static void read_families(struct reading *x)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct names *f = &families[i];
        const char *text[3];

        for (int k = 0; k < 3; k++)
            text[k] = prov_reply_header(x->r, f->name[k]);
        put_texts(x, f->dim, text, f->window_us);
    }
}

/* Names without a dimension are about requests. Together counts by the second, and is told
 * from others by the names that only it has. */
static void read_plain(struct reading *x)
{
    const char *text[3] = {prov_reply_header(x->r, "x-ratelimit-limit"),
        prov_reply_header(x->r, "x-ratelimit-remaining"),
        prov_reply_header(x->r, "x-ratelimit-reset")};
    const char *dynamic = prov_reply_header(x->r, "x-ratelimit-limit-dynamic");
    const char *tokens[3] = {prov_reply_header(x->r, "x-tokenlimit-limit"),
        prov_reply_header(x->r, "x-tokenlimit-remaining"), text[2]};
    uint64_t window_us = dynamic || tokens[0] ? 1000000 : 0;

    put_texts(x, REQUESTS, text, window_us);
    put_texts(x, TOKENS, tokens, window_us);
    if (dynamic) { /* what is really allowed at the moment, below the limit of the contract */
        text[0] = dynamic;
        put_texts(x, REQUESTS, text, window_us);
    }
}

/* ---- the IETF's drafts ---- */

struct policy {
    struct sf_value name; /* a text, or in older drafts the limit itself */
    uint64_t limit, window_us;
    enum dim dim;
    bool other; /* counts something else: bytes, connections */
    bool used;
};

static bool natural(const struct sf_value *v, uint64_t most, uint64_t *ret)
{
    if (!v || v->type != SF_INTEGER || v->n < 0 || (uint64_t)v->n > most)
        return false;
    *ret = (uint64_t)v->n;
    return true;
}

static bool is_text(const struct sf_value *v, const char *text)
{
    return v && (v->type == SF_STRING || v->type == SF_TOKEN) && v->len == strlen(text) &&
           !memcmp(v->text, text, v->len);
}

/* Where the seconds of a parameter go; what is absurd is not said. */
static bool seconds(const struct sf_value *v, uint64_t *ret_us)
{
    uint64_t s;

    if (!natural(v, WAIT_ABSURD_US / 1000000, &s))
        return false;
    *ret_us = s * 1000000;
    return true;
}

/* "name";q=100;w=60;qu="requests", or in older drafts 100;w=60. Their number; 0 where the
 * field is broken. */
static size_t read_policies(const char *field, struct policy *ret)
{
    struct sf_member m;
    enum sf_step step = SF_END;
    size_t n = 0;

    while (field && (step = sf_next(&field, &m)) == SF_MEMBER && n < POLICIES_MAX) {
        struct policy *p = &ret[n];
        const struct sf_value *unit = sf_param(&m, "qu");

        *p = (struct policy){.name = m.value};
        if (!natural(m.value.type == SF_INTEGER ? &m.value : sf_param(&m, "q"), COUNT_MAX,
                &p->limit) || p->limit == 0)
            continue;
        (void)seconds(sf_param(&m, "w"), &p->window_us);
        p->dim = is_text(unit, "tokens") ? TOKENS : REQUESTS;
        p->other = unit && p->dim != TOKENS && !is_text(unit, "requests");
        n++;
    }
    return step == SF_BROKEN ? 0 : n;
}

static struct policy *find_policy(struct policy *p, size_t n, const struct sf_value *name)
{
    for (size_t i = 0; i < n; i++)
        if (p[i].name.type == name->type && p[i].name.n == name->n &&
            p[i].name.len == name->len &&
            (name->len == 0 || !memcmp(p[i].name.text, name->text, name->len)))
            return &p[i];
    return NULL;
}

/* "name";r=50;t=30 */
static void put_service(
    struct reading *x, const struct sf_member *m, struct policy *p, size_t n)
{
    struct policy *mine = find_policy(p, n, &m->value);
    struct limits_dim d = {.limit = 0};

    if (mine) {
        d.limit_known = true;
        d.limit = mine->limit;
        d.window_us = mine->window_us;
        mine->used = true;
    }
    d.remaining_known = natural(sf_param(m, "r"), COUNT_MAX, &d.remaining);
    d.reset_known = seconds(sf_param(m, "t"), &d.reset_us);
    if (d.remaining_known && !(mine && mine->other))
        put(x, mine ? mine->dim : REQUESTS, d);
}

/* Draft 7: limit=100, remaining=50, reset=30. */
static void put_draft7(struct limits_dim *d, const struct sf_member *m)
{
    const struct sf_value key = {.type = SF_TOKEN, .text = m->key.key, .len = m->key.key_len};

    if (is_text(&key, "limit"))
        d->limit_known = natural(&m->value, COUNT_MAX, &d->limit);
    else if (is_text(&key, "remaining"))
        d->remaining_known = natural(&m->value, COUNT_MAX, &d->remaining);
    else if (is_text(&key, "reset"))
        d->reset_known = seconds(&m->value, &d->reset_us);
}

/* The length of the window of that limit. */
static uint64_t window_of(const struct policy *p, size_t n, uint64_t limit)
{
    for (size_t i = 0; i < n; i++)
        if (p[i].limit == limit && p[i].window_us)
            return p[i].window_us;
    return 0;
}

static void read_ratelimit(struct reading *x, struct policy *p, size_t n)
{
    const char *field = prov_reply_header(x->r, "RateLimit"), *at = field;
    struct limits_dim d7 = {.limit = 0};
    struct sf_member m;
    enum sf_step step;

    if (!field)
        return;
    while ((step = sf_next(&at, &m)) == SF_MEMBER)
        ;
    if (step == SF_BROKEN)
        return;
    for (at = field; sf_next(&at, &m) == SF_MEMBER;) {
        if (m.key.key_len)
            put_draft7(&d7, &m);
        else if (m.value.type == SF_STRING || m.value.type == SF_TOKEN)
            put_service(x, &m, p, n);
    }
    if (d7.limit_known)
        d7.window_us = window_of(p, n, d7.limit);
    put(x, REQUESTS, d7);
}

/* Before draft 8: three fields, the first of which may bring the policies: 10, 10;w=1. */
static void read_old_drafts(struct reading *x, const struct policy *p, size_t n)
{
    const char *limit = prov_reply_header(x->r, "RateLimit-Limit");
    const char *const text[3] = {NULL, prov_reply_header(x->r, "RateLimit-Remaining"),
        prov_reply_header(x->r, "RateLimit-Reset")};
    struct policy own[POLICIES_MAX];
    size_t owns = limit ? read_policies(limit, own) : 0;
    struct limits_dim d = {.limit = 0};

    if (owns > 0) {
        d.limit_known = true;
        d.limit = own[0].limit;
        d.window_us = window_of(own, owns, d.limit);
        if (!d.window_us)
            d.window_us = window_of(p, n, d.limit);
    }
    d.remaining_known = count(text[1], &d.remaining);
    d.reset_known = text[2] && wait_until(text[2], x->now_us, &d.reset_us);
    put(x, REQUESTS, d);
}

static void read_ietf(struct reading *x)
{
    struct policy p[POLICIES_MAX];
    size_t n = read_policies(prov_reply_header(x->r, "RateLimit-Policy"), p);

    read_ratelimit(x, p, n);
    read_old_drafts(x, p, n);
    for (size_t i = 0; i < n; i++) /* announced, but nothing is said of its state */
        if (!p[i].used && !p[i].other && p[i].name.type != SF_INTEGER)
            put(x, p[i].dim,
                (struct limits_dim){.limit_known = true, .limit = p[i].limit,
                    .window_us = p[i].window_us});
}

/* ---- all ---- */

void limits_read(const struct prov_reply *r, int64_t wall_us, struct limits *ret)
{
    struct reading x = {r, wait_now_us(r, wall_us), ret};

    *ret = (struct limits){.requests = {.known = false}};
    read_families(&x);
    read_plain(&x);
    read_ietf(&x);
}

uint64_t limits_wait_us(const struct limits *l)
{
    const struct limits_dim *const dim[] = {&l->requests, &l->tokens};
    uint64_t wait = 0;

    for (int i = 0; i < 2; i++)
        if (dim[i]->remaining_known && dim[i]->remaining == 0 && dim[i]->reset_known &&
            dim[i]->reset_us > wait)
            wait = dim[i]->reset_us;
    return wait;
}
