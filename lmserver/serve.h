/* serve.h -- the routes of the Open Inference Protocol v2, for the two models of one folder. */
#ifndef LMSERVER_SERVE_H
#define LMSERVER_SERVE_H

#include "base/err.h"
#include "weights.h"

#include <stddef.h>

struct loop;
struct op;
struct serve;

/* `name`: of the model; NAME-embedding is the second one. Borrows `w`. BLAS is to be pinned to
 * one thread before. BBT_INVALID: a name that cannot stand in a path. */
BBT_NODISCARD enum bbt_rc serve_new(struct loop *l, const struct weights *w,
    const char *name, unsigned threads, struct serve **ret, struct bbt_err *err);

/* After serve_stop() and its wake-up: every request is answered. NULL is fine. */
void serve_free(struct serve *s);

/* `where`: "HOST:PORT" (port 0: any), "[V6]:PORT" or "unix:PATH". Writes the real address, in
 * the same form, to `ret`. */
BBT_NODISCARD enum bbt_rc serve_listen(
    struct serve *s, const char *where, char *ret, size_t room, struct bbt_err *err);

/* No new requests; `idle` is woken when serve_busy() is 0. */
void serve_stop(struct serve *s, struct op *idle);
size_t serve_busy(const struct serve *s); /* requests that began and are not yet answered */
size_t serve_tasks(const struct serve *s); /* of these, the ones that were read in full */

#endif
