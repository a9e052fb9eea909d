/* sf.h -- structured fields of HTTP (RFC 8941): a list of items with parameters, or a
 * dictionary, member by member. Inner lists are not read: no field of ours has them. */
#ifndef PROV_SF_H
#define PROV_SF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SF_PARAMS_MAX 8 /* of one member; a field with more is refused */

enum sf_type { SF_NONE, SF_INTEGER, SF_DECIMAL, SF_STRING, SF_TOKEN, SF_BYTES, SF_BOOLEAN };

struct sf_value {
    enum sf_type type;
    int64_t n;        /* integer; boolean: 0 or 1 */
    const char *text; /* string without its quotes, token; lent from the field, escapes kept */
    size_t len;
};

struct sf_param {
    const char *key; /* lent */
    size_t key_len;
    struct sf_value value; /* true where nothing is said */
};

struct sf_member {
    struct sf_param key; /* of a dictionary: its name, the value in `value`; key_len 0: a list */
    struct sf_value value;
    struct sf_param param[SF_PARAMS_MAX];
    size_t params;
};

enum sf_step { SF_END, SF_MEMBER, SF_BROKEN };

/* The next member at *at, which moves behind it and its comma. SF_BROKEN: the whole field
 * is to be ignored, what was read from it before as well. */
enum sf_step sf_next(const char **at, struct sf_member *ret);

/* The parameter of that name, or NULL. */
const struct sf_value *sf_param(const struct sf_member *m, const char *key);

#endif
