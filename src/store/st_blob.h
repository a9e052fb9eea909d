/* st_blob.h -- data files by content: the name is the SHA-256 of the bytes. */
#ifndef STORE_ST_BLOB_H
#define STORE_ST_BLOB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct store;

#define STORE_BLOB_MAX (64u * 1024u * 1024u)

/* `sha256` is 64 lower-case hexadecimal digits. BBT_INVALID: it is not, or the bytes
 * have another digest, or are over STORE_BLOB_MAX. Putting a known blob is fine. */
BBT_NODISCARD enum bbt_rc store_blob_put(struct store *s, const char *sha256,
    const void *bytes, size_t len, struct bbt_err *err);

/* BBT_NOTFOUND. *ret is never NULL on success and to be freed by bbt_free(). */
BBT_NODISCARD enum bbt_rc store_blob_get(struct store *s, const char *sha256,
    void **ret, size_t *ret_len, struct bbt_err *err);

/* Whether the content is there, without reading it. */
BBT_NODISCARD enum bbt_rc store_blob_has(
    struct store *s, const char *sha256, bool *ret, struct bbt_err *err);

#endif
