/* safetens.h -- the safetensors format: named tensors behind a JSON header.
 *
 *   u64 header length, little endian | header, JSON | bytes of all tensors, no holes
 *
 * Reads one file, a model folder (one file, or several named by
 * model.safetensors.index.json) or bytes in memory; files are mapped, not copied. Nothing in
 * a file is believed before it is checked: a handle that was returned has tensors whose bytes
 * lie inside the file, do not overlap and have the length that type and shape demand.
 *
 * Not a model: what the tensors mean is their user's business. */
#ifndef NUM_SAFETENS_H
#define NUM_SAFETENS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

#define SAFETENS_RANK_MAX 8
#define SAFETENS_HEADER_MAX (16u * 1024u * 1024u)
#define SAFETENS_SHARDS_MAX 1024u

enum safetens_type {
    SAFETENS_F32,
    SAFETENS_F16,
    SAFETENS_BF16,
    SAFETENS_F64,
    SAFETENS_OTHER /* integers, booleans, 8-bit floats: present, not readable as floats */
};

struct safetens_item {
    const char *name; /* borrowed until safetens_free(), as `bytes` */
    enum safetens_type type;
    size_t rank; /* 0 = a scalar */
    size_t shape[SAFETENS_RANK_MAX];
    size_t count;         /* product of the shape */
    const uint8_t *bytes; /* row-major, little endian, any alignment */
    size_t len;
};

struct safetens; /* opaque */

/* A mapped file. The file must not be cut short while the handle lives. Errors: those of
 * opening, BBT_INVALID with a sentence that names file and tensor, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc safetens_open(
    const char *path, struct safetens **ret, struct bbt_err *err);

/* DIR/model.safetensors, else all the files of DIR/model.safetensors.index.json. Every tensor
 * of the index must be in the file that it names; no tensor may be in two files. */
BBT_NODISCARD enum bbt_rc safetens_open_dir(
    const char *dir, struct safetens **ret, struct bbt_err *err);

/* Bytes in memory, borrowed until safetens_free(). `name` stands in the error sentences. */
BBT_NODISCARD enum bbt_rc safetens_parse(const void *bytes, size_t len, const char *name,
    struct safetens **ret, struct bbt_err *err);

void safetens_free(struct safetens *st); /* NULL is fine */

/* All tensors, sorted by name (bytewise). */
size_t safetens_count(const struct safetens *st);
const struct safetens_item *safetens_at(const struct safetens *st, size_t i);

/* NULL where there is none of this name. Borrowed. */
const struct safetens_item *safetens_find(const struct safetens *st, const char *name);

/* Writes item->count floats to `out`; half and bfloat16 become exactly the same numbers,
 * doubles are rounded. BBT_INVALID for a type that holds no floats. */
BBT_NODISCARD enum bbt_rc safetens_floats(
    const struct safetens_item *item, float *out, struct bbt_err *err);

/* The tensor's own bytes as floats: NULL where it is not F32 or not aligned for it. */
const float *safetens_peek(const struct safetens_item *item);

/* One IEEE half (binary16) as a float; subnormals, infinities and NaN included. */
float safetens_half(uint16_t bits);

/* --- writing --- */

struct safetens_out {
    const char *name;
    const float *data; /* product of the shape, row-major */
    size_t rank;
    size_t shape[SAFETENS_RANK_MAX];
};

/* Appends a whole file of `n` fp32 tensors to `ret`, in the given order. `meta` is an object
 * of strings, or NULL. BBT_INVALID: a name twice, rank over the limit, a value of `meta` that
 * is no string, the buffer's cap. On failure `ret` may hold a part of the file. */
BBT_NODISCARD enum bbt_rc safetens_write(const struct safetens_out *tensors, size_t n,
    const json_t *meta, struct bbt_buf *ret, struct bbt_err *err);

#endif
