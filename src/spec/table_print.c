/* table_print.c -- effective values back into a document, and the reference page. */
#include "spec/table.h"

#include "base/money.h"
#include "spec/unit.h"
#include "spec/vweek.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *list_value(const struct key_list *l)
{
    json_t *v = json_array();

    for (size_t i = 0; v && i < l->nr; i++)
        if (json_array_append_new(v, json_string(l->item[i])) != 0) {
            json_decref(v);
            v = NULL;
        }
    return v;
}

/* As a map, or as a list of one-pair maps: JSON printed with sorted keys keeps their
 * order. */
static json_t *pairs_value(const struct key_pairs *p, bool ordered)
{
    json_t *v = ordered ? json_array() : json_object();

    for (size_t i = 0; v && i < p->nr; i++) {
        json_t *to = ordered ? json_object() : v;
        int bad = !to || json_object_set_new(
                             to, p->item[i].name, json_string(p->item[i].value)) != 0;

        if (ordered)
            bad = json_array_append_new(v, to) != 0 || bad;
        if (bad) {
            json_decref(v);
            v = NULL;
        }
    }
    return v;
}

static json_t *items_value(const struct key_table *t, const struct key_items *items)
{
    json_t *v = json_array();

    for (size_t i = 0; v && i < items->nr; i++)
        if (json_array_append_new(
                v, table_print(t, (const char *)items->item + i * t->size)) != 0) {
            json_decref(v);
            v = NULL;
        }
    return v;
}

static json_t *unit_value(enum unit_kind kind, uint64_t n)
{
    char text[40];

    unit_print(kind, n, text, sizeof text);
    return json_string(text);
}

static json_t *money_value(uint64_t nano)
{
    char text[MONEY_TEXT];

    money_print(nano, text);
    return json_string(text);
}

static json_t *mode_value(unsigned mode)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%04o", mode);
    return json_string(text);
}

/* Nothing was said and no default holds, so nothing is to be printed. */
static bool is_absent(const struct key *k, const void *at)
{
    switch (k->type) {
    case KEY_TEXT:
    case KEY_NAME:
    case KEY_ZONE:
    case KEY_SHA256:
        return !*(char *const *)at;
    case KEY_COUNT:
    case KEY_TIME:
    case KEY_SIZE:
    case KEY_MANY:
        return !k->fallback && *(const uint64_t *)at == 0;
    case KEY_MONEY:
        return *(const uint64_t *)at == MONEY_NONE;
    case KEY_WORD:
        return !*(const bool *)at;
    case KEY_DAYS:
        return !*(const uint8_t *)at;
    case KEY_MOMENT:
        return *(const int64_t *)at == 0;
    case KEY_REAL:
    case KEY_SHARE:
        return isnan(*(const double *)at);
    case KEY_LIST:
        return ((const struct key_list *)at)->nr == 0;
    case KEY_MAP:
    case KEY_ORDERED:
        return ((const struct key_pairs *)at)->nr == 0;
    case KEY_ITEMS:
        return ((const struct key_items *)at)->nr == 0;
    default:
        return false;
    }
}

static json_t *value_of(const struct key *k, const void *at)
{
    double real;

    switch (k->type) {
    case KEY_TEXT:
    case KEY_NAME:
    case KEY_SHA256:
        return json_string(*(char *const *)at);
    case KEY_CONST:
        return json_string(k->fallback);
    case KEY_COUNT:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case KEY_INT:
        return json_integer(*(const int64_t *)at);
    case KEY_SHARE:
        return json_real(*(const double *)at);
    case KEY_REAL:
    case KEY_AUTO:
        real = *(const double *)at;
        return isnan(real) ? json_string("auto") : json_real(real);
    case KEY_BOOL:
        return json_boolean(*(const bool *)at);
    case KEY_ENUM:
        return json_string(k->words[*(const int *)at]);
    case KEY_TIME:
        return unit_value(UNIT_TIME, *(const uint64_t *)at);
    case KEY_SIZE:
        return unit_value(UNIT_SIZE, *(const uint64_t *)at);
    case KEY_MANY:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case KEY_MONEY:
        return money_value(*(const uint64_t *)at);
    case KEY_WORD:
        return json_string(k->words[0]);
    case KEY_HOURS:
    case KEY_DAYS:
    case KEY_ZONE:
    case KEY_MOMENT:
        return vweek_print(k, at);
    case KEY_MODE:
        return mode_value(*(const unsigned *)at);
    case KEY_LIST:
        return list_value(at);
    case KEY_MAP:
    case KEY_ORDERED:
        return pairs_value(at, k->type == KEY_ORDERED);
    case KEY_ITEMS:
        return items_value(k->items, at);
    case KEY_TYPE_NR:
        break;
    }
    return NULL;
}

