/* safehead.h -- the header of one safetensors file: what it says about its bytes, checked.
 *
 * Inside src/num; users take safetens.h. Pure: bytes in, items out. */
#ifndef NUM_SAFEHEAD_H
#define NUM_SAFEHEAD_H

#include "num/safetens.h"

/* Reads a whole file's `bytes`. The items, sorted by their place, borrow names from
 * *ret_header and bytes from `bytes`; the caller owns the array (bbt_free) and the header
 * (json_decref). `file` stands in the sentences. BBT_INVALID or BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc safehead_read(const char *file, const uint8_t *bytes, size_t len,
    json_t **ret_header, struct safetens_item **ret, size_t *ret_n, struct bbt_err *err);

#endif
