/* infer.h -- what the two models' tensors mean: a protocol request to a question, its result
 * to a protocol response.
 *
 * NAME:           input_ids [B,T], attention_mask [B,T]?, prompt_embedding [L,H] | [1,L,H] |
 *                 [B,L,H]?, mask_pos [B] | [B,1], label_ids [C] | [B,C]?
 *                 -> logits [B,V] or [B,C]; parameters compose, prompt_at
 * NAME-embedding: input_ids [N] -> embedding [N,H], mean [1], std [1] of the whole matrix */
#ifndef LMSERVER_INFER_H
#define LMSERVER_INFER_H

#include "base/buf.h"
#include "base/err.h"
#include "oip.h"
#include "query.h"
#include "weights.h"

#define INFER_ANSWER_MAX (512u * 1024u * 1024u) /* bytes of a response */

/* Reads and checks the question. *ret must be all zero; on failure too it is to be ended by
 * query_fini(), and query.too_large says whether fewer rows would help. */
BBT_NODISCARD enum bbt_rc infer_query(const struct oip_request *r, const struct lmconf *conf,
    struct query *ret, struct bbt_err *err);

/* Appends the response for the logits (q->rows x q->out_cols). *ret_head as oip_response(). */
BBT_NODISCARD enum bbt_rc infer_answer(const char *model, const struct oip_request *r,
    const struct query *q, const float *logits, struct bbt_buf *ret, size_t *ret_head,
    struct bbt_err *err);

/* The whole of the embedding model. */
BBT_NODISCARD enum bbt_rc infer_embedding(const char *model, const struct oip_request *r,
    const struct weights *w, struct bbt_buf *ret, size_t *ret_head, struct bbt_err *err);

#endif
