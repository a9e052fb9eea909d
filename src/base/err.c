#include "base/err.h"

#include "base/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum bbt_rc bbt_fail(struct bbt_err *err, enum bbt_rc rc, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return rc;
    err->rc = rc;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    secret_redact(err->msg);
    return rc;
}

enum bbt_rc bbt_err_ctx(struct bbt_err *err, const char *fmt, ...)
{
    char old[sizeof err->msg];
    va_list ap;
    size_t used;
    int n;

    if (!err)
        return BBT_INVALID;
    memcpy(old, err->msg, sizeof old);
    old[sizeof old - 1] = '\0';
    va_start(ap, fmt);
    n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    used = n < 0 ? 0 : (size_t)n;
    if (used < sizeof err->msg)
        (void)snprintf(err->msg + used, sizeof err->msg - used, ": %s", old);
    secret_redact(err->msg);
    return err->rc;
}

const char *bbt_rc_name(enum bbt_rc rc)
{
    static const char *const names[BBT_RC_NR] = {
        [BBT_OK] = "ok",           [BBT_AGAIN] = "again",
        [BBT_INVALID] = "invalid", [BBT_NOTFOUND] = "not_found",
        [BBT_CONFLICT] = "conflict", [BBT_DENIED] = "denied",
        [BBT_CANCELED] = "canceled", [BBT_NOMEM] = "no_memory",
        [BBT_IO] = "io",           [BBT_CORRUPT] = "corrupt",
    };

    return (unsigned)rc < BBT_RC_NR ? names[rc] : "unknown";
}
