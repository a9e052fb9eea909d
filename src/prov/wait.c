#include "prov/wait.h"

#include "base/date.h"

#include <string.h>
#include <strings.h>

#define S_NS UINT64_C(1000000000)
#define ABSURD_NS (WAIT_ABSURD_US * 1000)
#define DIGITS_S 1000000000  /* from here on a number of seconds is a moment, in 2001 or later */
#define DIGITS_MS 100000000000 /* from here on one of milliseconds, in 1973 or later */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

struct decimal {
    uint64_t whole;
    uint64_t part; /* of 10^9, rounded up; may be 10^9 */
};

/* Digits with at most one point, from *s on, which moves behind them. */
static bool read_decimal(const char **s, struct decimal *ret)
{
    uint64_t scale = 100000000;
    bool more = false;

    *ret = (struct decimal){0, 0};
    if (!is_digit(**s))
        return false;
    for (; is_digit(**s); (*s)++) {
        if (ret->whole > ABSURD_NS)
            return false;
        ret->whole = ret->whole * 10 + (uint64_t)(**s - '0');
    }
    if (**s == '.')
        for ((*s)++; is_digit(**s); (*s)++) {
            ret->part += (uint64_t)(**s - '0') * scale;
            more |= !scale && **s != '0';
            scale /= 10;
        }
    ret->part += more;
    return true;
}

/* Adds `d` units of `unit_ns`; false where it becomes absurd. */
static bool add(uint64_t *ns, struct decimal d, uint64_t unit_ns)
{
    unsigned __int128 part = (unsigned __int128)d.part * unit_ns + (S_NS - 1);
    uint64_t sum;

    if (d.whole > ABSURD_NS / unit_ns)
        return false;
    sum = *ns + d.whole * unit_ns + (uint64_t)(part / S_NS);
    if (sum > ABSURD_NS)
        return false;
    *ns = sum;
    return true;
}

static uint64_t us_of(uint64_t ns)
{
    return (ns + 999) / 1000;
}

bool wait_decimal(const char *s, uint64_t unit_us, uint64_t *ret_us)
{
    struct decimal d;
    uint64_t ns = 0;

    s = skip_blanks(s);
    if (!read_decimal(&s, &d) || *skip_blanks(s) || !add(&ns, d, unit_us * 1000))
        return false;
    *ret_us = us_of(ns);
    return true;
}

/* ---- durations ---- */

struct unit {
    const char *name;
    uint64_t ns;
};

/* The unit at *s, which moves behind it; NULL where there is none. */
static const struct unit *read_unit(const char **s)
{
    static const struct unit units[] = {{"ms", 1000000}, {"us", 1000}, {"\xc2\xb5s", 1000},
        {"\xce\xbcs", 1000}, {"ns", 1}, {"s", S_NS}, {"m", 60 * S_NS}, {"h", 3600 * S_NS},
        {"d", 86400 * S_NS}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strncmp(*s, units[i].name, strlen(units[i].name))) {
            *s += strlen(units[i].name);
            return &units[i];
        }
    return NULL;
}

bool wait_duration(const char *s, uint64_t *ret_us)
{
    uint64_t ns = 0;

    if (wait_decimal(s, 1000000, ret_us))
        return true;
    s = skip_blanks(s);
    do {
        const struct unit *u;
        struct decimal d;

        if (!read_decimal(&s, &d))
            return false;
        u = read_unit(&s);
        if (!u || !add(&ns, d, u->ns))
            return false;
    } while (*skip_blanks(s));
    *ret_us = us_of(ns);
    return true;
}

/* ---- moments ---- */

/* A number of seconds or milliseconds since 1970. */
static bool since_1970(const char *s, int64_t *ret_us)
{
    struct decimal d;

    s = skip_blanks(s);
    if (!read_decimal(&s, &d) || *skip_blanks(s) || d.whole < DIGITS_S ||
        d.whole > (uint64_t)INT64_MAX / 1000000)
        return false;
    *ret_us = (int64_t)d.whole * (d.whole < DIGITS_MS ? 1000000 : 1000);
    return true;
}

bool wait_until(const char *s, int64_t now_us, uint64_t *ret_us)
{
    int64_t until_us, until_s;

    if (wait_duration(s, ret_us))
        return true;
    s = skip_blanks(s);
    if (!since_1970(s, &until_us) && !date_rfc3339(s, &until_us)) {
        if (!date_http(s, now_us / 1000000, &until_s))
            return false;
        until_us = until_s * 1000000;
    }
    if (until_us <= now_us) {
        *ret_us = 0;
        return true;
    }
    if ((uint64_t)until_us - (uint64_t)now_us > WAIT_ABSURD_US)
        return false;
    *ret_us = (uint64_t)until_us - (uint64_t)now_us;
    return true;
}

int64_t wait_now_us(const struct prov_reply *r, int64_t wall_us)
{
    const char *date = prov_reply_header(r, "Date");
    int64_t s;

    return date && date_http(skip_blanks(date), wall_us / 1000000, &s) ? s * 1000000 : wall_us;
}

/* ---- words ---- */

/* "seconds", "ms": the length of a unit that stands as a word of its own, 0 where none. */
static uint64_t word_unit(const char *s)
{
    static const struct unit words[] = {{"milliseconds", 1000000}, {"millisecond", 1000000},
        {"seconds", S_NS}, {"second", S_NS}, {"secs", S_NS}, {"sec", S_NS},
        {"minutes", 60 * S_NS}, {"minute", 60 * S_NS}, {"mins", 60 * S_NS}, {"min", 60 * S_NS},
        {"hours", 3600 * S_NS}, {"hour", 3600 * S_NS}, {"days", 86400 * S_NS},
        {"day", 86400 * S_NS}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strncasecmp(s, words[i].name, strlen(words[i].name)))
            return words[i].ns;
    return 0;
}

/* The duration at `s`: "46.72s", "6m0s", "6 seconds". */
static bool said_at(const char *s, uint64_t *ret_us)
{
    const char *rest = s;
    char token[40];
    struct decimal d;
    uint64_t ns = 0, unit;
    size_t n = 0;

    if (!read_decimal(&rest, &d))
        return false;
    unit = word_unit(skip_blanks(rest));
    if (unit) {
        if (!add(&ns, d, unit))
            return false;
        *ret_us = us_of(ns);
        return true;
    }
    for (; n < sizeof token - 1 && (is_digit(s[n]) || strchr(".dhmsun\xc2\xb5\xce\xbc", s[n]));
         n++) {
        if (!s[n])
            break;
        token[n] = s[n];
    }
    while (n > 0 && token[n - 1] == '.')
        n--; /* the sentence's full stop */
    token[n] = '\0';
    return wait_duration(token, ret_us);
}

bool wait_in_words(const char *text, uint64_t *ret_us)
{
    static const char *const openings[] = {
        "try again in ", "try again after ", "retry after ", "retry in ", "retrying in "};

    for (const char *s = text; *s; s++)
        for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
            size_t n = strlen(openings[i]);

            if (!strncasecmp(s, openings[i], n) && said_at(s + n, ret_us))
                return true;
        }
    return false;
}
