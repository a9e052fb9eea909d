#include "base/scalar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REAL_MAX 1.7976931348623157e308 /* above it, strtod says infinity */

static int one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(s, *words) == 0)
            return 1;
    return 0;
}

/* [-+]?[0-9]+, 0o[0-7]+ or 0x[0-9a-fA-F]+; *ret_base and *ret_digits for strtoll. */
static int is_integer(const char *s, int *ret_base, const char **ret_digits)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t allowed = 10;

    *ret_base = 10;
    *ret_digits = s;
    if (s[0] == '0' && (s[1] == 'o' || s[1] == 'x')) {
        *ret_base = s[1] == 'o' ? 8 : 16;
        allowed = s[1] == 'o' ? 8 : sizeof digits - 1;
        s += 2;
        *ret_digits = s;
    } else if (*s == '-' || *s == '+') {
        s++;
    }
    if (!*s)
        return 0;
    for (; *s; s++)
        if (!memchr(digits, *s, allowed))
            return 0;
    return 1;
}

/* [-+]? ( \.[0-9]+ | [0-9]+ (\.[0-9]*)? ) ([eE][-+]?[0-9]+)? */
static int is_real(const char *s)
{
    size_t before, after = 0;

    s += *s == '-' || *s == '+';
    before = strspn(s, "0123456789");
    s += before;
    if (*s == '.') {
        after = strspn(++s, "0123456789");
        s += after;
    }
    if (before + after == 0)
        return 0;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '-' || *s == '+';
        before = strspn(s, "0123456789");
        if (before == 0)
            return 0;
        s += before;
    }
    return *s == '\0';
}

static enum bbt_rc integer(
    const char *s, const char *digits, int base, json_t **ret, struct bbt_err *err)
{
    long long v;

    errno = 0;
    v = strtoll(digits, NULL, base);
    if (errno == ERANGE)
        return bbt_fail(err, BBT_INVALID,
            "the number %.40s is too large (quote it if it is a text)", s);
    *ret = json_integer(v);
    return BBT_OK;
}

static enum bbt_rc real(const char *s, locale_t c, json_t **ret, struct bbt_err *err)
{
    double v = strtod_l(s, NULL, c);

    if (v > REAL_MAX || v < -REAL_MAX)
        return bbt_fail(err, BBT_INVALID, "the number %.40s is too large", s);
    *ret = json_real(v);
    return BBT_OK;
}

enum bbt_rc scalar_plain(
    const char *s, size_t len, locale_t c, json_t **ret, struct bbt_err *err)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const odd[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF",
        "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN", NULL};
    enum bbt_rc rc = BBT_OK;
    json_t *v = NULL;
    const char *digits;
    int base;

    if (one_of(s, nulls))
        v = json_null();
    else if (one_of(s, trues))
        v = json_true();
    else if (one_of(s, falses))
        v = json_false();
    else if (one_of(s, odd))
        rc = bbt_fail(err, BBT_INVALID, "%s is not a number here", s);
    else if (is_integer(s, &base, &digits))
        rc = integer(s, digits, base, &v, err);
    else if (is_real(s))
        rc = real(s, c, &v, err);
    else
        v = json_stringn(s, len);
    if (rc == BBT_OK && !v)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a value");
    if (rc == BBT_OK)
        *ret = v;
    return rc;
}
