#include "estimate.h"

#include "fmt.h"
#include "safe.h"

#include <stdio.h>
#include <string.h>

#define NAME 22

/* "20.2 M", "49.9 k", "8,080" */
static void short_count(long long n, char *out)
{
    if (n >= 10000000)
        (void)snprintf(out, FMT_MAX, "%.1f M", (double)n / 1e6);
    else
        fmt_count(n, out);
}

/* One line: what, per generation, in all, the limit and whether it is enough. */
static void line(const char *name, const char *one, const char *all, const json_t *limit,
    const char *limit_text)
{
    (void)printf("%-*s %16s %16s", NAME, name, one, all);
    if (limit)
        (void)printf(" %12s  %s", limit_text,
            json_get_bool(limit, "ok", 0) ? "ok" : "not enough");
    (void)putchar('\n');
}

static void count_line(const json_t *v, const char *name, const char *key)
{
    const json_t *whole = json_object_get(v, "whole"),
                 *limit = json_object_get(json_object_get(v, "limits"), key);
    char one[FMT_MAX], all[FMT_MAX] = "open", most[FMT_MAX] = "";

    short_count(json_get_int(json_object_get(v, "per_generation"), key, 0), one);
    if (json_is_object(whole))
        short_count(json_get_int(whole, key, 0), all);
    if (limit)
        short_count(json_get_int(limit, "limit", 0), most);
    line(name, one, all, limit, most);
}

static void token_line(const json_t *v)
{
    const json_t *gen = json_object_get(v, "per_generation"),
                 *whole = json_object_get(v, "whole"),
                 *limit = json_object_get(json_object_get(v, "limits"), "tokens");
    char in[FMT_MAX], out[FMT_MAX], one[2 * FMT_MAX + 4], all[2 * FMT_MAX + 4] = "open",
        most[FMT_MAX] = "";

    short_count(json_get_int(gen, "tokens_in", 0), in);
    short_count(json_get_int(gen, "tokens_out", 0), out);
    (void)snprintf(one, sizeof one, "%s / %s", in, out);
    if (json_is_object(whole)) {
        short_count(json_get_int(whole, "tokens_in", 0), in);
        short_count(json_get_int(whole, "tokens_out", 0), out);
        (void)snprintf(all, sizeof all, "%s / %s", in, out);
    }
    if (limit)
        short_count(json_get_int(limit, "limit", 0), most);
    line("tokens in / out", one, all, limit, most);
}

static void price_line(const json_t *v)
{
    const json_t *p = json_object_get(v, "price"),
                 *limit = json_object_get(json_object_get(v, "limits"), "usd");
    const char *low = json_get_str(p, "low", NULL), *high = json_get_str(p, "high", NULL),
               *day = json_get_str(p, "as_of", NULL);
    char one[FMT_MAX], all[2 * FMT_MAX + 4] = "open", a[FMT_MAX], b[FMT_MAX],
        most[FMT_MAX] = "", name[64] = "price";

    if (!json_is_object(p))
        return; /* a warning says so */
    if (json_get_bool(p, "free", 0)) {
        line("price", "free", "free", NULL, "");
        return;
    }
    fmt_money(json_get_str(p, "per_generation", ""), one);
    if (low && high) {
        fmt_money(low, a);
        fmt_money(high, b);
        (void)snprintf(all, sizeof all, "%s%s%s", a, strcmp(low, high) ? " to " : "",
            strcmp(low, high) ? b : "");
    }
    if (limit)
        fmt_money(json_get_str(limit, "limit", ""), most);
    if (day)
        (void)snprintf(name, sizeof name, "price of %.20s", day);
    line(name, one, all, limit, most);
}

static void time_line(const json_t *v)
{
    const json_t *t = json_object_get(v, "time");
    long long per_minute = json_get_int(t, "requests_per_minute", 0),
              others = json_get_int(t, "others", 0);
    char alone[FMT_MAX], now[FMT_MAX];

    if (!json_is_object(t))
        return;
    fmt_seconds(json_get_num(t, "alone_seconds", -1), alone);
    fmt_seconds(json_get_num(t, "now_seconds", -1), now);
    (void)printf("time at ");
    if (per_minute)
        (void)printf("%lld requests/min", per_minute);
    if (json_get_int(t, "tokens_per_minute", 0))
        (void)printf("%s%lld tokens/min", per_minute ? ", " : "",
            json_get_int(t, "tokens_per_minute", 0));
    (void)printf(": %s alone", alone);
    if (others)
        (void)printf(", %s beside %lld running job%s", now, others,
            fmt_plural((unsigned long long)others));
    (void)putchar('\n');
}

/* "window 22:00-08:00, 12:00-13:00 sat sun (Europe/Berlin)" */
static void window_line(const json_t *windows)
{
    const json_t *w, *days;
    size_t i, k;

    json_array_foreach ((json_t *)(size_t)windows, i, w) {
        safe_printf(stdout, "%s%s", i ? ", " : "window ", json_get_str(w, "hours", "?"));
        days = json_object_get(w, "days");
        for (k = 0; k < json_array_size(days); k++)
            safe_printf(stdout, " %s", json_string_value(json_array_get(days, k)));
        if (json_get_str(w, "zone", NULL))
            safe_printf(stdout, " (%s)", json_get_str(w, "zone", ""));
    }
    if (json_array_size(windows))
        (void)putchar('\n');
}

static void hours_lines(const struct ctl *c, const json_t *v)
{
    const json_t *s = json_object_get(v, "schedule");
    char when[FMT_MAX];

    window_line(json_object_get(s, "windows"));
    if (!json_get_str(s, "not_before", NULL))
        return;
    fmt_time(c, json_get_str(s, "not_before", NULL), when);
    (void)printf("not before %s\n", when);
}

static void head(const json_t *v)
{
    long long gens = json_get_int(v, "generations", 0);

    safe_printf(stdout, "%s · %s/%s", json_get_str(v, "name", "?"),
        json_get_str(v, "provider", "?"), json_get_str(v, "model", "?"));
    if (gens)
        (void)printf(" · %lld generations", gens);
    (void)printf(" × %lld candidates × %lld examples\n", json_get_int(v, "popsize", 0),
        json_get_int(v, "train_examples", 0));
    (void)printf("%-*s %16s %16s %12s\n", NAME, "", "per generation", "whole job",
        json_object_size(json_object_get(v, "limits")) ? "limit" : "");
}

static void tell_day(const struct ctl *c, const json_t *v)
{
    const json_t *t = json_object_get(v, "today");
    char spent[FMT_MAX], cap[FMT_MAX];

    if (!json_get_str(t, "cap", NULL))
        return;
    fmt_money(json_get_str(t, "cost", ""), spent);
    fmt_money(json_get_str(t, "cap", ""), cap);
    ctl_note(c, "Today %s of %s are spent.", spent, cap);
}

int estimate_show(const struct ctl *c, const json_t *v)
{
    const json_t *list = json_object_get(v, "warnings"), *w;
    size_t i;

    if (ctl_json(c))
        return CTL_OK;
    head(v);
    count_line(v, "evaluations", "evaluations");
    count_line(v, "examples", "examples");
    count_line(v, "requests", "requests");
    token_line(v);
    price_line(v);
    time_line(v);
    hours_lines(c, v);
    json_array_foreach ((json_t *)(size_t)list, i, w)
        ctl_note(c, "Warning: %s.", json_string_value(w));
    tell_day(c, v);
    ctl_note(c, "Nothing was submitted.");
    return CTL_OK;
}
