#include "fmt.h"

#include "base/money.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void fmt_count(long long n, char *out)
{
    char digits[24];
    size_t len, at = 0;

    (void)snprintf(digits, sizeof digits, "%llu",
        n < 0 ? -(unsigned long long)n : (unsigned long long)n);
    len = strlen(digits);
    if (n < 0)
        out[at++] = '-';
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

void fmt_seconds(double s, char *out)
{
    long long whole;

    if (!isfinite(s) || s < 0 || s > 1e12) {
        (void)snprintf(out, FMT_MAX, "-");
        return;
    }
    whole = llround(s);
    if (s < 9.95)
        (void)snprintf(out, FMT_MAX, "%.1f s", s);
    else if (whole < 60)
        (void)snprintf(out, FMT_MAX, "%lld s", whole);
    else if (whole < 3600)
        (void)snprintf(out, FMT_MAX, "%lld min %02lld s", whole / 60, whole % 60);
    else if (whole < 86400)
        (void)snprintf(out, FMT_MAX, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
    else
        (void)snprintf(out, FMT_MAX, "%lld d %02lld h", whole / 86400, whole / 3600 % 24);
}

void fmt_score(double v, int digits, bool sign, char *out)
{
    if (!isfinite(v))
        (void)snprintf(out, FMT_MAX, "-");
    else if (fabs(v) >= 1e9)
        (void)snprintf(out, FMT_MAX, "%.*e", digits, v);
    else
        (void)snprintf(out, FMT_MAX, sign ? "%+.*f" : "%.*f", digits, v);
}

void fmt_money(const char *amount, char *out)
{
    uint64_t nano, step;
    char text[MONEY_TEXT];

    if (!money_parse(amount, &nano)) {
        (void)snprintf(out, FMT_MAX, "-");
        return;
    }
    step = nano >= MONEY_UNIT ? MONEY_UNIT / 100 : MONEY_UNIT / 10000;
    money_print((nano + step / 2) / step * step, text);
    (void)snprintf(out, FMT_MAX, "$%s", text);
}

void fmt_time(const struct ctl *c, const char *rfc3339, char *out)
{
    struct tm utc = {0}, local;
    time_t t;

    if (!rfc3339) {
        (void)snprintf(out, FMT_MAX, "-");
        return;
    }
    if (sscanf(rfc3339, "%4d-%2d-%2dT%2d:%2d:%2dZ", &utc.tm_year, &utc.tm_mon, &utc.tm_mday,
            &utc.tm_hour, &utc.tm_min, &utc.tm_sec) != 6) {
        (void)snprintf(out, FMT_MAX, "%.40s", rfc3339);
        return;
    }
    utc.tm_year -= 1900;
    utc.tm_mon -= 1;
    t = timegm(&utc);
    if (c->utc || !localtime_r(&t, &local))
        (void)strftime(out, FMT_MAX, "%Y-%m-%dT%H:%M:%SZ", &utc);
    else
        (void)strftime(out, FMT_MAX, "%Y-%m-%d %H:%M:%S", &local);
}

double fmt_number(const json_t *obj, const char *key)
{
    return json_get_num(obj, key, NAN);
}

const char *fmt_plural(unsigned long long n)
{
    return n == 1 ? "" : "s";
}
