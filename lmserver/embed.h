/* embed.h -- the embedding block: token rows and soft prompt to one dense matrix.
 *
 * Rows of different lengths lie behind one another, without padding. */
#ifndef LMSERVER_EMBED_H
#define LMSERVER_EMBED_H

#include "fused.h"
#include "query.h"
#include "weights.h"

/* Row r of a checked query to `x` (query_span(q, r) x hidden). Returns the index in it of
 * the position to be read. */
size_t embed_row(const struct weights *w, const struct fused *f, const struct query *q,
    size_t r, float *x);

#endif
