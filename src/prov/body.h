/* body.h -- a request as plain values. Its body is a chain of slices: few bytes of its own
 * between many that were encoded once and are lent to every request that has them in common.
 *
 *   batch's part  (examples, labels)  once per job         \
 *                                                           > request = own bytes + slices
 *   prompt's part (one candidate)     once per candidate   /
 *
 * A part is read-only once it is made. It must outlive the requests built from it. */
#ifndef PROV_BODY_H
#define PROV_BODY_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PROV_HEADERS_MAX 4
#define PROV_PATH_MAX 512

/* A run of a part's bytes. What the pieces are is the dialect's own affair. */
struct prov_piece {
    size_t at, n;   /* of part.bytes */
    uint32_t crc;   /* vllm-embeds: of the raw bytes that the piece is base64 of, ... */
    uint32_t raw;   /* ... how many they are, ... */
    uint8_t phase;  /* ... where in a group of three the first one stands, ... */
    uint8_t edge[4]; /* ... and those that belong to a group which is not all in here */
};

struct prov_part {
    struct bbt_buf bytes;
    struct prov_piece *piece;
    size_t pieces;
};

void prov_part_fini(struct prov_part *p); /* NULL and zeroed are fine */

struct prov_http {
    char method[8];
    char path[PROV_PATH_MAX]; /* to be appended to the endpoint's base URL; "/v2/..." */
    struct {
        char name[40], value[80];
    } header[PROV_HEADERS_MAX]; /* Content-Length and authorisation are the sender's */
    size_t headers;
    struct bbt_slice *slice; /* the body, in order; into `own` and into parts */
    size_t slices;           /* 0 for GET */
    size_t body_len;         /* of all slices */
    struct bbt_buf own;      /* what this request alone has; its cap is the adapter's */
};

/* An all-zero struct may be passed to every encoder; each call starts it afresh and on
 * failure leaves it empty. prov_http_fini() frees what the request owns, not the parts. */
void prov_http_fini(struct prov_http *h);

/* Copies the body together into `own`, as one slice: the request then stands alone. BBT_NOMEM
 * (unchanged). */
BBT_NODISCARD enum bbt_rc prov_http_join(struct prov_http *h, struct bbt_err *err);

#endif
