#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_init(struct bbt_buf *b, size_t max)
{
    *b = (struct bbt_buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_fini(struct bbt_buf *b)
{
    bbt_free(b->data);
    buf_init(b, b->max);
}

/* Room for `more` bytes and the NUL. Doubling, so that appending stays linear. */
static enum bbt_rc reserve(struct bbt_buf *b, size_t more)
{
    size_t need, room;
    uint8_t *data;

    if (more > b->max - b->len)
        return BBT_INVALID;
    need = b->len + more + 1;
    if (need <= b->room)
        return BBT_OK;
    room = b->room ? b->room : 64;
    while (room < need)
        room = room > SIZE_MAX / 2 ? need : room * 2;
    if (room > b->max + 1)
        room = b->max + 1;
    data = bbt_realloc(b->data, room);
    if (!data)
        return BBT_NOMEM;
    b->data = data;
    b->room = room;
    return BBT_OK;
}

void *buf_extend(struct bbt_buf *b, size_t len)
{
    uint8_t *at;

    if (reserve(b, len) != BBT_OK)
        return NULL;
    at = b->data + b->len;
    b->len += len;
    b->data[b->len] = '\0';
    return at;
}

enum bbt_rc buf_put(struct bbt_buf *b, const void *bytes, size_t len)
{
    enum bbt_rc rc = reserve(b, len);

    if (rc != BBT_OK)
        return rc;
    if (len)
        memcpy(b->data + b->len, bytes, len);
    b->len += len;
    b->data[b->len] = '\0';
    return BBT_OK;
}

enum bbt_rc buf_put_slices(struct bbt_buf *b, const struct bbt_slice *slice, size_t n)
{
    size_t total = 0;
    enum bbt_rc rc;

    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(total, slice[i].n, &total))
            return BBT_INVALID;
    rc = reserve(b, total);
    for (size_t i = 0; rc == BBT_OK && i < n; i++)
        rc = buf_put(b, slice[i].p, slice[i].n);
    return rc;
}

enum bbt_rc buf_puts(struct bbt_buf *b, const char *s)
{
    return buf_put(b, s, strlen(s));
}

enum bbt_rc buf_printf(struct bbt_buf *b, const char *fmt, ...)
{
    va_list ap;
    enum bbt_rc rc;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return BBT_INVALID;
    rc = reserve(b, (size_t)n);
    if (rc != BBT_OK)
        return rc;
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return BBT_OK;
}

void buf_trim(struct bbt_buf *b)
{
    uint8_t *data = b->data ? bbt_realloc(b->data, b->len + 1) : NULL;

    if (!data)
        return;
    b->data = data;
    b->room = b->len + 1;
}

uint8_t *buf_take(struct bbt_buf *b, size_t *ret_len)
{
    uint8_t *data = b->data;

    if (ret_len)
        *ret_len = b->len;
    buf_init(b, b->max);
    return data;
}
