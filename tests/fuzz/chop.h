/* chop.h -- a response decoded at once and in pieces: the same code, the same numbers. */
#ifndef FUZZ_CHOP_H
#define FUZZ_CHOP_H

#include "prov/reader.h"

#include <stdlib.h>
#include <string.h>

/* As prov_decode(); `choice` draws where the pieces end. */
static inline enum bbt_rc chop_decode(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, const struct prov_reply *r, unsigned choice,
    struct prov_answer *ret, struct bbt_err *err)
{
    enum bbt_rc rc = prov_decode(a, m, ask, r, ret, err);
    uint32_t seed = choice * 2654435761u + (uint32_t)r->len;
    struct prov_reader rd = {0};
    struct prov_answer got = {0};
    size_t most = 1 + (seed >> 4) % 64;

    prov_reader_begin(&rd, a, m, ask, r);
    for (size_t at = 0, n; at < r->len; at += n) {
        uint8_t *copy;

        seed = seed * 1664525u + 1013904223u;
        n = 1 + (seed >> 8) % most;
        n = n < r->len - at ? n : r->len - at;
        copy = malloc(n); /* exact, and gone afterwards */
        if (!copy)
            abort();
        memcpy(copy, r->body + at, n);
        prov_reader_feed(&rd, copy, n);
        free(copy);
    }
    if (prov_reader_finish(&rd, &got, NULL) != rc)
        abort();
    if (rc == BBT_OK &&
        memcmp(got.logit, ret->logit, got.rows * got.labels * sizeof *got.logit) != 0)
        abort();
    prov_answer_fini(&got);
    return rc;
}

#endif
