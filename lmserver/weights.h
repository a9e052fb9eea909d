/* weights.h -- the numbers of a masked language model, found by their Hugging Face names.
 *
 * fp32 tensors stay in the mapped file where alignment allows; fp16 and bf16 become fp32 once.
 * Every shape is held against the config, and every number must be finite. Read-only after
 * loading: any number of threads may use it. */
#ifndef LMSERVER_WEIGHTS_H
#define LMSERVER_WEIGHTS_H

#include "base/err.h"
#include "lmconf.h"

#include <stddef.h>

/* Matrices are [out, in], row-major, as a linear layer has them. norm: gain, shift. */
struct weights_layer {
    const float *qkv, *qkv_bias; /* [3H, H], [3H]: query, key, value below one another */
    const float *att, *att_bias, *att_norm[2]; /* [H, H] behind the attention */
    const float *up, *up_bias;                 /* [inner, H] */
    const float *down, *down_bias, *down_norm[2];
};

struct weights {
    struct lmconf conf;
    const float *words;  /* [vocab, H] */
    const float *places; /* [positions, H] */
    const float *types;  /* [types, H] */
    const float *norm[2];
    struct weights_layer *layer; /* conf.layers of them */
    const float *head, *head_bias, *head_norm[2]; /* [H, H] */
    const float *out, *out_bias;                  /* [vocab, H], [vocab] */
    double words_mean, words_std; /* of all entries of `words`; population deviation */

    struct weights_keep *keep; /* private: what the pointers live in */
};

/* Reads config.json and the safetensors of a model folder. BBT_INVALID with a sentence that
 * names the tensor; the errors of opening files; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc weights_load(
    const char *dir, struct weights **ret, struct bbt_err *err);
void weights_free(struct weights *w); /* NULL is fine */

#endif
