/* trtllm.h -- TensorRT-LLM's backend behind Triton: kserve2's protocol with tensors of its own.
 * One example per request.
 *
 * The prompt is a table beside the text (p-tuning): token V + i, V the size of the vocabulary,
 * is its row i. Where the backend reuses its KV cache it tells tables apart by an id at every
 * such token. No labels can be named: the scores of the whole vocabulary come back.
 *
 * Sources: NVIDIA/TensorRT-LLM, triton_backend/all_models/inflight_batcher_llm/tensorrt_llm/
 * config.pbtxt; tensorrtllm_backend, docs/model_config.md. The table is in adapters.h. */
#ifndef PROV_TRTLLM_H
#define PROV_TRTLLM_H

#include "prov/prov.h"

/* Inputs beside the tokens, the table and its ids; a bit each in model.inputs where declared. */
enum trtllm_input {
    TRTLLM_INPUT_LENGTHS,
    TRTLLM_OUTPUT_LEN,
    TRTLLM_WANT_LOGITS,
    TRTLLM_TABLE_ROWS,
    TRTLLM_END_ID,
    TRTLLM_PAD_ID,
    TRTLLM_BEAM_WIDTH,
    TRTLLM_TOP_K,
    TRTLLM_INPUTS,
    TRTLLM_EXTRA_IDS = TRTLLM_INPUTS /* the bit of the table's ids */
};

/* As they are declared, by enum trtllm_input: [1,1] on the wire. */
extern const struct trtllm_decl {
    const char *name, *type;
    bool needed;
} trtllm_inputs[TRTLLM_INPUTS];

#define TRTLLM_EXTRA_NAME "prompt_table_extra_ids"

/* trtllm_probe.c: start-up. Contracts: struct prov_adapter. */
enum bbt_rc trtllm_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err);
enum bbt_rc trtllm_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err);

#endif
