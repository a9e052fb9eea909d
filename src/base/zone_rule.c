#include "base/zone_rule.h"

#include "base/civil.h"

#define WEST_MAX_S 90000    /* RFC 8536 3.2: less than 25 hours west */
#define HOURS_MAX 25        /* east, too, with minutes and seconds */
#define DATE_TIME_MAX_H 167 /* RFC 8536 3.3.1 */
#define YEARS 5             /* around a moment: a date may lie a week outside its year */

/* ---- reading ---- */

struct cursor {
    const char *p, *end;
    bool ok;
};

static bool at(const struct cursor *c, char want)
{
    return c->ok && c->p < c->end && *c->p == want;
}

static bool skip(struct cursor *c, char want)
{
    if (!at(c, want))
        return false;
    c->p++;
    return true;
}

static bool is_digit(const struct cursor *c)
{
    return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

/* Up to three digits, within the bounds. */
static int number(struct cursor *c, int min, int max)
{
    int n = 0, digits = 0;

    for (; is_digit(c) && digits < 4; digits++)
        n = n * 10 + (*c->p++ - '0');
    c->ok = c->ok && digits > 0 && digits < 4 && n >= min && n <= max;
    return n;
}

/* "CEST", or with digits and signs in "<+0330>": three characters or more. */
static void name(struct cursor *c)
{
    bool quoted = skip(c, '<');
    size_t n = 0;

    for (; c->p < c->end; c->p++, n++) {
        char ch = *c->p;
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');

        if (!letter && !(quoted && (is_digit(c) || ch == '+' || ch == '-')))
            break;
    }
    c->ok = c->ok && n >= 3;
    if (quoted)
        c->ok = skip(c, '>');
}

/* [+-]hh[:mm[:ss]] */
static int32_t time_of(struct cursor *c, int hours_max)
{
    int32_t sign = skip(c, '-') ? -1 : 1, s;

    if (sign > 0)
        (void)skip(c, '+');
    s = number(c, 0, hours_max) * 3600;
    if (skip(c, ':')) {
        s += number(c, 0, 59) * 60;
        if (skip(c, ':'))
            s += number(c, 0, 59);
    }
    return sign * s;
}

static void date(struct cursor *c, struct zone_date *d)
{
    *d = (struct zone_date){.kind = 'n', .time_s = 7200};
    if (skip(c, 'M')) {
        d->kind = 'M';
        d->month = number(c, 1, 12);
        c->ok = skip(c, '.');
        d->week = number(c, 1, 5);
        c->ok = skip(c, '.');
        d->day = number(c, 0, 6);
    } else if (skip(c, 'J')) {
        d->kind = 'J';
        d->day = number(c, 1, 365);
    } else {
        d->day = number(c, 0, 365);
    }
    if (skip(c, '/'))
        d->time_s = time_of(c, DATE_TIME_MAX_H);
}

bool zone_rule_parse(const char *s, size_t len, struct zone_rule *ret)
{
    struct cursor c = {s, s + len, true};
    struct zone_rule r = {0};

    name(&c);
    r.std_s = -time_of(&c, HOURS_MAX); /* POSIX counts westwards */
    r.dst_s = r.std_s;
    if (c.ok && c.p < c.end) {
        r.dst = true;
        name(&c);
        r.dst_s = r.std_s + 3600;
        if (!at(&c, ','))
            r.dst_s = -time_of(&c, HOURS_MAX);
        c.ok = skip(&c, ',');
        date(&c, &r.start);
        c.ok = skip(&c, ',');
        date(&c, &r.end);
    }
    if (!c.ok || c.p != c.end || r.std_s <= -WEST_MAX_S || r.dst_s <= -WEST_MAX_S)
        return false;
    *ret = r;
    return true;
}

/* ---- using ---- */

/* Day number of the date in that year. */
static int64_t day_of(const struct zone_date *d, int year)
{
    int64_t first = civil_days(year, 1, 1), march = civil_days(year, 3, 1), day;
    bool leap = march - first == 60;

    if (d->kind == 'n')
        return first + d->day;
    if (d->kind == 'J')
        return first + d->day - 1 + (leap && d->day >= 60);
    first = civil_days(year, d->month, 1);
    /* The weekday's first occurrence; both count from different days of the week. */
    day = first + (d->day + 6 - (int)civil_weekday(first) + 7) % 7 + (d->week - 1) * 7;
    if (d->week == 5 && day >= civil_days(year + d->month / 12, d->month % 12 + 1, 1))
        day -= 7;
    return day;
}

struct change {
    int64_t at;
    bool dst; /* from then on */
};

/* The changes of the years around a moment, in order. Where summer time ends at the moment at
 * which the next one begins, it never ends: that is how permanent summer time is written. */
static int changes(const struct zone_rule *r, int64_t utc_s, struct change *ret)
{
    int64_t year = civil_year(civil_floor(utc_s + r->std_s, 86400));
    int n = 0;

    for (int y = (int)year - YEARS / 2; y <= (int)year + YEARS / 2; y++)
        for (int dst = 0; dst < 2; dst++) {
            const struct zone_date *d = dst ? &r->start : &r->end;
            struct change c = {
                day_of(d, y) * 86400 + d->time_s - (dst ? r->std_s : r->dst_s), dst};
            int i = n++;

            for (; i > 0 && (ret[i - 1].at > c.at ||
                             (ret[i - 1].at == c.at && ret[i - 1].dst && !dst));
                 i--)
                ret[i] = ret[i - 1];
            ret[i] = c;
        }
    return n;
}

static int32_t offset_in(
    const struct zone_rule *r, const struct change *c, int n, int64_t utc_s)
{
    bool dst = false;

    for (int i = 0; i < n && c[i].at <= utc_s; i++)
        dst = c[i].dst;
    return dst ? r->dst_s : r->std_s;
}

int32_t zone_rule_offset(const struct zone_rule *r, int64_t utc_s)
{
    struct change c[2 * YEARS];

    if (!r->dst)
        return r->std_s;
    return offset_in(r, c, changes(r, utc_s, c), utc_s);
}

int64_t zone_rule_next(const struct zone_rule *r, int64_t utc_s)
{
    struct change c[2 * YEARS];
    int32_t now;
    int n;

    if (!r->dst)
        return INT64_MAX;
    n = changes(r, utc_s, c);
    now = offset_in(r, c, n, utc_s);
    /* Not the very last one: the year after may begin what it ends. */
    for (int i = 0; i < n - 1; i++)
        if (c[i].at > utc_s && offset_in(r, c, n, c[i].at) != now)
            return c[i].at;
    return INT64_MAX;
}
