/* pieces.h -- a vocabulary: pieces by id, ids by piece. Ids need not be dense. */
#ifndef TEXT_PIECES_H
#define TEXT_PIECES_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PIECES_NONE (-1)

struct pieces {
    struct bbt_buf pool; /* the pieces, each with a NUL */
    size_t *offset;      /* by id; SIZE_MAX: no such piece */
    size_t n;            /* one more than the largest id */
    size_t longest;      /* bytes of the longest piece */
    int32_t *slot;       /* open addressing; ids, PIECES_NONE = free */
    size_t slots;        /* a power of two, over twice the number of ids */
};

/* Room for ids 0 .. n - 1. */
BBT_NODISCARD enum bbt_rc pieces_init(struct pieces *p, size_t n);
void pieces_fini(struct pieces *p); /* zeroed is fine */

/* `id` < n. A piece that is there already moves to the new id, as a dictionary would do;
 * the old id keeps its text. BBT_INVALID: the id is taken, NUL in the piece. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc pieces_add(
    struct pieces *p, int32_t id, const void *bytes, size_t len);

/* PIECES_NONE where there is none. */
int32_t pieces_find(const struct pieces *p, const void *bytes, size_t len);

/* NULL where there is none. */
const char *pieces_at(const struct pieces *p, int32_t id);

#endif
