/* whole.h -- a whole prompt as embedding rows, for servers that take nothing else: the soft
 * rows and the rows of every token, looked up with the model's token_row. */
#ifndef PROV_WHOLE_H
#define PROV_WHOLE_H

#include "prov/prov.h"

/* Example `r` as *ret_rows x m->hidden numbers (to be freed with bbt_free). Prepended rows come
 * behind a leading m->bos_id, added ones go to positions 1.. of the tokens. BBT_INVALID: no
 * token_row, a token it does not know, too few tokens to add to, or over m->context_max. */
BBT_NODISCARD enum bbt_rc whole_rows(const struct prov_model *m, const struct prov_ask *ask,
    size_t r, float **ret, size_t *ret_rows, struct bbt_err *err);

#endif
