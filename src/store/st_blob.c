#include "store/st_blob.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "base/killpoint.h"
#include "store/db.h"

#include <string.h>

static bool is_name(const char *sha256)
{
    return strspn(sha256, "0123456789abcdef") == DIGEST_HEX - 1 &&
           sha256[DIGEST_HEX - 1] == '\0';
}

enum bbt_rc store_blob_put(struct store *s, const char *sha256, const void *bytes,
    size_t len, struct bbt_err *err)
{
    uint8_t digest[DIGEST_LEN];
    char hex[DIGEST_HEX];
    struct query q;

    if (!is_name(sha256))
        return bbt_fail(err, BBT_INVALID, "a blob's name is 64 lower-case hex digits");
    if (len > STORE_BLOB_MAX)
        return bbt_fail(
            err, BBT_INVALID, "a data file has at most %u bytes", STORE_BLOB_MAX);
    if (digest_sha256(bytes, len, digest) != BBT_OK)
        return bbt_fail(err, BBT_NOMEM, "no memory for a digest");
    digest_hex(digest, hex);
    if (strcmp(hex, sha256) != 0)
        return bbt_fail(
            err, BBT_INVALID, "the bytes have SHA-256 %s, not %s", hex, sha256);
    db_start(
        &q, s, "INSERT INTO blob (sha256, bytes) VALUES (?, ?) ON CONFLICT DO UPDATE SET idle = 0");
    db_text(&q, sha256);
    db_blob(&q, bytes ? bytes : "", len);
    BBT_KILLPOINT("blob-put");
    return db_done(&q, err);
}

enum bbt_rc store_blob_get(struct store *s, const char *sha256, void **ret,
    size_t *ret_len, struct bbt_err *err)
{
    struct query q;
    void *bytes = NULL;
    size_t len = 0;
    bool found = false;
    enum bbt_rc rc;

    db_start(&q, s, "SELECT bytes FROM blob WHERE sha256 = ?");
    db_text(&q, sha256);
    if (db_row(&q)) {
        found = true;
        bytes = db_col_blob(&q, SIZE_MAX, &len);
    }
    rc = db_end(&q, err);
    if (rc == BBT_OK && !found)
        rc = bbt_fail(err, BBT_NOTFOUND, "no data file with SHA-256 %s", sha256);
    if (rc == BBT_OK) {
        *ret = bytes;
        *ret_len = len;
        bytes = NULL;
    }
    bbt_free(bytes);
    return rc;
}

enum bbt_rc store_blob_has(
    struct store *s, const char *sha256, bool *ret, struct bbt_err *err)
{
    struct query q;
    bool found;
    enum bbt_rc rc;

    db_start(&q, s, "SELECT 1 FROM blob WHERE sha256 = ?");
    db_text(&q, sha256);
    found = db_row(&q);
    rc = db_end(&q, err);
    if (rc == BBT_OK)
        *ret = found;
    return rc;
}
