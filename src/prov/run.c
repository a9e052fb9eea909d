#include "prov/run.h"

#include "prov/crc.h"

#include <string.h>

/* Bytes that make the group whole in which the run begins. */
static size_t first_len(const struct prov_piece *run)
{
    size_t need = (3u - run->phase) % 3;

    return need < run->raw ? need : run->raw;
}

static size_t last_len(const struct prov_piece *run)
{
    return (run->raw - first_len(run)) % 3;
}

void run_put(struct pen *p, const void *bytes, size_t len, size_t phase,
    struct prov_piece *ret)
{
    const uint8_t *at = bytes;
    size_t first, last;

    ret->raw = (uint32_t)len;
    ret->phase = (uint8_t)(phase % 3);
    ret->crc = crc_of(bytes, len);
    first = first_len(ret);
    last = last_len(ret);
    memcpy(ret->edge, at, first);
    memcpy(ret->edge + 2, at + len - last, last);
    if (p->rc == BBT_OK)
        p->rc = base64_put(p->b, at + first, len - first - last);
}

bool run_first(struct base64 *s, struct pen *p, const struct prov_piece *run)
{
    if (run->raw && s->n != run->phase)
        return false;
    base64_feed(s, p, run->edge, first_len(run));
    return true;
}

void run_last(struct base64 *s, struct pen *p, const struct prov_piece *run)
{
    base64_feed(s, p, run->edge + 2, last_len(run));
}
