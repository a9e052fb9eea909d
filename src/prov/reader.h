/* reader.h -- reads a response while it comes and keeps only the label numbers.
 *
 *   prov_reader_begin --> prov_reader_feed, in pieces of any size --> prov_reader_finish
 *
 * The pieces make no difference to the answer. Dialects whose answers are large (kserve2 with
 * scores of the whole vocabulary) read as they go; the others, whose answers list a few tokens,
 * collect at most PROV_READER_MAX bytes and read them at the end. */
#ifndef PROV_READER_H
#define PROV_READER_H

#include "prov/prov.h"

#define PROV_READER_MAX (8u * 1024u * 1024u)

struct prov_reader {
    const struct prov_adapter *a;
    const struct prov_model *m;
    struct prov_ask ask;
    struct prov_reply head;     /* status and headers; no body */
    struct bbt_buf body;        /* of dialects that collect */
    struct prov_reading *state; /* of those that read as they go */
    struct bbt_err err;         /* the first failure; what comes after it is not looked at */
};

/* A response of status 2xx begins: `r` zeroed, finished, or reading another one (which is
 * forgotten). `head` has status and headers; what its getter reads, `m` and what `ask` points
 * to must stay until the end (the prompt's values are not read). */
void prov_reader_begin(struct prov_reader *r, const struct prov_adapter *a,
    const struct prov_model *m, const struct prov_ask *ask, const struct prov_reply *head);

/* The next bytes of its body. */
void prov_reader_feed(struct prov_reader *r, const void *bytes, size_t len);

/* The body is over: the answer, or why there is none (codes as decode). Frees what `r` holds. */
enum bbt_rc prov_reader_finish(
    struct prov_reader *r, struct prov_answer *ret, struct bbt_err *err);

/* Forgets a response; NULL, zeroed and finished ones are fine. */
void prov_reader_fini(struct prov_reader *r);

/* A whole response at once. */
enum bbt_rc prov_decode(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, const struct prov_reply *r, struct prov_answer *ret,
    struct bbt_err *err);

#endif
