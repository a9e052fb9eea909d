/* torchzip.h -- the one file that servers which take prompt embeddings read: what torch.save
 * writes for a single tensor, byte for byte the same for the same numbers. Only written, never
 * read: no pickle is ever parsed here.
 *
 * A ZIP of stored entries archive/{data.pkl,byteorder,data/0,version}, payloads at multiples
 * of 64. Sources: pytorch, caffe2/serialize/inline_container.cc (container) and
 * torch/_weights_only_unpickler.py (the opcodes that a safe load allows). */
#ifndef PROV_TORCHZIP_H
#define PROV_TORCHZIP_H

#include "base/buf.h"
#include "prov/prov.h"

/* Bytes of the file of rows x cols numbers of type PROV_FP32, PROV_FP16 or PROV_BF16; 0
 * where there is no such file (other type, empty, 2^31 numbers or more, 2 GiB or more). */
size_t torchzip_size(enum prov_type type, size_t rows, size_t cols);

/* The file's bytes around its numbers, which lie together, little-endian, row-major. */
struct torchzip_frame {
    uint8_t head[448], tail[448];
    size_t head_len, tail_len;
};

/* The frame of numbers with that CRC (crc.h). BBT_INVALID: no such file. */
BBT_NODISCARD enum bbt_rc torchzip_frame(enum prov_type type, size_t rows, size_t cols,
    uint32_t crc, struct torchzip_frame *ret, struct bbt_err *err);

/* frame.head_len: the same for every shape. 0: no such type. */
size_t torchzip_head_len(enum prov_type type);

/* Is every number finite and in the type's range? BBT_INVALID where one is not. */
BBT_NODISCARD enum bbt_rc torchzip_check(enum prov_type type, const float *v, size_t rows,
    size_t cols, struct bbt_err *err);

/* Appends the file. `v` is rows x cols, row-major; 16-bit types are rounded to nearest even.
 * BBT_INVALID: no such file, a number that is not finite or not in the type's range, or `b`'s
 * cap; BBT_NOMEM. On failure `b` is as it was. */
BBT_NODISCARD enum bbt_rc torchzip_put(struct bbt_buf *b, enum prov_type type,
    const float *v, size_t rows, size_t cols, struct bbt_err *err);

#endif
