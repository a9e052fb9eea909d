/* jcut.h -- JSON messages with megabytes of numbers inside, read while they come: cuts the
 * number arrays out, so that the small rest goes through the strict reader of base/json.h.
 *
 * Cut is the array value of every member "data" that stands in an object in an array in the
 * root object: {"outputs":[{"data":[...]}]}. In the rest each stands as its index. */
#ifndef PROV_JCUT_H
#define PROV_JCUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "prov/numlist.h"

#include <stddef.h>
#include <stdint.h>

#define JCUT_PIECES_MAX 16
#define JCUT_REST_MAX (256u * 1024u)
#define JCUT_HELD_MAX (8u * 1024u * 1024u)

/* What becomes of an array. */
enum jcut_do {
    JCUT_READ, /* into the list that was begun */
    JCUT_SKIP, /* only its end is looked for */
    JCUT_HOLD  /* kept as text: what is needed to read it comes after it */
};

/* An array begins: the members of its object that came before it, and its index ("data" in
 * `object` is that). For JCUT_READ, *ret_list is a list of the caller's that was begun. Fails
 * as it likes. */
typedef enum bbt_rc jcut_open_fn(void *arg, const json_t *object, size_t piece,
    enum jcut_do *ret, struct numlist **ret_list, struct bbt_err *err);

struct jcut {
    const char *name; /* of the message: sentences start with it */
    jcut_open_fn *open;
    void *arg;
    struct bbt_buf rest; /* what is not cut */
    struct bbt_buf held;
    struct {
        size_t at, len; /* of held; brackets included */
    } piece[JCUT_PIECES_MAX];
    size_t pieces;

    /* own */
    enum { JCUT_TEXT, JCUT_STRING, JCUT_KEY, JCUT_COLON, JCUT_ARRAY } state;
    unsigned depth;
    uint64_t arrays;  /* bit d: the container at depth d is an array */
    size_t string_at; /* of rest: the last text's quote */
    size_t object_at; /* of rest: the last object at depth 3 */
    bool escaped;
    enum jcut_do how;
    struct numlist *list;
    size_t open_lists; /* brackets of an array that is not read */
    bool quoted;       /* within a text in there */
};

/* `name` and `arg` are lent. */
void jcut_init(struct jcut *c, const char *name, jcut_open_fn *open, void *arg);

/* The next bytes. BBT_CORRUPT: more than JCUT_PIECES_MAX arrays, the rest over JCUT_REST_MAX,
 * what is held over JCUT_HELD_MAX, or a list that is wrong; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc jcut_feed(
    struct jcut *c, const void *bytes, size_t len, struct bbt_err *err);

/* It is over: the rest, parsed (to be freed with json_decref). BBT_CORRUPT: not JSON, or cut
 * short; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc jcut_end(struct jcut *c, json_t **ret_root, struct bbt_err *err);

void jcut_fini(struct jcut *c); /* NULL and zeroed are fine */

#endif
