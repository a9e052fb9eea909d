#include "prov/base64.h"

static const char digit[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_size(size_t len)
{
    size_t groups = len / 3 + (len % 3 != 0), n;

    return __builtin_mul_overflow(groups, (size_t)4, &n) ? SIZE_MAX : n;
}

enum bbt_rc base64_put(struct bbt_buf *b, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    size_t n = base64_size(len);
    char *at;

    if (n > b->max - b->len)
        return BBT_INVALID;
    at = buf_extend(b, n);
    if (!at)
        return BBT_NOMEM;
    for (; len >= 3; len -= 3, p += 3) {
        *at++ = digit[p[0] >> 2];
        *at++ = digit[(p[0] & 3) << 4 | p[1] >> 4];
        *at++ = digit[(p[1] & 15) << 2 | p[2] >> 6];
        *at++ = digit[p[2] & 63];
    }
    if (len) {
        uint8_t second = len > 1 ? p[1] : 0;

        *at++ = digit[p[0] >> 2];
        *at++ = digit[(p[0] & 3) << 4 | second >> 4];
        *at++ = len > 1 ? digit[(second & 15) << 2] : '=';
        *at++ = '=';
    }
    return BBT_OK;
}

static void put_whole(struct pen *p, const void *bytes, size_t len)
{
    if (p->rc == BBT_OK)
        p->rc = base64_put(p->b, bytes, len);
}

void base64_feed(struct base64 *s, struct pen *p, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    size_t whole;

    while (s->n && len && s->n < 3) {
        s->held[s->n++] = *at++;
        len--;
    }
    if (s->n == 3) {
        put_whole(p, s->held, 3);
        s->n = 0;
    }
    whole = s->n ? 0 : len / 3 * 3;
    if (whole)
        put_whole(p, at, whole);
    for (size_t i = whole; i < len; i++)
        s->held[s->n++] = at[i];
}

void base64_close(struct base64 *s, struct pen *p)
{
    if (s->n)
        put_whole(p, s->held, s->n);
    s->n = 0;
}
