#include "base/json.h"

#include "base/alloc.h"

#include <string.h>

/* jansson 2.14's reader ignores a refused growth of its text buffer: it drops the characters,
 * then gives back an altered document or writes past a block. So a refusal is remembered
 * here, the reader gets its bytes all the same, and json_parse() throws the result away. Its
 * writer ignores one within a key, and goes on behind it: json_print() looks here as well. */
static _Thread_local int refused, parsing;

static void *alloc_noted(size_t size)
{
    void *p = bbt_alloc(size);

    if (p)
        return p;
    refused = 1;
    return parsing ? bbt_alloc_or_die(size) : NULL;
}

static int too_deep(const json_t *v, int left)
{
    const char *key;
    json_t *item;
    size_t i;

    if (left == 0)
        return json_is_object(v) || json_is_array(v);
    if (json_is_object(v)) {
        json_object_foreach ((json_t *)(size_t)v, key, item)
            if (too_deep(item, left - 1))
                return 1;
    } else if (json_is_array(v)) {
        json_array_foreach (v, i, item)
            if (too_deep(item, left - 1))
                return 1;
    }
    return 0;
}

enum bbt_rc json_parse(
    const void *bytes, size_t len, const char *name, json_t **ret, struct bbt_err *err)
{
    json_error_t why;
    json_t *v;

    refused = 0;
    parsing = 1;
    v = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    parsing = 0;
    if (refused || (!v && json_error_code(&why) == json_error_out_of_memory)) {
        json_decref(v);
        return bbt_fail(err, BBT_NOMEM, "no memory to read %s", name);
    }
    if (!v)
        return bbt_fail(
            err, BBT_INVALID, "%s:%d:%d: %s", name, why.line, why.column, why.text);
    if (too_deep(v, JSON_DEPTH_LIMIT)) {
        json_decref(v);
        return bbt_fail(err, BBT_INVALID, "%s: nested deeper than %d levels", name,
            JSON_DEPTH_LIMIT);
    }
    *ret = v;
    return BBT_OK;
}

static char *print(const json_t *v, size_t flags)
{
    char *text;

    refused = 0;
    text = json_dumps(v, flags | JSON_ENCODE_ANY);
    if (!refused)
        return text;
    bbt_free(text);
    return NULL;
}

char *json_print(const json_t *v)
{
    return print(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}

char *json_print_pretty(const json_t *v)
{
    return print(v, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
}

const char *json_get_str(const json_t *obj, const char *key, const char *fallback)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_string(v) ? json_string_value(v) : fallback;
}

double json_get_num(const json_t *obj, const char *key, double fallback)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_number(v) ? json_number_value(v) : fallback;
}

long long json_get_int(const json_t *obj, const char *key, long long fallback)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

int json_get_bool(const json_t *obj, const char *key, int fallback)
{
    const json_t *v = json_object_get(obj, key);

    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

static void give_up(json_t **v)
{
    json_decref(*v);
    *v = NULL;
}

void json_put(json_t **obj, const char *key, json_t *v)
{
    if (json_object_set_new(*obj, key, v) != 0)
        give_up(obj);
}

void json_add(json_t **list, json_t *v)
{
    if (json_array_append_new(*list, v) != 0)
        give_up(list);
}

/* Bytes of the character at `s`; 0 where none begins there (RFC 3629: no overlong form, no
 * surrogate, nothing over U+10FFFF). */
static size_t char_len(const unsigned char *s)
{
    static const struct {
        unsigned char from, to, second_from, second_to, n;
    } row[] = {{0x00, 0x7f, 0, 0, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    size_t i = 0, n;

    while (i < sizeof row / sizeof *row && (s[0] < row[i].from || s[0] > row[i].to))
        i++;
    if (i == sizeof row / sizeof *row)
        return 0;
    if (row[i].n > 1 && (s[1] < row[i].second_from || s[1] > row[i].second_to))
        return 0;
    for (n = 2; n < row[i].n; n++)
        if (s[n] < 0x80 || s[n] > 0xbf)
            return 0;
    return row[i].n;
}

json_t *json_clean(const char *s)
{
    json_t *v = json_string(s);
    char *copy;

    if (v)
        return v;
    copy = bbt_strdup(s);
    for (size_t i = 0; copy && copy[i];) {
        size_t n = char_len((const unsigned char *)copy + i);

        if (n == 0)
            copy[i] = '?';
        i += n ? n : 1;
    }
    v = json_string(copy);
    bbt_free(copy);
    return v;
}

void json_use_alloc(void)
{
    json_set_alloc_funcs(alloc_noted, bbt_free);
}
