#include "spec/value.h"

#include "base/alloc.h"
#include "base/hint.h"
#include "base/money.h"
#include "spec/reader.h"
#include "spec/unit.h"
#include "spec/vlist.h"
#include "spec/vweek.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */

/* ---- texts ---- */

static void read_const(const struct reader *r, const json_t *v)
{
    char must[80];

    if (json_is_string(v) && strcmp(json_string_value(v), r->k->fallback) == 0)
        return;
    (void)snprintf(must, sizeof must, "\"%s\"", r->k->fallback);
    reader_wrong(r, must, v, NULL);
}

static void read_sha256(const struct reader *r, const json_t *v, char **at)
{
    const char *s = json_string_value(v);

    if (s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64)
        reader_put(r, s, at);
    else
        reader_wrong(r, "64 lower-case hexadecimal digits", v,
            "leave it out: bbtctl fills it in");
}

static void read_enum(const struct reader *r, const json_t *v, int *at)
{
    const char *s = json_string_value(v), *near = NULL;
    char must[120] = "one of", fix[80] = "";
    size_t n;

    for (n = 0; r->k->words[n]; n++) {
        size_t len = strlen(must);

        if (s && strcmp(s, r->k->words[n]) == 0) {
            *at = (int)n;
            return;
        }
        (void)snprintf(
            must + len, sizeof must - len, "%s %s", n ? "," : "", r->k->words[n]);
    }
    if (s)
        near = hint_nearest(s, r->k->words, n);
    if (near)
        (void)snprintf(fix, sizeof fix, "did you mean \"%s\"?", near);
    reader_wrong(r, must, v, fix);
}

static void read_mode(const struct reader *r, const json_t *v, unsigned *at)
{
    const char *s = json_string_value(v);
    unsigned mode = 0;

    if (!s || strlen(s) < 3 || strlen(s) > 4 || strspn(s, "01234567") != strlen(s)) {
        reader_wrong(r, "a file mode in quotes, like \"0660\"", v, NULL);
        return;
    }
    for (; *s; s++)
        mode = mode * 8 + (unsigned)(*s - '0');
    if (reader_in_range(r, mode, "", v))
        *at = mode;
}

static void read_bool(const struct reader *r, const json_t *v, bool *at)
{
    if (json_is_boolean(v))
        *at = json_is_true(v);
    else
        reader_wrong(r, "true or false", v, NULL);
}

/* ---- numbers ---- */

/* A whole number, 1e6 too. */
static bool whole(const struct reader *r, const json_t *v, int64_t *ret)
{
    double d = json_real_value(v);

    if (json_is_integer(v)) {
        *ret = json_integer_value(v);
        return reader_in_range(r, (double)*ret, "", v);
    }
    if (!json_is_real(v) || fabs(d) > WHOLE_MAX || d != nearbyint(d)) {
        reader_wrong(r, "a whole number", v, NULL);
        return false;
    }
    *ret = (int64_t)d;
    return reader_in_range(r, d, "", v);
}

static void read_count(const struct reader *r, const json_t *v, uint64_t *at)
{
    int64_t n;

    if (whole(r, v, &n))
        *at = (uint64_t)n; /* no row's min is below 0 */
}

static void read_int(const struct reader *r, const json_t *v, int64_t *at)
{
    int64_t n;

    if (whole(r, v, &n))
        *at = n;
}

static void read_real(const struct reader *r, const json_t *v, double *at)
{
    bool automatic = r->k->type == KEY_AUTO;

    if (automatic && json_is_string(v) && strcmp(json_string_value(v), "auto") == 0)
        *at = (double)NAN;
    else if (!json_is_number(v))
        reader_wrong(r, automatic ? "a number or auto" : "a number", v, NULL);
    else if (reader_in_range(r, json_number_value(v), "", v))
        *at = json_number_value(v);
}

/* "2%", or 0.02. */
static void read_share(const struct reader *r, const json_t *v, double *at)
{
    const char *s = json_string_value(v);
    uint64_t n = 0;
    char digits[16];
    size_t len = s ? strlen(s) : 0;
    double d = json_number_value(v);
    bool ok = json_is_number(v);

    if (len > 1 && len < 8 && s[len - 1] == '%') {
        (void)snprintf(digits, sizeof digits, "%.*sM", (int)(len - 1), s);
        ok = unit_parse(UNIT_COUNT, digits, &n);
        d = (double)n / 1e8;
    }
    if (!ok)
        reader_wrong(r, "a share", v, "like 1% or 0.01");
    else if (reader_in_range(r, d, "", v))
        *at = d;
}

