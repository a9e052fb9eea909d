#include "prov/reader.h"

void prov_reader_begin(struct prov_reader *r, const struct prov_adapter *a,
    const struct prov_model *m, const struct prov_ask *ask, const struct prov_reply *head)
{
    prov_reader_fini(r);
    *r = (struct prov_reader){.a = a, .m = m, .ask = *ask, .head = *head};
    r->head.body = NULL;
    r->head.len = 0;
    buf_init(&r->body, PROV_READER_MAX);
    if (a->read)
        r->err.rc = a->read->begin(m, &r->ask, &r->head, &r->state, &r->err);
}

void prov_reader_feed(struct prov_reader *r, const void *bytes, size_t len)
{
    enum bbt_rc rc;

    if (r->err.rc != BBT_OK)
        return;
    if (r->a->read) {
        r->err.rc = r->a->read->feed(r->state, bytes, len, &r->err);
        return;
    }
    rc = buf_put(&r->body, bytes, len);
    if (rc == BBT_NOMEM)
        (void)bbt_fail(&r->err, rc, "no memory for a response");
    else if (rc != BBT_OK)
        (void)bbt_fail(&r->err, BBT_CORRUPT, "response: over %u bytes", PROV_READER_MAX);
}

enum bbt_rc prov_reader_finish(
    struct prov_reader *r, struct prov_answer *ret, struct bbt_err *err)
{
    enum bbt_rc rc = r->err.rc;

    if (rc != BBT_OK) {
        if (err)
            *err = r->err;
    } else if (r->a->read) {
        rc = r->a->read->finish(r->state, ret, err);
    } else {
        r->head.body = r->body.data ? r->body.data : (const uint8_t *)"";
        r->head.len = r->body.len;
        rc = r->a->decode(r->m, &r->ask, &r->head, ret, err);
    }
    prov_reader_fini(r);
    return rc;
}

void prov_reader_fini(struct prov_reader *r)
{
    if (!r)
        return;
    if (r->state)
        r->a->read->free(r->state);
    buf_fini(&r->body);
    *r = (struct prov_reader){0};
}

enum bbt_rc prov_decode(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, const struct prov_reply *r, struct prov_answer *ret,
    struct bbt_err *err)
{
    struct prov_reader rd = {0};

    prov_reader_begin(&rd, a, m, ask, r);
    prov_reader_feed(&rd, r->body, r->len);
    return prov_reader_finish(&rd, ret, err);
}
