/* base64.h -- bytes as text (RFC 4648 section 4), the strict way that servers insist on: the
 * standard alphabet, padded, no line feeds. */
#ifndef PROV_BASE64_H
#define PROV_BASE64_H

#include "prov/pen.h"

/* Characters for `len` bytes; SIZE_MAX where that is no size. */
size_t base64_size(size_t len);

/* Appends. BBT_INVALID at the cap, BBT_NOMEM; then the buffer is unchanged. */
BBT_NODISCARD enum bbt_rc base64_put(struct bbt_buf *b, const void *bytes, size_t len);

/* One text of bytes that come in pieces. */
struct base64 {
    uint8_t held[3]; /* bytes of a group that is not whole yet */
    size_t n;
};

/* Writes the groups that the next bytes make whole. A pen that failed stays so. */
void base64_feed(struct base64 *s, struct pen *p, const void *bytes, size_t len);

/* The last group, padded. */
void base64_close(struct base64 *s, struct pen *p);

#endif
