#include "safe.h"

#include "base/alloc.h"
#include "text/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

/* C0, DEL, C1, and the characters that turn the writing direction around. */
static bool hostile(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
        (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0x2028 ||
        cp == 0x2029;
}

static enum bbt_rc put_bytes(struct bbt_buf *b, const uint8_t *at, const uint8_t *end)
{
    enum bbt_rc rc = BBT_OK;

    for (; at < end && rc == BBT_OK; at++)
        rc = buf_printf(b, "\\x%02x", *at);
    return rc;
}

enum bbt_rc safe_put(struct bbt_buf *b, const char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text), *next;
    enum bbt_rc rc = BBT_OK;
    int valid;

    for (; at < end && rc == BBT_OK; at = next) {
        uint32_t cp = utf8_next(at, end, &next, &valid);

        if (!valid)
            rc = put_bytes(b, at, next);
        else if (!hostile(cp))
            rc = buf_put(b, at, (size_t)(next - at));
        else if (cp == '\n')
            rc = buf_puts(b, "\\n");
        else if (cp == '\t')
            rc = buf_puts(b, "\\t");
        else if (cp < 0x100)
            rc = buf_printf(b, "\\x%02x", (unsigned)cp);
        else
            rc = buf_printf(b, "\\u%04x", (unsigned)cp);
    }
    return rc;
}

void safe_print(FILE *f, const char *text)
{
    struct bbt_buf b;

    buf_init(&b, SIZE_MAX);
    if (safe_put(&b, text) == BBT_OK && b.data)
        (void)fwrite(b.data, 1, b.len, f);
    buf_fini(&b);
}

void safe_printf(FILE *f, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    safe_print(f, text);
}

/* Outside strings JSON text is ASCII, so whatever is found here stands inside one. */
static void print_json(FILE *f, const char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text), *next;

    for (; at < end; at = next) {
        uint32_t cp = utf8_next(at, end, &next, NULL);

        if (cp != '\n' && hostile(cp))
            (void)fprintf(f, "\\u%04x", (unsigned)cp);
        else
            (void)fwrite(at, 1, (size_t)(next - at), f);
    }
    (void)fputc('\n', f);
}

static void give_json(FILE *f, json_t *v, char *(*print)(const json_t *))
{
    char *text = v ? print(v) : NULL;

    if (text)
        print_json(f, text);
    else
        (void)fputs("bbtctl: no memory for an answer\n", stderr);
    bbt_free(text);
    json_decref(v);
}

void safe_json(FILE *f, json_t *v)
{
    give_json(f, v, json_print_pretty);
}

void safe_json_line(FILE *f, json_t *v)
{
    give_json(f, v, json_print);
}

/* glibc's wchar_t is the code point. What it does not know is taken as one column. */
static size_t columns_of(uint32_t cp)
{
    int n = wcwidth((wchar_t)cp);

    return n < 0 ? 1 : (size_t)n;
}

size_t safe_width(const char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    size_t n = 0;

    while (at < end)
        n += columns_of(utf8_next(at, end, &at, NULL));
    return n;
}

size_t safe_fit(const char *text, size_t columns)
{
    const uint8_t *begin = (const uint8_t *)text, *at = begin, *end = at + strlen(text);
    const uint8_t *next;

    for (size_t n = 0; at < end; at = next) {
        n += columns_of(utf8_next(at, end, &next, NULL));
        if (n > columns)
            break;
    }
    return (size_t)(at - begin);
}
