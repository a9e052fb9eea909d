/* npy.h -- NumPy's .npy file of one fp32 array (format version 1.0), writing only. */
#ifndef NUM_NPY_H
#define NUM_NPY_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define NPY_RANK_MAX 8

/* Appends a whole file: `data` in row-major order, little endian. BBT_INVALID (rank over the
 * limit, the buffer's cap) or BBT_NOMEM; then `ret` may hold a part of the file. */
BBT_NODISCARD enum bbt_rc npy_write(const float *data, size_t rank, const size_t *shape,
    struct bbt_buf *ret, struct bbt_err *err);

#endif
