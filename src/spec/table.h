/* table.h -- one validator for both files: a table of keys says what may stand where.
 *
 * Parser, defaults, printing and the reference pages in schema/ all come from the same
 * rows, so they cannot differ. A key that no row names is an error with a suggestion.
 */
#ifndef SPEC_TABLE_H
#define SPEC_TABLE_H

#include "base/buf.h"
#include "base/json.h"
#include "spec/problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
    KEY_TEXT,    /* char *: UTF-8, line breaks allowed; min..max are bytes */
    KEY_NAME,    /* char *: one line of UTF-8; min..max are bytes */
    KEY_CONST,   /* a text that must be the fallback; lands nowhere */
    KEY_COUNT,   /* uint64_t */
    KEY_INT,     /* int64_t */
    KEY_REAL,    /* double; NaN where absent without fallback */
    KEY_AUTO,    /* double, or the word auto = NaN */
    KEY_BOOL,    /* bool */
    KEY_ENUM,    /* int: index into `words` */
    KEY_TIME,    /* uint64_t microseconds: 500ms 60s 5m 12h 2d; min..max are seconds */
    KEY_SIZE,    /* uint64_t bytes: 64K 32M 2G; min..max are bytes */
    KEY_MANY,    /* uint64_t: 12000, 250k, 30M (thousands, millions), 1e6; min..max are ones */
    KEY_MONEY,   /* uint64_t nano-dollars, MONEY_NONE where absent without fallback: 4, 0.10,
                    "0.000000001"; exact; min..max are dollars */
    KEY_WORD,    /* bool: true where the one word words[0] stands; rows below the same path
                    may be given as a section instead */
    KEY_HOURS,   /* struct hours: "22:00-08:00" */
    KEY_DAYS,    /* uint8_t, a mask as in hours_week: [mon, tue]; 0 where absent */
    KEY_ZONE,    /* char *: name of a time zone */
    KEY_MOMENT,  /* int64_t: RFC 3339 time with its zone, as microseconds since 1970, a whole
                    second; 0 where absent */
    KEY_SHARE,   /* double: 1% or 0.01; min..max are parts of 1 */
    KEY_MODE,    /* unsigned: file mode, octal digits in quotes ("0660") */
    KEY_SHA256,  /* char *: 64 lower-case hexadecimal digits */
    KEY_LIST,    /* struct key_list: names; min..max are items */
    KEY_MAP,     /* struct key_pairs: name to text; min..max are pairs */
    KEY_ORDERED, /* the same where order matters: printed as a list of one-pair maps,
                    and read in both forms */
    KEY_ITEMS,   /* struct key_items: sections by the sub-table `items` */
    KEY_TYPE_NR
};

struct key_list {
    char **item;
    size_t nr;
};
struct key_pair {
    char *name, *value;
};
struct key_pairs {
    struct key_pair *item;
    size_t nr;
};
struct key_items {
    void *item; /* nr structs of items->size bytes */
    size_t nr;
};

struct key {
    const char *path; /* "stop.target.dev", relative to the table */
    enum key_type type;
    size_t at; /* offset in the table's struct */
    double min, max;
    const char
        *fallback; /* as one would write it; NULL = absent stays zero, NULL or NaN */
    const char *const *words; /* KEY_ENUM: NULL-terminated; KEY_ITEMS: the key whose value a
                                 bare text in the list is; NULL: it names a key that is true */
    bool needed;
    const struct key_table *items; /* KEY_ITEMS */
    const char *help;              /* one line */
};

struct key_table {
    const char *name; /* "job file" */
    const struct key *key;
    size_t nr;
    size_t size; /* of the struct that is filled */
};

/* Fills `out` (zeroed by the caller, t->size bytes) from an object and notes every
 * problem. `out` is always safe for table_fini(), and holds defaults where values were
 * wrong. */
void table_read(const struct key_table *t, const json_t *tree, const char *pointer,
    void *out, struct spec_problems *problems);

/* Frees what table_read() allocated inside `out`. */
void table_fini(const struct key_table *t, void *out);

/* The effective values as a new JSON object, reading back to the same struct; absent
 * optional values are left out. NULL without memory. */
json_t *table_print(const struct key_table *t, const void *out);

/* The reference table as Markdown: key, type, default, range, help. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc table_help(const struct key_table *t, struct bbt_buf *ret);

#endif
