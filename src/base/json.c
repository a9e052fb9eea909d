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

void json_use_alloc(void)
{
    json_set_alloc_funcs(alloc_noted, bbt_free);
}
