#include "prov/pen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct pen *p, const void *bytes, size_t len)
{
    if (p->rc == BBT_OK)
        p->rc = buf_put(p->b, bytes, len);
}

void pen_raw(struct pen *p, const char *json)
{
    put(p, json, strlen(json));
}

void pen_format(struct pen *p, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text)
        p->rc = p->rc == BBT_OK ? BBT_INVALID : p->rc;
    else
        put(p, text, (size_t)n);
}

void *pen_room(struct pen *p, size_t len)
{
    void *at = NULL;

    if (p->rc == BBT_OK && len > p->b->max - p->b->len)
        p->rc = BBT_INVALID;
    else if (p->rc == BBT_OK && !(at = buf_extend(p->b, len)))
        p->rc = BBT_NOMEM;
    return at;
}

void pen_text(struct pen *p, const char *s)
{
    pen_raw(p, "\"");
    while (*s) {
        size_t plain = 0;

        while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
            plain++;
        put(p, s, plain);
        s += plain;
        if (*s == '"' || *s == '\\')
            pen_format(p, "\\%c", *s++);
        else if (*s)
            pen_format(p, "\\u%04x", (unsigned)(unsigned char)*s++);
    }
    pen_raw(p, "\"");
}

static size_t print(char text[40], float v)
{
    int n = snprintf(text, 40, "%.9g", (double)v);

    for (int i = 0; i < n; i++) /* the point is a point in every locale */
        if (text[i] == ',')
            text[i] = '.';
    return (size_t)n;
}

void pen_number(struct pen *p, float v)
{
    char text[40];

    put(p, text, print(text, v));
}

void pen_real(struct pen *p, float v)
{
    char text[40];
    size_t n = print(text, v);

    if (!strpbrk(text, ".e")) {
        memcpy(text + n, ".0", 3);
        n += 2;
    }
    put(p, text, n);
}

void pen_ids(struct pen *p, const int32_t *id, size_t n)
{
    pen_raw(p, "[");
    for (size_t i = 0; i < n; i++)
        pen_format(p, i ? ",%d" : "%d", (int)id[i]);
    pen_raw(p, "]");
}

void pen_rows(struct pen *p, const float *v, size_t rows, size_t cols)
{
    for (size_t r = 0; p->rc == BBT_OK && r < rows; r++) {
        pen_raw(p, r ? ",[" : "[");
        for (size_t c = 0; c < cols; c++) {
            if (c)
                pen_raw(p, ",");
            pen_real(p, v[r * cols + c]);
        }
        pen_raw(p, "]");
    }
}

void pen_members(struct pen *p, const char *object)
{
    size_t len = object ? strlen(object) : 0;

    if (len <= 2)
        return;
    pen_raw(p, ",");
    put(p, object + 1, len - 2);
}
