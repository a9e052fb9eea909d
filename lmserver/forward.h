/* forward.h -- the encoder and its language-model head, for the positions that are asked for.
 *
 * Thread-safe by ownership: any number of calls may run at once, each with a room of its own.
 * BLAS must be pinned to one thread (blas_threads): the rows of a batch are split over
 * threads above, which is faster than splitting every product. */
#ifndef LMSERVER_FORWARD_H
#define LMSERVER_FORWARD_H

#include "base/err.h"
#include "query.h"
#include "weights.h"

/* Memory for intermediate results; grows, and is kept between calls. Start all-zero. */
struct forward_room {
    float *mem;
    size_t floats;
};

/* Frees what the room grew to; a zeroed one is fine, and it may be used again. */
void forward_room_fini(struct forward_room *room);

/* Logits of the rows from..to-1 of a checked query, to out + (row - from) x q->out_cols.
 * BBT_INVALID where a result is not finite (a prompt of absurd size); BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc forward_rows(const struct weights *w, const struct query *q,
    const size_t from_to[2], struct forward_room *room, float *out, struct bbt_err *err);

#endif
