#include "num/npy.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "arrays are written as they lie in memory: little endian only"
#endif

#define MAGIC_LEN 10u /* magic string, version, u16 length of the description */
#define ALIGN 64u     /* the data starts at a multiple of this (format's own rule) */

/* The description: a Python dictionary literal. */
static enum bbt_rc describe(size_t rank, const size_t *shape, struct bbt_buf *ret)
{
    enum bbt_rc rc = buf_puts(ret, "{'descr': '<f4', 'fortran_order': False, 'shape': (");

    /* a tuple of one needs its comma: (3,) */
    for (size_t i = 0; rc == BBT_OK && i < rank; i++)
        rc = buf_printf(ret, "%s%zu%s", i ? " " : "", shape[i],
            i + 1 < rank || rank == 1 ? "," : "");
    if (rc == BBT_OK)
        rc = buf_puts(ret, "), }");
    return rc;
}

/* The bytes in front of the data. */
static enum bbt_rc put_header(size_t rank, const size_t *shape, struct bbt_buf *ret)
{
    uint8_t magic[MAGIC_LEN] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    struct bbt_buf text;
    enum bbt_rc rc;
    size_t full;

    buf_init(&text, 4096);
    rc = describe(rank, shape, &text);
    if (rc == BBT_OK) {
        full = (MAGIC_LEN + text.len + 1 + ALIGN - 1) / ALIGN * ALIGN - MAGIC_LEN;
        magic[8] = (uint8_t)(full & 0xff);
        magic[9] = (uint8_t)(full >> 8);
        while (rc == BBT_OK && text.len + 1 < full)
            rc = buf_puts(&text, " ");
    }
    if (rc == BBT_OK)
        rc = buf_puts(&text, "\n");
    if (rc == BBT_OK)
        rc = buf_put(ret, magic, sizeof magic);
    if (rc == BBT_OK)
        rc = buf_put(ret, text.data, text.len);
    buf_fini(&text);
    return rc;
}

enum bbt_rc npy_write(const float *data, size_t rank, const size_t *shape,
    struct bbt_buf *ret, struct bbt_err *err)
{
    size_t bytes = sizeof(float);
    enum bbt_rc rc;

    if (rank > NPY_RANK_MAX)
        return bbt_fail(err, BBT_INVALID, "an array of rank %zu: at most %d", rank,
            NPY_RANK_MAX);
    for (size_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(bytes, shape[i], &bytes))
            return bbt_fail(err, BBT_INVALID, "the array is too large to be written");
    rc = put_header(rank, shape, ret);
    if (rc == BBT_OK && bytes)
        rc = buf_put(ret, data, bytes);
    if (rc != BBT_OK)
        return bbt_fail(err, rc, "no room for an array of %zu bytes", bytes);
    return BBT_OK;
}
