/* alloc.h -- the only door to the heap, so that a test can make any allocation fail.
 *
 * Thread-safe as malloc is; the fault hook counts allocations of all threads. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

/* Uninitialised bytes, or NULL. `size` 0 gives a unique pointer. Freed by bbt_free(). */
void *bbt_alloc(size_t size);

/* `count` x `size` zeroed bytes; NULL also where the product does not fit size_t. */
void *bbt_calloc(size_t count, size_t size);

/* `count` x `size` uninitialised bytes; NULL also where the product does not fit. */
void *bbt_alloc_array(size_t count, size_t size);

/* As realloc: on NULL the old block is still valid and still the caller's. */
void *bbt_realloc(void *old, size_t size);

/* Copy of a NUL-terminated string (bbt_strndup: of its first `len` bytes); NULL without
 * memory, or where `s` is NULL. */
char *bbt_strdup(const char *s);
char *bbt_strndup(const char *s, size_t len);

/* printf into a fresh string; NULL without memory. */
char *bbt_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* `size` bytes, or the end of the process (abort: a crash loses nothing that was committed).
 * The fault hook does not reach it. Only for libraries that corrupt memory when refused. */
void *bbt_alloc_or_die(size_t size);

void bbt_free(void *p); /* NULL is fine */

/* Test hook: the `nth` allocation from now (0 = the next) fails, and with `sticky` every
 * later one as well. nth < 0 switches the hook off. Returns how many allocations were
 * asked for since the last call. */
unsigned long bbt_alloc_fault(long nth, int sticky);

/* Test hook: while on (it nests), what this thread asks for is neither counted nor refused: for
 * a test's own parts among those under test. */
void bbt_alloc_spare(int on);

#endif
