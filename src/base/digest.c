#include "base/digest.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>

enum bbt_rc digest_sha256(const void *bytes, size_t len, uint8_t ret[DIGEST_LEN])
{
    unsigned n = 0;

    if (EVP_Digest(bytes, len, ret, &n, EVP_sha256(), NULL) != 1 || n != DIGEST_LEN)
        return BBT_NOMEM;
    return BBT_OK;
}

static void give_up(struct digest_run *d)
{
    EVP_MD_CTX_free(d->ctx);
    d->ctx = NULL;
}

void digest_begin(struct digest_run *d)
{
    d->ctx = EVP_MD_CTX_new();
    if (d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
        give_up(d);
}

void digest_add(struct digest_run *d, const void *bytes, size_t len)
{
    if (d->ctx && EVP_DigestUpdate(d->ctx, bytes, len) != 1)
        give_up(d);
}

enum bbt_rc digest_end(struct digest_run *d, uint8_t ret[DIGEST_LEN])
{
    unsigned n = 0;
    bool good = d->ctx && EVP_DigestFinal_ex(d->ctx, ret, &n) == 1 && n == DIGEST_LEN;

    give_up(d);
    return good ? BBT_OK : BBT_NOMEM;
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
