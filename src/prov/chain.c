#include "prov/chain.h"

#include "base/alloc.h"

/* Own bytes are named by place: their memory moves while they grow. */
struct chain_link {
    const void *lent; /* NULL: own */
    size_t at, n;
};

static enum bbt_rc refuse(enum bbt_rc rc, size_t max, struct bbt_err *err)
{
    if (rc == BBT_NOMEM)
        return bbt_fail(err, rc, "no memory for a request");
    return bbt_fail(err, BBT_INVALID,
        "the request is over the limit of %zu bytes (use smaller batches)", max);
}

struct chain chain_begin(struct prov_http *h, size_t max)
{
    buf_init(&h->own, max);
    return (struct chain){.h = h, .pen = {.b = &h->own}};
}

static void put_link(struct chain *c, struct chain_link link)
{
    size_t room = c->room ? 2 * c->room : 8;
    struct chain_link *more;

    if (c->pen.rc != BBT_OK || link.n == 0)
        return;
    if (c->links == c->room) {
        more = bbt_realloc(c->link, room * sizeof *more);
        if (!more) {
            c->pen.rc = BBT_NOMEM;
            return;
        }
        c->link = more;
        c->room = room;
    }
    c->link[c->links++] = link;
}

/* What the pen wrote since. */
static void put_own(struct chain *c)
{
    size_t from = c->from;

    c->from = c->h->own.len;
    put_link(c, (struct chain_link){.at = from, .n = c->from - from});
}

static void put_counted(struct chain *c, struct chain_link link)
{
    put_own(c);
    if (c->pen.rc == BBT_OK && link.n > c->h->own.max - c->h->own.len - c->lent)
        c->pen.rc = BBT_INVALID;
    if (c->pen.rc == BBT_OK)
        c->lent += link.n;
    put_link(c, link);
}

void chain_lend(struct chain *c, const void *p, size_t n)
{
    put_counted(c, (struct chain_link){.lent = p, .n = n});
}

void chain_piece(struct chain *c, const struct prov_part *part, size_t piece)
{
    chain_lend(c, part->bytes.data + part->piece[piece].at, part->piece[piece].n);
}

void chain_weave(
    struct chain *c, const struct prov_part *batch, const struct prov_part *prompt)
{
    for (size_t i = 0; i < batch->pieces; i++) {
        chain_piece(c, batch, i);
        if (i < prompt->pieces)
            chain_piece(c, prompt, i);
    }
}

void chain_again(struct chain *c, size_t at, size_t n)
{
    put_counted(c, (struct chain_link){.at = at, .n = n});
}

size_t chain_aside(struct chain *c)
{
    put_own(c);
    return c->from;
}

size_t chain_kept(struct chain *c)
{
    size_t n = c->h->own.len - c->from;

    c->from = c->h->own.len;
    return n;
}

enum bbt_rc chain_end(struct chain *c, struct bbt_err *err)
{
    struct prov_http *h = c->h;
    size_t max = h->own.max;
    enum bbt_rc rc;

    put_own(c);
    if (c->pen.rc == BBT_OK && c->lent > max - h->own.len)
        c->pen.rc = BBT_INVALID;
    if (c->pen.rc == BBT_OK && c->links) {
        h->slice = bbt_alloc_array(c->links, sizeof *h->slice);
        if (!h->slice)
            c->pen.rc = BBT_NOMEM;
    }
    rc = c->pen.rc;
    if (rc != BBT_OK) {
        chain_drop(c);
        return refuse(rc, max, err);
    }
    h->slices = c->links;
    h->body_len = 0;
    for (size_t i = 0; i < c->links; i++) {
        const struct chain_link *l = &c->link[i];

        h->slice[i].p = l->lent ? l->lent : h->own.data + l->at;
        h->slice[i].n = l->n;
        h->body_len += l->n;
    }
    bbt_free(c->link);
    c->link = NULL;
    return BBT_OK;
}

void chain_drop(struct chain *c)
{
    bbt_free(c->link);
    c->link = NULL;
    prov_http_fini(c->h);
}

/* ---- parts ---- */

struct pen chain_part(struct prov_part *p, size_t max)
{
    *p = (struct prov_part){0};
    buf_init(&p->bytes, max);
    return (struct pen){.b = &p->bytes};
}

struct prov_piece *chain_cut(struct pen *pen, struct prov_part *p)
{
    size_t n = p->pieces, from = n ? p->piece[n - 1].at + p->piece[n - 1].n : 0;
    struct prov_piece *more;

    if (pen->rc != BBT_OK)
        return NULL;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        more = bbt_realloc(p->piece, (n ? 2 * n : 1) * sizeof *more);
        if (!more) {
            pen->rc = BBT_NOMEM;
            return NULL;
        }
        p->piece = more;
    }
    p->piece[p->pieces++] = (struct prov_piece){.at = from, .n = p->bytes.len - from};
    return &p->piece[n];
}

enum bbt_rc chain_part_end(struct pen *pen, struct prov_part *p, struct bbt_err *err)
{
    size_t max = p->bytes.max;

    if (pen->rc == BBT_OK) {
        buf_trim(&p->bytes);
        return BBT_OK;
    }
    prov_part_fini(p);
    return refuse(pen->rc, max, err);
}
