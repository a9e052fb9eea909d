/* base64.h -- bytes as text (RFC 4648 section 4), the strict way that servers insist on: the
 * standard alphabet, padded, no line feeds. */
#ifndef PROV_BASE64_H
#define PROV_BASE64_H

#include "base/buf.h"

/* Characters for `len` bytes; SIZE_MAX where that is no size. */
size_t base64_size(size_t len);

/* Appends. BBT_INVALID at the cap, BBT_NOMEM; then the buffer is unchanged. */
BBT_NODISCARD enum bbt_rc base64_put(struct bbt_buf *b, const void *bytes, size_t len);

#endif
