/* fakedial.h -- the fake model behind the interfaces of language models: SGLang's /v1/score with
 * overrides, OpenAI's completions of text, and the tokeniser and start-up calls beside them.
 * Lenient: who is strict about the protocols is tests/support/conform.py. */
#ifndef SIM_FAKEDIAL_H
#define SIM_FAKEDIAL_H

#include "fakelm.h"

#define FAKEDIAL_SLOT 0 /* [PAD] stands where prompt rows go */
#define FAKEDIAL_BOS 2  /* [CLS] is put before a prompt that is tokenised with special tokens */

/* Serves one request; `id` is its X-Request-Id, or "". */
void fakedial_serve(struct fakelm *m, const char *method, const char *path, const char *id,
    const void *body, size_t len, struct fakelm_reply *ret);

#endif
