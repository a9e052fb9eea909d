/* buf.h -- growable bytes with a hard cap. Every buffer that an outsider can fill has one.
 *
 * Not a string type: `data` is NUL-terminated for convenience (the NUL is not counted),
 * but may hold NULs inside. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes of somebody else. What is sent is a list of them and is never copied together. */
struct bbt_slice {
    const void *p;
    size_t n;
};

struct bbt_buf {
    uint8_t *data; /* NULL while empty */
    size_t len;
    size_t room; /* bytes allocated, the NUL included */
    size_t max;  /* len never passes this */
};

/* An empty buffer that may grow to `max` bytes. Allocates nothing. */
void buf_init(struct bbt_buf *b, size_t max);

/* Frees the bytes; the buffer is empty again and keeps its cap. */
void buf_fini(struct bbt_buf *b);

/* Appends; BBT_NOMEM, or BBT_INVALID at the cap. On failure the buffer is unchanged. */
BBT_NODISCARD enum bbt_rc buf_put(struct bbt_buf *b, const void *bytes, size_t len);
BBT_NODISCARD enum bbt_rc buf_puts(struct bbt_buf *b, const char *s);
BBT_NODISCARD enum bbt_rc buf_printf(struct bbt_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends the slices' bytes, in order. On failure none of them. */
BBT_NODISCARD enum bbt_rc buf_put_slices(
    struct bbt_buf *b, const struct bbt_slice *slice, size_t n);

/* Lends `len` writable bytes at the end, which count as appended. NULL as above. */
void *buf_extend(struct bbt_buf *b, size_t len);

/* Gives room back that is not used; for bytes that stay. */
void buf_trim(struct bbt_buf *b);

/* Hands the bytes over (to be freed by bbt_free) and leaves the buffer empty. NULL where
 * it was empty. `ret_len` may be NULL. */
uint8_t *buf_take(struct bbt_buf *b, size_t *ret_len);

#endif
