/* heap.c -- SQLite's allocator, routed through base/alloc so that tests can make it
 * fail. */
#include "store/store.h"

#include "base/alloc.h"

#include <sqlite3.h>
#include <stddef.h>

/* SQLite asks a block for its size, so each carries it in front, keeping the alignment.
 */
struct block {
    _Alignas(max_align_t) size_t size;
};

static void *block_alloc(int size)
{
    struct block *b = bbt_alloc(sizeof *b + (size_t)size);

    if (!b)
        return NULL;
    b->size = (size_t)size;
    return b + 1;
}

static void block_free(void *p)
{
    if (p)
        bbt_free((struct block *)p - 1);
}

static void *block_realloc(void *p, int size)
{
    struct block *b = bbt_realloc((struct block *)p - 1, sizeof *b + (size_t)size);

    if (!b)
        return NULL;
    b->size = (size_t)size;
    return b + 1;
}

static int block_size(void *p)
{
    return p ? (int)((struct block *)p - 1)->size : 0;
}

static int block_roundup(int size)
{
    return (size + 7) & ~7;
}

static int block_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void block_shutdown(void *arg)
{
    (void)arg;
}

enum bbt_rc store_use_alloc(struct bbt_err *err)
{
    static const sqlite3_mem_methods methods = {block_alloc, block_free, block_realloc,
        block_size, block_roundup, block_init, block_shutdown, NULL};

    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
        return bbt_fail(
            err, BBT_CONFLICT, "SQLite was used before its allocator was set");
    return BBT_OK;
}
