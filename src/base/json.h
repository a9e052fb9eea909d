/* json.h -- strict reading and stable writing of small JSON documents (control paths).
 *
 * Values are jansson's; this file adds what jansson leaves to its user: a depth limit, errors
 * with a name and a place, typed look-ups by JSON pointer. Big numeric payloads do not pass
 * here. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

#define JSON_DEPTH_LIMIT 32

/* Parses exactly one document. Duplicate keys, trailing bytes, invalid UTF-8, NUL in strings
 * and nesting over JSON_DEPTH_LIMIT are BBT_INVALID; the sentence is "NAME:LINE:COL: why".
 * The caller owns *ret (json_decref). */
BBT_NODISCARD enum bbt_rc json_parse(
    const void *bytes, size_t len, const char *name, json_t **ret, struct bbt_err *err);

/* Compact text with sorted keys and 17 digits where needed: equal values give equal bytes,
 * and numbers read back as they were.
 * To be freed by bbt_free(); NULL without memory. */
char *json_print(const json_t *v);

/* The same, indented for people. */
char *json_print_pretty(const json_t *v);

/* Look-ups of one member; the fallback where it is absent or of another type. */
const char *json_get_str(const json_t *obj, const char *key, const char *fallback);
double json_get_num(const json_t *obj, const char *key, double fallback);
long long json_get_int(const json_t *obj, const char *key, long long fallback);
int json_get_bool(const json_t *obj, const char *key, int fallback);

/* For building what must be whole or not at all: puts `v`, which it takes, into *obj (appends it
 * to *list). Without memory, or where `v` is NULL, *obj is freed and NULL; fine on a NULL *obj:
 * the last one tells of all. */
void json_put(json_t **obj, const char *key, json_t *v);
void json_add(json_t **list, json_t *v);

/* A string of any bytes, of texts that came from outside or were cut: what is no UTF-8 becomes
 * '?'. NULL without memory. */
json_t *json_clean(const char *s);

/* Routes jansson's memory through base/alloc. Once, before any other call. */
void json_use_alloc(void);

#endif
