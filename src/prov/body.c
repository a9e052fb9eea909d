#include "prov/body.h"

#include "base/alloc.h"

void prov_part_fini(struct prov_part *p)
{
    if (!p)
        return;
    buf_fini(&p->bytes);
    bbt_free(p->piece);
    *p = (struct prov_part){0};
}

void prov_http_fini(struct prov_http *h)
{
    if (!h)
        return;
    buf_fini(&h->own);
    bbt_free(h->slice);
    h->slice = NULL;
    h->slices = h->body_len = h->headers = 0;
    h->method[0] = h->path[0] = '\0';
}

enum bbt_rc prov_http_join(struct prov_http *h, struct bbt_err *err)
{
    struct bbt_buf all;

    if (h->slices == 0)
        return BBT_OK;
    buf_init(&all, h->body_len);
    if (buf_put_slices(&all, h->slice, h->slices) != BBT_OK)
        return bbt_fail(err, BBT_NOMEM, "no memory for a request");
    buf_fini(&h->own);
    h->own = all;
    h->slice[0] = (struct bbt_slice){all.data, all.len};
    h->slices = 1;
    return BBT_OK;
}