/* Sets "a.b.c", making the sections on the way. Takes `v` over; 0 on success. */
static int set_path(json_t *root, const char *path, json_t *v)
{
    for (;;) {
        size_t len = strcspn(path, ".");
        char step[64];
        json_t *below;

        (void)snprintf(step, sizeof step, "%.*s", (int)len, path);
        if (path[len] == '\0')
            return json_object_set_new(root, step, v);
        below = json_object_get(root, step);
        if (!below) {
            below = json_object();
            if (json_object_set_new(root, step, below) != 0) {
                json_decref(v);
                return -1;
            }
        }
        root = below;
        path += len + 1;
    }
}

json_t *table_print(const struct key_table *t, const void *out)
{
    json_t *root = json_object();

    for (size_t i = 0; root && i < t->nr; i++) {
        const struct key *k = &t->key[i];
        const void *at = (const char *)out + k->at;

        if (is_absent(k, at))
            continue;
        if (set_path(root, k->path, value_of(k, at)) != 0) {
            json_decref(root);
            root = NULL;
        }
    }
    return root;
}

/* ---- reference ---- */

static const char *type_name(const struct key *k)
{
    static const char *const names[KEY_TYPE_NR] = {
        [KEY_TEXT] = "text",
        [KEY_NAME] = "name",
        [KEY_CONST] = "fixed",
        [KEY_COUNT] = "whole number",
        [KEY_INT] = "whole number",
        [KEY_REAL] = "number",
        [KEY_AUTO] = "number or `auto`",
        [KEY_BOOL] = "`true` or `false`",
        [KEY_TIME] = "duration",
        [KEY_SIZE] = "size",
        [KEY_MANY] = "whole number",
        [KEY_MONEY] = "US dollars",
        [KEY_HOURS] = "hours",
        [KEY_DAYS] = "list of days",
        [KEY_ZONE] = "time zone",
        [KEY_MOMENT] = "time with its zone",
        [KEY_SHARE] = "share",
        [KEY_MODE] = "file mode",
        [KEY_SHA256] = "SHA-256",
        [KEY_LIST] = "list of names",
        [KEY_MAP] = "map",
        [KEY_ORDERED] = "map, order kept",
        [KEY_ITEMS] = "list of sections",
    };

    return names[k->type];
}

static enum bbt_rc help_type(const struct key *k, struct bbt_buf *ret)
{
    enum bbt_rc rc = BBT_OK;

    if (k->type != KEY_ENUM && k->type != KEY_WORD)
        return buf_puts(ret, type_name(k));
    for (size_t i = 0; rc == BBT_OK && k->words[i]; i++)
        rc = buf_printf(ret, "%s`%s`", i ? " \\| " : "", k->words[i]);
    return rc == BBT_OK && k->type == KEY_WORD ? buf_puts(ret, " or a section") : rc;
}

static enum bbt_rc help_range(const struct key *k, struct bbt_buf *ret)
{
    const char *unit = k->type == KEY_TIME ? " s" : k->type == KEY_SIZE ? " bytes" : "";

    switch (k->type) {
    case KEY_COUNT:
    case KEY_INT:
    case KEY_REAL:
    case KEY_AUTO:
    case KEY_TIME:
    case KEY_SIZE:
    case KEY_MANY:
    case KEY_MONEY:
    case KEY_SHARE:
        if (isinf(k->max))
            return buf_printf(ret, ">= %.12g%s", k->min, unit);
        return buf_printf(ret, "%.12g .. %.12g%s", k->min, k->max, unit);
    default:
        return BBT_OK;
    }
}

static enum bbt_rc help_row(
    const struct key *k, const char *prefix, struct bbt_buf *ret)
{
    const char *quote = k->fallback ? "`" : "";
    enum bbt_rc rc = buf_printf(ret, "| `%s%s` | ", prefix, k->path);

    if (rc == BBT_OK)
        rc = help_type(k, ret);
    if (rc == BBT_OK)
        rc = buf_printf(ret, " | %s%s%s | ", quote,
            k->fallback ? k->fallback
            : k->needed ? "needed"
                        : "",
            quote);
    if (rc == BBT_OK)
        rc = help_range(k, ret);
    return rc == BBT_OK ? buf_printf(ret, " | %s |\n", k->help) : rc;
}

static enum bbt_rc help_rows(
    const struct key_table *t, const char *prefix, struct bbt_buf *ret)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; rc == BBT_OK && i < t->nr; i++) {
        char below[96];

        rc = help_row(&t->key[i], prefix, ret);
        if (rc != BBT_OK || t->key[i].type != KEY_ITEMS)
            continue;
        (void)snprintf(below, sizeof below, "%s%s[].", prefix, t->key[i].path);
        rc = help_rows(t->key[i].items, below, ret);
    }
    return rc;
}

enum bbt_rc table_help(const struct key_table *t, struct bbt_buf *ret)
{
    enum bbt_rc rc = buf_puts(ret, "| key | type | default | range | meaning |\n"
                                   "| --- | --- | --- | --- | --- |\n");

    return rc == BBT_OK ? help_rows(t, "", ret) : rc;
}
