#include "sheet.h"

#include "fmt.h"
#include "safe.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool sheet_json(const struct ctl *c, json_t *v)
{
    if (c->form == FORM_JSON)
        safe_json(stdout, json_incref(v));
    else if (c->form == FORM_JSONL)
        safe_json_line(stdout, json_incref(v));
    return ctl_json(c);
}

void sheet_line(const char *name, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!*text)
        return;
    (void)printf("%-14s ", name);
    safe_print(stdout, text);
    (void)putchar('\n');
}

void sheet_count(const char *name, const json_t *obj, const char *key)
{
    char text[FMT_MAX];

    fmt_count(json_get_int(obj, key, 0), text);
    sheet_line(name, "%s", text);
}

void sheet_seconds(const char *name, const json_t *obj, const char *key)
{
    char text[FMT_MAX];

    fmt_seconds(fmt_number(obj, key), text);
    sheet_line(name, "%s", text);
}

void sheet_time(const struct ctl *c, const char *name, const json_t *obj, const char *key)
{
    char text[FMT_MAX];

    if (!json_get_str(obj, key, NULL))
        return;
    fmt_time(c, json_get_str(obj, key, NULL), text);
    sheet_line(name, "%s", text);
}

void sheet_score(const char *name, const json_t *obj, const char *key, int digits)
{
    double v = fmt_number(obj, key);
    char text[FMT_MAX];

    if (!isfinite(v))
        return;
    fmt_score(v, digits, false, text);
    sheet_line(name, "%s", text);
}

void sheet_money(const char *name, const json_t *obj, const char *key)
{
    const char *amount = json_get_str(obj, key, "0.00");
    char text[FMT_MAX];

    if (strcmp(amount, "0.00") == 0)
        return;
    fmt_money(amount, text);
    sheet_line(name, "%s", text);
}
