#include "text/pieces.h"

#include "base/alloc.h"

#include <string.h>

/* FNV-1a; the final shift mixes the high bits, since the table takes the low ones. */
static size_t hash(const uint8_t *bytes, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

enum bbt_rc pieces_init(struct pieces *p, size_t n)
{
    struct pieces fresh = {.n = n, .slots = 16};

    while (fresh.slots / 2 <= n)
        fresh.slots *= 2;
    buf_init(&fresh.pool, SIZE_MAX / 2);
    fresh.offset = bbt_alloc_array(n, sizeof *fresh.offset);
    fresh.slot = bbt_alloc_array(fresh.slots, sizeof *fresh.slot);
    if (!fresh.offset || !fresh.slot) {
        pieces_fini(&fresh);
        return BBT_NOMEM;
    }
    for (size_t i = 0; i < n; i++)
        fresh.offset[i] = SIZE_MAX;
    for (size_t i = 0; i < fresh.slots; i++)
        fresh.slot[i] = PIECES_NONE;
    *p = fresh;
    return BBT_OK;
}

void pieces_fini(struct pieces *p)
{
    buf_fini(&p->pool);
    bbt_free(p->offset);
    bbt_free(p->slot);
    *p = (struct pieces){0};
}

/* The slot that holds the piece, or the free one where it belongs. */
static size_t slot_of(const struct pieces *p, const void *bytes, size_t len)
{
    size_t at = hash(bytes, len) & (p->slots - 1);

    for (;; at = (at + 1) & (p->slots - 1)) {
        const char *there;

        if (p->slot[at] == PIECES_NONE)
            return at;
        there = pieces_at(p, p->slot[at]);
        if (strlen(there) == len && memcmp(there, bytes, len) == 0)
            return at;
    }
}

enum bbt_rc pieces_add(struct pieces *p, int32_t id, const void *bytes, size_t len)
{
    size_t at = p->pool.len, slot;
    uint8_t *room;

    if (id < 0 || (size_t)id >= p->n || p->offset[id] != SIZE_MAX ||
        (len && memchr(bytes, 0, len)))
        return BBT_INVALID;
    room = buf_extend(&p->pool, len + 1);
    if (!room)
        return BBT_NOMEM;
    if (len)
        memcpy(room, bytes, len);
    room[len] = '\0';
    slot = slot_of(p, bytes, len);
    p->offset[id] = at;
    p->slot[slot] = id;
    if (len > p->longest)
        p->longest = len;
    return BBT_OK;
}

int32_t pieces_find(const struct pieces *p, const void *bytes, size_t len)
{
    return p->slots ? p->slot[slot_of(p, bytes, len)] : PIECES_NONE;
}

const char *pieces_at(const struct pieces *p, int32_t id)
{
    if (id < 0 || (size_t)id >= p->n || p->offset[id] == SIZE_MAX)
        return NULL;
    return (const char *)p->pool.data + p->offset[id];
}
