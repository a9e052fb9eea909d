/* parts.h -- parts of requests (prov/body.h) that are made once and shared: a set's batches, a
 * round's candidates. Made when first needed, kept while memory allows. */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include "prov/prov.h"

/* Beyond this, a part goes when its last request is over: 2 000 examples as embedding rows are
 * half a gigabyte. */
#define PARTS_KEEP_MAX ((size_t)64 << 20)

struct parts_slot;

struct parts {
    struct parts_slot *slot;
    size_t n;
    size_t bytes; /* in all parts that are there */
    uint64_t made;
};

/* adapter->part_batch or ->part_prompt. */
typedef enum bbt_rc parts_make_fn(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_part *ret, struct bbt_err *err);

/* `n` parts, none of them made. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc parts_init(struct parts *p, size_t n, struct bbt_err *err);
void parts_fini(struct parts *p); /* none in use; a zeroed one is fine */

/* Lends part `i` until parts_drop(i), made for that question where it is not there or was made
 * for another model or edition. *ret is NULL, and nothing is to be dropped, where such
 * an old one is still in use. Codes as the maker's. */
BBT_NODISCARD enum bbt_rc parts_use(struct parts *p, size_t i, parts_make_fn *make,
    const struct prov_model *m, const struct prov_ask *ask, const struct prov_part **ret,
    struct bbt_err *err);
void parts_drop(struct parts *p, size_t i);

/* Makes part `i`, where it is not there, by `copy`, a copy of the model `of`; lends nothing. On
 * any thread, as long as no other has to do with `p`. Codes as the maker's. */
BBT_NODISCARD enum bbt_rc parts_make(struct parts *p, size_t i, parts_make_fn *make,
    const struct prov_model *copy, const struct prov_model *of, const struct prov_ask *ask);

/* Part `i` will not be needed again (it may be made again): it goes with its last user. */
void parts_forget(struct parts *p, size_t i);

#endif
