/* sglang.h -- what the two dialects of SGLang's server share: sglang_score.c (label scores of many
 * examples under one prompt) and sglang_generate.c (generation from whole prompts as rows). */
#ifndef PROV_SGLANG_H
#define PROV_SGLANG_H

#include "prov/adapters.h"
#include "prov/dialog.h"

/* Contracts: struct prov_adapter. */
enum bbt_rc sglang_tokens_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err);
enum bbt_rc sglang_framed_encode(const struct prov_model *m, const char *text,
    struct prov_http *ret, struct bbt_err *err);

/* Parameters that the dialects set themselves, NULL-terminated. */
extern const char *const sglang_ours[];

#endif
