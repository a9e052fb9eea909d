#include "base/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

enum bbt_rc digest_sha256(const void *bytes, size_t len, uint8_t ret[DIGEST_LEN])
{
    unsigned n = 0;

    if (EVP_Digest(bytes, len, ret, &n, EVP_sha256(), NULL) != 1 || n != DIGEST_LEN)
        return BBT_NOMEM;
    return BBT_OK;
}

void digest_hex(const uint8_t d[DIGEST_LEN], char *out)
{
    for (size_t i = 0; i < DIGEST_LEN; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", d[i]);
}

uint64_t digest_short(const void *bytes, size_t len)
{
    uint8_t d[DIGEST_LEN];
    uint64_t v = 0;

    if (digest_sha256(bytes, len, d) != BBT_OK)
        return 0;
    for (size_t i = 0; i < 8; i++)
        v |= (uint64_t)d[i] << (8 * i);
    return v;
}
