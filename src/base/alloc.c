#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* countdown < 0: off. It is read on every allocation, so off must cost one load. */
static atomic_long fault_in = -1;
static atomic_int fault_sticky;
static atomic_ulong asked;
static _Thread_local int spared;

static int refuse(void)
{
    if (spared)
        return 0;
    atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fault_in, memory_order_relaxed) < 0)
        return 0;
    if (atomic_fetch_sub(&fault_in, 1) > 0)
        return 0;
    if (atomic_load(&fault_sticky))
        atomic_store(&fault_in, 0); /* the next one fails again */
    return 1;
}

void *bbt_alloc(size_t size)
{
    return refuse() ? NULL : malloc(size ? size : 1);
}

void *bbt_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *bbt_alloc_array(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return bbt_alloc(count * size);
}

void *bbt_realloc(void *old, size_t size)
{
    return refuse() ? NULL : realloc(old, size ? size : 1);
}

char *bbt_strndup(const char *s, size_t len)
{
    char *copy;

    if (!s || len == SIZE_MAX)
        return NULL;
    copy = bbt_alloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *bbt_strdup(const char *s)
{
    return s ? bbt_strndup(s, strlen(s)) : NULL;
}

char *bbt_asprintf(const char *fmt, ...)
{
    va_list ap;
    char *out = NULL;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    out = bbt_alloc((size_t)n + 1);
    if (!out)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(out, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return out;
}

void *bbt_alloc_or_die(size_t size)
{
    void *p = malloc(size ? size : 1);

    if (!p)
        abort();
    return p;
}

void bbt_free(void *p)
{
    free(p);
}

void bbt_alloc_spare(int on)
{
    spared += on ? 1 : -1;
}

unsigned long bbt_alloc_fault(long nth, int sticky)
{
    atomic_store(&fault_sticky, sticky);
    atomic_store(&fault_in, nth < 0 ? -1 : nth);
    return atomic_exchange(&asked, 0);
}
