/* yaml.h -- a strict subset of YAML into a JSON tree that remembers where each value stood.
 *
 * YAML 1.2 core scalars only (`no` and `22:00` stay text). Anchors, aliases, tags, merge
 * keys, duplicate keys, several documents, nesting over 32 and files over 1 MiB are errors.
 * JSON is valid input. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

#define YAML_BYTES_MAX (1024u * 1024u)

struct yaml_doc; /* tree and places */

/* Sentence on failure: "NAME:LINE:COL: why (the fix)". */
BBT_NODISCARD enum bbt_rc yaml_parse(const void *bytes, size_t len, const char *name,
    struct yaml_doc **ret, struct bbt_err *err);
/* NULL is fine. (Not "yaml_free": libyaml exports that name and would call ours.) */
void yaml_close(struct yaml_doc *d);

/* Borrowed until yaml_close(). */
json_t *yaml_tree(struct yaml_doc *d);

/* Place (from 1) of the value at a JSON pointer ("/stop/evaluations"), or of its KEY where
 * `of_key`. The nearest existing parent where the pointer leads nowhere. */
void yaml_place(const struct yaml_doc *d, const char *pointer, int of_key, int *ret_line,
    int *ret_col);

#endif