static void read_money(const struct reader *r, const json_t *v, uint64_t *at)
{
    uint64_t n = 0;
    bool ok = false;

    if (json_is_string(v))
        ok = money_parse(json_string_value(v), &n);
    else if (json_is_integer(v) && json_integer_value(v) >= 0 &&
        (uint64_t)json_integer_value(v) <= MONEY_MAX / MONEY_UNIT) {
        n = (uint64_t)json_integer_value(v) * MONEY_UNIT;
        ok = true;
    } else if (json_is_real(v))
        ok = money_real(json_real_value(v), &n);
    if (!ok)
        reader_wrong(r, "an amount of dollars", v,
            "like 4 or 0.10; with more than 15 digits in quotes");
    else if (reader_in_range(r, (double)n / MONEY_UNIT, "", v))
        *at = n;
}

static void read_word(const struct reader *r, const json_t *v, bool *at)
{
    const char *s = json_string_value(v);
    char must[80];

    *at = s && strcmp(s, r->k->words[0]) == 0;
    if (*at)
        return;
    (void)snprintf(must, sizeof must, "%s, or a section", r->k->words[0]);
    reader_wrong(r, must, v, NULL);
}

static const struct {
    enum unit_kind kind;
    const char *must, *fix, *unit;
} units[KEY_TYPE_NR] = {
    [KEY_TIME] = {UNIT_TIME, "a duration", "like 500ms, 60s, 5m, 12h or 2d", "s"},
    [KEY_SIZE] = {UNIT_SIZE, "a size", "like 64K, 32M or 2G", ""},
    [KEY_MANY] = {UNIT_COUNT, "a whole number", "like 12000, 250k or 30M", ""},
};

static void read_unit(const struct reader *r, const json_t *v, uint64_t *at)
{
    enum key_type t = r->k->type;
    double base = t == KEY_TIME ? 1e6 : 1;
    uint64_t n = 0;
    bool ok = false;

    if (json_is_string(v)) {
        ok = unit_parse(units[t].kind, json_string_value(v), &n);
    } else if (json_is_number(v) && json_number_value(v) >= 0 &&
               json_number_value(v) * base <= WHOLE_MAX) {
        n = (uint64_t)nearbyint(json_number_value(v) * base);
        ok = true;
    }
    if (t == KEY_MANY && json_is_real(v) && json_real_value(v) != nearbyint(json_real_value(v)))
        ok = false;
    if (!ok)
        reader_wrong(r, units[t].must, v, units[t].fix);
    else if (reader_in_range(r, (double)n / base, units[t].unit, v))
        *at = n;
}

void value_read(const struct key *k, const json_t *v, const char *pointer, void *at,
    struct spec_problems *problems)
{
    const struct reader r = {k, pointer, problems};

    switch (k->type) {
    case KEY_TEXT:
    case KEY_NAME:
        reader_text(&r, v, at);
        return;
    case KEY_CONST:
        read_const(&r, v);
        return;
    case KEY_COUNT:
        read_count(&r, v, at);
        return;
    case KEY_INT:
        read_int(&r, v, at);
        return;
    case KEY_REAL:
    case KEY_AUTO:
        read_real(&r, v, at);
        return;
    case KEY_BOOL:
        read_bool(&r, v, at);
        return;
    case KEY_ENUM:
        read_enum(&r, v, at);
        return;
    case KEY_TIME:
    case KEY_SIZE:
    case KEY_MANY:
        read_unit(&r, v, at);
        return;
    case KEY_MONEY:
        read_money(&r, v, at);
        return;
    case KEY_SHARE:
        read_share(&r, v, at);
        return;
    case KEY_WORD:
        read_word(&r, v, at);
        return;
    case KEY_HOURS:
    case KEY_DAYS:
    case KEY_ZONE:
    case KEY_MOMENT:
        vweek_read(&r, v, at);
        return;
    case KEY_MODE:
        read_mode(&r, v, at);
        return;
    case KEY_SHA256:
        read_sha256(&r, v, at);
        return;
    case KEY_LIST:
        vlist_read_list(&r, v, at);
        return;
    case KEY_MAP:
    case KEY_ORDERED:
        vlist_read_pairs(&r, v, at);
        return;
    case KEY_ITEMS:
        vlist_read_items(&r, v, at);
        return;
    case KEY_TYPE_NR:
        break;
    }
}

void value_fini(const struct key *k, void *at)
{
    switch (k->type) {
    case KEY_TEXT:
    case KEY_NAME:
    case KEY_ZONE:
    case KEY_SHA256:
        bbt_free(*(char **)at);
        *(char **)at = NULL;
        return;
    case KEY_LIST:
        vlist_fini_list(at);
        return;
    case KEY_MAP:
    case KEY_ORDERED:
        vlist_fini_pairs(at);
        return;
    case KEY_ITEMS:
        vlist_fini_items(k, at);
        return;
    default:
        return;
    }
}

json_t *value_fallback(const struct key *k)
{
    if (!k->fallback)
        return NULL;
    switch (k->type) {
    case KEY_COUNT:
    case KEY_INT:
    case KEY_REAL:
    case KEY_BOOL:
        return json_loads(k->fallback, JSON_DECODE_ANY, NULL);
    default:
        return json_string(k->fallback);
    }
}
