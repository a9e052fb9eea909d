/* lookup.h -- one question put to the response cache before it goes to the provider.
 *
 *   HASH (worker: SHA-256 of the exact bytes) -> GET (the store's thread) -> done
 *
 * The key is the request as it would be sent, without what tells attempts apart (its id) and
 * without credentials, under the dialect and the fingerprint of the model that would answer. A
 * cache in trouble is a cache that does not know: nothing ever fails here. */
#ifndef ENGINE_LOOKUP_H
#define ENGINE_LOOKUP_H

#include "base/digest.h"
#include "engine/ports.h"
#include "prov/body.h"

struct lookup {
    /* in */
    const struct prov_http *req; /* without an id; it and its parts live until `done` */
    const char *dialect;
    uint64_t fingerprint;
    bool get; /* false: only the key is wanted */
    struct rec_answer *row; /* rows and labels as they must be; gets the answer */
    struct op *wake;

    /* facts */
    bool done;
    bool keyed; /* `key` is known */
    bool hit;   /* row->logit (owned by the row) and its tokens are set */
    uint8_t key[DIGEST_LEN];

    /* own */
    struct op op;
    struct port_call call;
    bool hashed;
};

/* Zeroed by the caller before the "in" fields are set. Cannot be taken back. */
void lookup_start(struct lookup *l, struct turnq *q);
void lookup_fini(struct lookup *l); /* when done, or never started */

#endif
