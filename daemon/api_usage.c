/* api_usage.c -- what was spent: by job, provider, model, tag, user or day. */
#include "api.h"

#include "base/alloc.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/money.h"
#include "engine/till.h"
#include "spec/unit.h"
#include "store/st_spend.h"

#include <stdio.h>
#include <string.h>

static const char *const headings[REC_BY_NR] = {
    "job", "provider", "model", "tag", "user", "day"};

struct usage_api {
    struct api a;
    enum rec_spend_by by;
    int64_t since;
    struct rec_spend *rows;
    size_t n;
};

json_t *api_money(uint64_t nano)
{
    char text[MONEY_TEXT];

    money_print(nano, text);
    return json_string(text);
}

json_t *api_day(int64_t day)
{
    char text[32];

    clock_rfc3339(day * 86400 * INT64_C(1000000), text, sizeof text);
    text[10] = '\0';
    return json_string(text);
}

static void set_key(json_t **v, enum rec_spend_by by, const struct rec_spend *r)
{
    if (by == REC_BY_DAY) {
        json_put(v, "day", api_day(r->number));
    } else if (by == REC_BY_JOB || by == REC_BY_USER) {
        json_put(v, headings[by],
            by == REC_BY_USER && r->number < 0 ? json_null() : json_integer(r->number));
        if (by == REC_BY_JOB)
            json_put(v, "name", json_string(r->name));
    } else {
        json_put(v, headings[by], json_string(r->name));
    }
}

static json_t *view_row(const struct rec_spend *r)
{
    return json_pack("{s:I, s:I, s:I, s:o, s:{s:I, s:I, s:o}}", "requests",
        (json_int_t)r->requests, "tokens_in", (json_int_t)r->tokens_in, "tokens_out",
        (json_int_t)r->tokens_out, "cost", api_money(money_add(r->nano, r->other.nano)),
        "other", "requests", (json_int_t)r->other.requests, "tokens",
        (json_int_t)r->other.tokens, "cost", api_money(r->other.nano));
}

static void run_usage(struct port_call *c, struct port_db *db)
{
    struct usage_api *u = bbt_container(c, struct usage_api, a.call);

    c->rc = store_spend_list(
        (struct store *)db, u->by, u->since, &u->rows, &u->n, &c->err);
}

/* Sums of the rows; under tags one request may stand in several. */
static json_t *view_total(const struct usage_api *u)
{
    struct rec_spend t = {0};

    for (size_t i = 0; i < u->n; i++) {
        const struct rec_spend *r = &u->rows[i];

        t.requests += r->requests;
        t.tokens_in += r->tokens_in;
        t.tokens_out += r->tokens_out;
        t.nano = money_add(t.nano, r->nano);
        t.other.requests += r->other.requests;
        t.other.tokens += r->other.tokens;
        t.other.nano = money_add(t.other.nano, r->other.nano);
    }
    return view_row(&t);
}

static json_t *cap_or_null(uint64_t nano)
{
    return nano == MONEY_NONE ? json_null() : api_money(nano);
}

json_t *api_view_today(const struct engine *e)
{
    const struct till *t = engine_till(e);
    struct till_today now;

    till_today(t, &now);
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "day", api_day(now.day), "timezone",
        t->conf->timezone ? t->conf->timezone : "UTC", "cost", api_money(now.spent_nano),
        "reserved", api_money(now.held_nano), "cap", cap_or_null(t->conf->caps.day),
        "cap_per_user", cap_or_null(t->conf->caps.user_day));
}

static void usage_then(struct api *a)
{
    struct usage_api *u = bbt_container(a, struct usage_api, a);
    json_t *items = json_array();

    for (size_t i = 0; i < u->n; i++) {
        json_t *v = view_row(&u->rows[i]);

        set_key(&v, u->by, &u->rows[i]);
        json_add(&items, v);
    }
    a->json = json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o}", "apiVersion", "v1", "kind",
        "Usage", "by", headings[u->by], "since",
        u->since == INT64_MIN ? json_null() : api_day(u->since), "currency", "USD", "items",
        items, "total", view_total(u), "today", api_view_today(a->d->engine));
}

static void usage_free(struct api *a)
{
    bbt_free(bbt_container(a, struct usage_api, a)->rows);
}

static bool read_by(const char *text, enum rec_spend_by *ret)
{
    for (unsigned i = 0; i < REC_BY_NR; i++)
        if (strcmp(text, headings[i]) == 0) {
            *ret = (enum rec_spend_by)i;
            return true;
        }
    return false;
}

/* "2026-11-01", or "7d" before now. */
static bool read_since(const struct till *t, const char *text, int64_t *ret)
{
    struct civil c = {0};
    uint64_t us;
    int len = 0;

    if (strlen(text) == 10 &&
        sscanf(text, "%4d-%2d-%2d%n", &c.year, &c.month, &c.day, &len) == 3 && len == 10 &&
        civil_valid(&c)) {
        *ret = civil_days(c.year, c.month, c.day);
        return true;
    }
    if (!unit_parse(UNIT_TIME, text, &us) || us > INT64_C(1) << 50)
        return false;
    *ret = zone_day(t->zone, (port_wall_us() - (int64_t)us) / 1000000);
    return true;
}

void api_usage_get(struct web_req *r, void *arg)
{
    struct daemon *d = arg;
    const char *by = web_query(r, "by"), *since = web_query(r, "since");
    enum rec_spend_by heading = REC_BY_JOB;
    int64_t day = INT64_MIN;
    struct usage_api *u;

    if (by && !read_by(by, &heading)) {
        api_problem(r, BBT_INVALID, "by: job, provider, model, tag, user or day");
        return;
    }
    if (since && !read_since(engine_till(d->engine), since, &day)) {
        api_problem(r, BBT_INVALID, "since: a day like 2026-11-01, or a time back like 7d");
        return;
    }
    u = (struct usage_api *)(void *)api_new(r, d, sizeof *u);
    if (!u)
        return;
    u->a.free = usage_free;
    u->a.then = usage_then;
    u->by = heading;
    u->since = day;
    api_db(&u->a, run_usage);
}
