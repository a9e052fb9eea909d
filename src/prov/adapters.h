/* adapters.h -- the dialects' tables, for prov.c; everybody else asks prov_adapter_find().
 *
 * Sources: vLLM, vllm/entrypoints/openai/{chat_completion,completion}/protocol.py and "Prompt
 * embedding inputs" of its documentation; SGLang, ScoringRequest and GenerateReqInput
 * (managers/io_struct.py); openai-python, src/openai/types; llama.cpp, tools/server/README. */
#ifndef PROV_ADAPTERS_H
#define PROV_ADAPTERS_H

#include "prov/prov.h"

/* vllm.c: "vllm": chat with a part of prompt rows, then text; one example per request.
 * vllm_embeds.c: "vllm-embeds": completions of whole prompts as rows (model.token_row), in
 * batches. */
extern const struct prov_adapter vllm_adapter, vllm_embeds_adapter;

/* "sglang-score": /v1/score, prompt rows in the place of model.slot_id, once for
 * the whole batch. "sglang-generate": /generate of whole prompts as rows. */
extern const struct prov_adapter sglang_score_adapter, sglang_generate_adapter;

/* openai.c, text only. "openai": completions in batches; "openai-chat": one per request. */
extern const struct prov_adapter openai_adapter, openai_chat_adapter;

/* llamacpp.c, text only: the server's own /completion, one example per request. */
extern const struct prov_adapter llamacpp_adapter;

/* trtllm.c: TensorRT-LLM behind Triton, the prompt as a table; one example per request. */
extern const struct prov_adapter trtllm_adapter;

#endif
