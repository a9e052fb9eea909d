#include "engine/parts.h"

#include "base/alloc.h"

#include <assert.h>

struct parts_slot {
    struct prov_part part;
    size_t bytes; /* 0: not made */
    const struct prov_model *m; /* made for this one, ... */
    uint64_t edition;           /* ... as it was then */
    unsigned users;
    bool forget;
};

enum bbt_rc parts_init(struct parts *p, size_t n, struct bbt_err *err)
{
    *p = (struct parts){.n = n};
    p->slot = bbt_calloc(n, sizeof *p->slot);
    return p->slot ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for %zu requests", n);
}

static void discard(struct parts *p, struct parts_slot *s)
{
    assert(s->users == 0);
    p->bytes -= s->bytes;
    s->bytes = 0;
    prov_part_fini(&s->part);
}

void parts_fini(struct parts *p)
{
    for (size_t i = 0; p->slot && i < p->n; i++)
        discard(p, &p->slot[i]);
    bbt_free(p->slot);
    *p = (struct parts){0};
}

static enum bbt_rc fill(struct parts *p, struct parts_slot *s, parts_make_fn *make,
    const struct prov_model *copy, const struct prov_ask *ask, struct bbt_err *err)
{
    enum bbt_rc rc = make(copy, ask, &s->part, err);

    if (rc != BBT_OK)
        return rc;
    s->bytes = 1 + s->part.bytes.room + s->part.pieces * sizeof *s->part.piece;
    s->edition = copy->edition;
    p->bytes += s->bytes;
    p->made++;
    return BBT_OK;
}

enum bbt_rc parts_make(struct parts *p, size_t i, parts_make_fn *make,
    const struct prov_model *copy, const struct prov_model *of, const struct prov_ask *ask)
{
    struct parts_slot *s = &p->slot[i];

    assert(i < p->n && s->users == 0);
    if (s->bytes && s->m == of && s->edition == copy->edition)
        return BBT_OK;
    discard(p, s);
    s->m = of;
    return fill(p, s, make, copy, ask, NULL);
}

enum bbt_rc parts_use(struct parts *p, size_t i, parts_make_fn *make,
    const struct prov_model *m, const struct prov_ask *ask, const struct prov_part **ret,
    struct bbt_err *err)
{
    struct parts_slot *s = &p->slot[i];
    enum bbt_rc rc;

    assert(i < p->n);
    *ret = NULL;
    if (s->bytes && (s->m != m || s->edition != m->edition)) {
        if (s->users)
            return BBT_OK;
        discard(p, s);
    }
    if (!s->bytes) {
        s->m = m;
        rc = fill(p, s, make, m, ask, err);
        if (rc != BBT_OK)
            return rc;
    }
    s->forget = false;
    s->users++;
    *ret = &s->part;
    return BBT_OK;
}

void parts_drop(struct parts *p, size_t i)
{
    struct parts_slot *s = &p->slot[i];

    assert(s->users > 0);
    s->users--;
    if (s->users == 0 && (s->forget || p->bytes > PARTS_KEEP_MAX))
        discard(p, s);
}

void parts_forget(struct parts *p, size_t i)
{
    struct parts_slot *s = &p->slot[i];

    s->forget = true;
    if (s->users == 0 && s->bytes)
        discard(p, s);
}
