/* verdict_date.c -- how long a response asks us to wait. */
#include "prov/verdict.h"

#include <string.h>
#include <strings.h>

#define WAIT_ABSURD_US (UINT64_C(400) * 86400 * 1000000)

/* ---- HTTP dates (RFC 9110 5.6.7), without the locale that strptime obeys ---- */

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

struct civil {
    int year, month, day, hour, minute, second;
};

static void clock_time(struct cursor *c, struct civil *t)
{
    t->hour = number(c, 2, false);
    expect(c, ":");
    t->minute = number(c, 2, false);
    expect(c, ":");
    t->second = number(c, 2, false);
}

/* Days since 1970-01-01 in the Gregorian calendar (Hinnant's era arithmetic). */
static int64_t days_of(int y, int m, int d)
{
    int64_t year = m <= 2 ? y - 1 : y;
    int64_t era = year / 400, yoe = year - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool valid(const struct civil *t)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (t->year % 4 == 0 && t->year % 100) || t->year % 400 == 0;

    return t->year >= 1 && t->day >= 1 &&
           t->day <= days[t->month - 1] + (leap && t->month == 2) && t->hour < 24 &&
           t->minute < 60 && t->second <= 60;
}

static int64_t seconds_of(const struct civil *t)
{
    return days_of(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 +
           t->second;
}

static const char *const month_names[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const day_names[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

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

bool verdict_http_date(const char *s, int64_t wall_s, int64_t *ret)
{
    struct civil t = {0};

    /* A clock outside the years 0 .. 9999 or so helps nobody with two digits. */
    if (wall_s < 0 || wall_s > INT64_C(253402300799))
        wall_s = 0;
    if (read_rfc850(s, &t))
        t.year = full_year(t.year, wall_s);
    else if (!read_fixdate(s, &t) && !read_asctime(s, &t))
        return false;
    if (!valid(&t))
        return false;
    *ret = seconds_of(&t);
    return true;
}

/* ---- waits ---- */

/* Decimal text with an optional fraction, times `unit_us`, rounded up: waiting a microsecond
 * too long is polite, too short is not. False where it is anything else or absurd. */
static bool read_wait(const char *s, uint64_t unit_us, uint64_t *ret)
{
    uint64_t whole = 0, part = 0, scale = 1, us;
    bool more = false;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (whole > WAIT_ABSURD_US)
            return false;
        whole = whole * 10 + (uint64_t)(*s - '0');
    }
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++) {
            if (scale < 1000000000) {
                part = part * 10 + (uint64_t)(*s - '0');
                scale *= 10;
            } else {
                more |= *s != '0';
            }
        }
    while (*s == ' ' || *s == '\t')
        s++;
    if (*s || whole > WAIT_ABSURD_US / unit_us)
        return false;
    us = whole * unit_us + (part * unit_us + scale - 1) / scale;
    us += more && part * unit_us % scale == 0;
    if (us > WAIT_ABSURD_US)
        return false;
    *ret = us;
    return true;
}

static const char *trimmed(const char *s)
{
    while (s && (*s == ' ' || *s == '\t'))
        s++;
    return s;
}

uint64_t verdict_retry_after_us(const struct prov_reply *r, int64_t wall_us)
{
    const char *ms = trimmed(prov_reply_header(r, "retry-after-ms"));
    const char *after = trimmed(prov_reply_header(r, "Retry-After"));
    const char *date = trimmed(prov_reply_header(r, "Date"));
    int64_t until, from;
    uint64_t wait;

    if (ms && read_wait(ms, 1000, &wait))
        return wait;
    if (!after)
        return 0;
    if (read_wait(after, 1000000, &wait))
        return wait;
    if (!verdict_http_date(after, wall_us / 1000000, &until))
        return 0;
    if (!date || !verdict_http_date(date, wall_us / 1000000, &from))
        from = wall_us / 1000000;
    if (until <= from || (uint64_t)(until - from) > WAIT_ABSURD_US / 1000000)
        return 0;
    return (uint64_t)(until - from) * 1000000;
}
