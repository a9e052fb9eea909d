/* kserve2.h -- Open Inference Protocol v2 (KServe) over HTTP, as spoken by Triton, MLServer,
 * OpenVINO model server and bbt-lm: named tensors, binary or JSON.
 *
 * Extensions that bbt-lm serves and any deployment may: the request parameters "compose" (add,
 * prepend) and "prompt_at" (hidden, embedding); the input "label_ids", with which the output is
 * [B,C]; the model NAME-embedding with input "input_ids" [n] or [1,n] and the FP32 outputs
 * "embedding" [n,H] or [1,n,H], "mean" [1] and "std" [1]. A prompt declared as [L,H] or
 * [1,L,H] travels once per request, one declared [-1,L,H] once per example.
 *
 * Sources: kserve/open-inference-protocol, inference_rest.md; Triton's binary tensor data
 * extension. Only prov.c uses the table; trtllm.c shares the functions, which are split over four
 * files. */
#ifndef PROV_KSERVE2_H
#define PROV_KSERVE2_H

#include "prov/chain.h"
#include "prov/prov.h"

extern const struct prov_adapter kserve2_adapter;

/* kserve2_probe.c: the steps of start-up and what they teach. Contracts: struct prov_adapter. */
enum bbt_rc kserve2_probe_next(const struct prov_model *m, unsigned step,
    struct prov_http *ret, struct bbt_err *err);
enum bbt_rc kserve2_probe_take(struct prov_model *m, unsigned step,
    const struct prov_reply *r, struct bbt_err *err);

/* "/v2/models/NAME[SUFFIX][/versions/V]TAIL", names percent-encoded. BBT_INVALID where it
 * does not fit. The version is left out where `suffix` is not empty. */
enum bbt_rc kserve2_path(const struct prov_model *m, const char *suffix, const char *tail,
    char ret[PROV_PATH_MAX], struct bbt_err *err);

/* A question to NAME[SUFFIX] begins: method, path and Content-Type of an empty request. Codes as
 * kserve2_path(). kserve2_head_len(): its first `n` bytes are the JSON part. kserve2_finish():
 * chain_end(), then the chain's request moves to `ret`. */
enum bbt_rc kserve2_post(const struct prov_model *m, const char *suffix, struct prov_http *h,
    struct bbt_err *err);
/* The same with the JSON part begun, up to and with the question's id; `h` stays where it is. */
enum bbt_rc kserve2_ask(const struct prov_model *m, const struct prov_ask *ask,
    struct prov_http *h, struct chain *ret, struct bbt_err *err);
void kserve2_head_len(struct prov_http *h, size_t n);
enum bbt_rc kserve2_finish(struct chain *c, struct prov_http *ret, struct bbt_err *err);

/* kserve2_reply.c: responses. Contracts: struct prov_adapter. */
extern const struct prov_read kserve2_read;

/* Rows of the input embedding, from a whole response. */
enum bbt_rc kserve2_embed_decode(const struct prov_model *m, size_t n,
    const struct prov_reply *r, struct prov_embed *ret, struct bbt_err *err);

#endif
