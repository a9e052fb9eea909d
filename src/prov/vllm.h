/* vllm.h -- what the two dialects of vLLM's server share: vllm.c (chat with a part of prompt
 * rows) and vllm_embeds.c (completions of whole prompts as rows). Both ask for the labels'
 * log-probabilities by token id. */
#ifndef PROV_VLLM_H
#define PROV_VLLM_H

#include "prov/adapters.h"
#include "prov/dialog.h"

#define VLLM_LABELS_MAX 128 /* MAX_LOGPROB_TOKEN_IDS */

/* Likeliest tokens to ask for beside the named ones: as many as there are labels, because the
 * Rust front end insists; the other one takes any number up to its cap. */
size_t vllm_top(const struct prov_ask *ask);

/* The labels that are asked for. Penalties by name: a model's own defaults may set some, which
 * has brought servers down together with prompt rows. */
void vllm_wanted(struct pen *p, const struct prov_ask *ask);

/* That, salt and parameters: the end of a question. A piece of the part ends where the
 * prompt's salt goes, and at the end. */
void vllm_tail(struct pen *p, struct prov_part *part, const struct prov_model *m,
    const struct prov_ask *ask);

/* A label's number. BBT_CORRUPT where it is none. */
enum bbt_rc vllm_take(const json_t *v, struct prov_answer *a, size_t r, size_t c,
    struct bbt_err *err);

/* Contracts: struct prov_adapter. */
enum bbt_rc vllm_tokens_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err);
enum bbt_rc vllm_framed_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err);

/* Parameters that the dialects set themselves, NULL-terminated. */
extern const char *const vllm_ours[];

#endif
