/* embmat.h -- a model's input embedding out of its safetensors files: rows by token id, and
 * mean and deviation of the whole matrix. Mapped, not copied; read-only once opened, so any
 * thread may use it. */
#ifndef NUM_EMBMAT_H
#define NUM_EMBMAT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct embmat; /* opaque */

/* `path`: a .safetensors file, a model folder, or its model.safetensors.index.json. `tensor`:
 * the matrix' name there; NULL = one of the names that model families use. Reads the whole
 * matrix once for embmat_stats(), so it belongs on a worker. BBT_INVALID: no such tensor (with
 * names that are there), no matrix of floats, a number that is not finite; errors of opening;
 * BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc embmat_open(
    const char *path, const char *tensor, struct embmat **ret, struct bbt_err *err);
void embmat_free(struct embmat *m); /* NULL is fine */

size_t embmat_rows(const struct embmat *m); /* tokens */
size_t embmat_cols(const struct embmat *m); /* width */

/* Mean and population standard deviation over all entries. */
void embmat_stats(const struct embmat *m, double *ret_mean, double *ret_std);

/* Writes the row of a token (embmat_cols() numbers); false where there is none. `arg` is a
 * const struct embmat: fits prov_model.token_row. */
bool embmat_row(const void *arg, int32_t id, float *ret);

#endif
