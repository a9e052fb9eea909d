/* digest.h -- SHA-256 of bytes: names of blobs, identity of candidates and states. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32
#define DIGEST_HEX 65 /* 64 characters and the NUL */

/* BBT_NOMEM where the library refuses. */
BBT_NODISCARD enum bbt_rc digest_sha256(
    const void *bytes, size_t len, uint8_t ret[DIGEST_LEN]);

/* The same of bytes that come in pieces: digest_begin(), digest_add() ..., digest_end(), which
 * ends it in any case. After a failure the rest is skipped and digest_end() says BBT_NOMEM. */
struct digest_run {
    void *ctx;
};
void digest_begin(struct digest_run *d);
void digest_add(struct digest_run *d, const void *bytes, size_t len);
BBT_NODISCARD enum bbt_rc digest_end(struct digest_run *d, uint8_t ret[DIGEST_LEN]);

/* Lower-case hexadecimal; `out` holds DIGEST_HEX bytes. */
void digest_hex(const uint8_t d[DIGEST_LEN], char *out);

/* The first eight bytes of the SHA-256, little endian: a short identity for rows. 0 only
 * when the library refuses (and then once in 2^64 besides). */
uint64_t digest_short(const void *bytes, size_t len);

#endif
