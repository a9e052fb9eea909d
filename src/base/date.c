#include "base/date.h"

#include "base/civil.h"

#include <string.h>

/* ---- reading ---- */

struct cursor {
    const char *p;
    bool ok; /* false once anything did not match; then nothing moves any more */
};

static void expect(struct cursor *c, const char *text)
{
    size_t n = strlen(text);

    c->ok = c->ok && !strncmp(c->p, text, n);
    if (c->ok)
        c->p += n;
}

/* Exactly `n` digits; a blank may stand for the first one of asctime's day. */
static int number(struct cursor *c, int n, bool padded)
{
    int v = 0;

    for (int i = 0; c->ok && i < n; i++, c->p++) {
        if (padded && i == 0 && *c->p == ' ')
            continue;
        c->ok = *c->p >= '0' && *c->p <= '9';
        if (!c->ok)
            break;
        v = v * 10 + (*c->p - '0');
    }
    return v;
}

/* Index of the name that stands here among `n`, whose first `len` letters count. */
static int name(struct cursor *c, const char *const *names, int n, size_t len)
{
    for (int i = 0; c->ok && i < n; i++) {
        size_t want = len ? len : strlen(names[i]);

        if (!strncmp(c->p, names[i], want)) {
            c->p += want;
            return i;
        }
    }
    c->ok = false;
    return 0;
}

static void clock_time(struct cursor *c, struct civil *t)
{
    t->hour = number(c, 2, false);
    expect(c, ":");
    t->minute = number(c, 2, false);
    expect(c, ":");
    t->second = number(c, 2, false);
}

static const char *const month_names[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* ---- HTTP ---- */

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_fixdate(const char *s, struct civil *t)
{
    struct cursor c = {s, true};

    (void)name(&c, day_names, 7, 3);
    expect(&c, ", ");
    t->day = number(&c, 2, false);
    expect(&c, " ");
    t->month = name(&c, month_names, 12, 3) + 1;
    expect(&c, " ");
    t->year = number(&c, 4, false);
    expect(&c, " ");
    clock_time(&c, t);
    expect(&c, " GMT");
    return c.ok && !*c.p;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_rfc850(const char *s, struct civil *t)
{
    struct cursor c = {s, true};

    (void)name(&c, day_names, 7, 0);
    expect(&c, ", ");
    t->day = number(&c, 2, false);
    expect(&c, "-");
    t->month = name(&c, month_names, 12, 3) + 1;
    expect(&c, "-");
    t->year = number(&c, 2, false);
    expect(&c, " ");
    clock_time(&c, t);
    expect(&c, " GMT");
    return c.ok && !*c.p;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(const char *s, struct civil *t)
{
    struct cursor c = {s, true};

    (void)name(&c, day_names, 7, 3);
    expect(&c, " ");
    t->month = name(&c, month_names, 12, 3) + 1;
    expect(&c, " ");
    t->day = number(&c, 2, true);
    expect(&c, " ");
    clock_time(&c, t);
    expect(&c, " ");
    t->year = number(&c, 4, false);
    return c.ok && !*c.p;
}

/* The year with these last two digits that lies nearest to `wall_s`. */
static int full_year(int two, int64_t wall_s)
{
    int now = 1970 + (int)(wall_s / 31556952), year = now - now % 100 + two;

    if (year > now + 50)
        year -= 100;
    else if (year < now - 49)
        year += 100;
    return year;
}

bool date_http(const char *s, int64_t wall_s, int64_t *ret)
{
    struct civil t = {0};

    /* A clock outside the years 0 .. 9999 or so helps nobody with two digits. */
    if (wall_s < 0 || wall_s > INT64_C(253402300799))
        wall_s = 0;
    if (read_rfc850(s, &t))
        t.year = full_year(t.year, wall_s);
    else if (!read_fixdate(s, &t) && !read_asctime(s, &t))
        return false;
    if (!civil_valid(&t))
        return false;
    *ret = civil_seconds(&t);
    return true;
}

/* ---- RFC 3339 ---- */

/* ".25" as microseconds, rounded up. */
static int64_t fraction(struct cursor *c)
{
    int64_t us = 0, scale = 100000;
    bool more = false;
    int digits = 0;

    if (*c->p != '.')
        return 0;
    for (c->p++; c->ok && *c->p >= '0' && *c->p <= '9'; c->p++, digits++) {
        us += (*c->p - '0') * scale;
        more |= !scale && *c->p != '0';
        scale /= 10;
    }
    c->ok = c->ok && digits > 0;
    return us + more;
}

/* "Z", or what the clock is ahead of UTC ("+01:00"), in seconds. */
static int64_t ahead(struct cursor *c)
{
    int64_t sign = *c->p == '-' ? -1 : 1;
    int hour, minute;

    if (*c->p == 'Z' || *c->p == 'z') {
        c->p++;
        return 0;
    }
    c->ok = c->ok && (*c->p == '-' || *c->p == '+');
    if (c->ok)
        c->p++;
    hour = number(c, 2, false);
    expect(c, ":");
    minute = number(c, 2, false);
    c->ok = c->ok && hour < 24 && minute < 60;
    return sign * (hour * 3600 + minute * 60);
}

bool date_rfc3339(const char *s, int64_t *ret_us)
{
    struct cursor c = {s, true};
    struct civil t = {0};
    int64_t us, ahead_s;

    t.year = number(&c, 4, false);
    expect(&c, "-");
    t.month = number(&c, 2, false);
    expect(&c, "-");
    t.day = number(&c, 2, false);
    c.ok = c.ok && (*c.p == 'T' || *c.p == 't' || *c.p == ' ');
    if (c.ok)
        c.p++;
    clock_time(&c, &t);
    us = fraction(&c);
    ahead_s = ahead(&c);
    if (!c.ok || *c.p || !civil_valid(&t))
        return false;
    *ret_us = (civil_seconds(&t) - ahead_s) * 1000000 + us;
    return true;
}
