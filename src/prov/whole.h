/* whole.h -- whole prompts as embedding rows, for servers that take nothing else: the soft
 * rows and the rows of every token, looked up with the model's token_row. */
#ifndef PROV_WHOLE_H
#define PROV_WHOLE_H

#include "prov/prov.h"

/* An example's rows: those of its first `before` tokens, the prompt's (ask->prompt_rows; the
 * sums with the tokens that follow, where it is added), those of its tokens from `from` on.
 * Prepended rows come behind a leading m->bos_id, added ones go to positions 1.. . Without a
 * prompt all are `before`. */
struct whole {
    const int32_t *id; /* of the example */
    size_t len;        /* tokens */
    size_t before, from;
    size_t rows; /* all together */
};

/* BBT_INVALID: no token_row, too few tokens to add to, or over m->context_max. Does not read
 * the prompt. */
BBT_NODISCARD enum bbt_rc whole_plan(const struct prov_model *m, const struct prov_ask *ask,
    size_t r, struct whole *ret, struct bbt_err *err);

/* Rows of `n` tokens (n x m->hidden). BBT_INVALID: one that token_row does not know. */
BBT_NODISCARD enum bbt_rc whole_look_up(const struct prov_model *m, const int32_t *id,
    size_t n, float *out, struct bbt_err *err);

/* The prompt's rows as they go to that example: sums where they are added. */
BBT_NODISCARD enum bbt_rc whole_prompt(const struct prov_model *m, const struct prov_ask *ask,
    const struct whole *w, float *out, struct bbt_err *err);

/* Do both have the same prompt's rows? */
bool whole_same(const struct prov_ask *ask, const struct whole *a, const struct whole *b);

/* Most numbers that whole_look_up() writes for one of the batch's examples, or the prompt has:
 * room for them, to be freed with bbt_free. NULL: no memory. */
float *whole_room(const struct prov_model *m, const struct prov_ask *ask);

#endif
