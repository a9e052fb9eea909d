/* model.h -- what is known of one model at one provider: the configuration's part and what the
 * start-up probe learned. */
#ifndef PROV_MODEL_H
#define PROV_MODEL_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROV_NAME_MAX 128
#define PROV_TENSOR_MAX 64
#define PROV_PLAIN 8 /* labels of that trial */
#define PROV_CANARIES 4

enum prov_binary { PROV_BINARY_AUTO, PROV_BINARY_ON, PROV_BINARY_OFF };

/* Shape in which the soft prompt travels. */
enum prov_prompt_kind {
    PROV_PROMPT_AUTO,   /* by the server's metadata */
    PROV_PROMPT_FLAT,   /* [L,H] */
    PROV_PROMPT_SHARED, /* [1,L,H] */
    PROV_PROMPT_ROW     /* [B,L,H], repeated for every example */
};

/* What the declared output leaves to us. The response's own shape is what counts in the end;
 * this is the start-up check's view. */
enum prov_out_kind {
    PROV_OUT_OPEN,  /* variable: known with the first answer */
    PROV_OUT_LABEL, /* [B,C]: one column per label */
    PROV_OUT_VOCAB, /* [B,V] */
    PROV_OUT_TOKEN  /* [B,L,V] */
};

/* Names of the deployment's tensors. An empty name means the adapter's own default. */
struct prov_tensors {
    char input_ids[PROV_TENSOR_MAX];
    char attention_mask[PROV_TENSOR_MAX];
    char prompt_embedding[PROV_TENSOR_MAX];
    char mask_pos[PROV_TENSOR_MAX];
    char label_ids[PROV_TENSOR_MAX];
    char logits[PROV_TENSOR_MAX];
};

/* Number types on the wire; the name is KServe's. */
enum prov_type {
    PROV_TYPE_NONE, /* the tensor is not declared */
    PROV_INT32,
    PROV_INT64,
    PROV_FP16,
    PROV_BF16,
    PROV_FP32,
    PROV_FP64,
    PROV_TYPE_NR
};

struct prov_model {
    /* -- set by the caller, from the configuration; prov_model_init() gives the defaults */
    char name[PROV_NAME_MAX];
    char version[32]; /* empty: the server's default */
    struct prov_tensors tensor;
    char *params; /* JSON object, sent with every question; set by prov_model_params() */
    bool own_params;  /* send "compose" and "prompt_at" as parameters (default yes) */
    bool need_prompt; /* the deployment refuses a question without prompt: with compose add,
                         zeros stand for none (default no) */
    enum prov_binary binary;
    enum prov_prompt_kind prompt_kind;
    size_t hidden;    /* width the job expects; 0 = as the server declares */
    size_t batch_max; /* most examples in one request; 0 = no limit known. The start-up
                         probe lowers it where the server declares a fixed batch */
    size_t body_max;  /* most bytes of a request's body */

    /* -- the same, for the dialects of JSON and text */
    enum prov_type embed_type; /* of rows in a tensor file: PROV_FP32 (default), _FP16, _BF16 */
    size_t top; /* likeliest tokens to ask for where labels cannot be named; 0 = most allowed */
    int32_t bos_id;  /* a row's first token if it is this one stays before the prompt; -1: none,
                        or as the probe learns from the server's tokeniser */
    int32_t slot_id; /* unused token that stands where a prompt row goes; -1 = none */
    size_t vocab; /* tokens of the vocabulary; rows of a prompt table are numbered from there
                     (trtllm). 0 = not known */
    /* Writes the embedding row (`hidden` numbers) of a token; false: no such token. For
     * dialects that take the whole prompt as rows. */
    bool (*token_row)(const void *arg, int32_t id, float *ret);
    const void *token_arg;

    /* -- negotiated by the start-up probe, which also fills in the empty tensor names: a later
     * probe starts from the configuration again */
    uint64_t edition; /* another one after every probe: parts of requests that were made for
                         an earlier one do not fit the model any more */
    bool probed;
    bool use_binary;
    bool has_embedding; /* the model NAME-embedding is there */
    enum prov_type type_ids, type_mask, type_prompt, type_mask_pos, type_label_ids,
        type_logits; /* PROV_TYPE_NONE: not declared, so not sent */
    uint8_t rank_mask_pos, rank_label_ids; /* declared number of dimensions */
    bool label_ids_by_row;                 /* [B,C] rather than [1,C] */
    enum prov_prompt_kind prompt_wire;               /* never AUTO once probed */
    enum prov_out_kind out;
    size_t cols_fixed;        /* tokens per row the server insists on; 0 = any */
    size_t prompt_rows_fixed; /* 0 = any */
    size_t rows_fixed;        /* examples per request the server insists on; 0 = any */
    enum prov_type type_embed_ids;
    uint8_t rank_embed_ids;
    uint32_t inputs; /* trtllm: a bit for each of enum trtllm_input that is declared */
    size_t context_max; /* tokens per example, prompt included; 0 = not told */
    bool has_tokens;    /* the server has a tokeniser call */
    size_t trial_tokens;  /* of the trial text, without special tokens, ... */
    int32_t trial_first;  /* ... and the first of them */
    double canary[PROV_CANARIES]; /* answers to the trial questions (prov/canary.h) */
    uint64_t canary_tokens[PROV_CANARIES]; /* and what each was counted as */
    uint64_t tokens_between; /* put by a chat template between prompt rows and text */
    double plain[PROV_PLAIN]; /* of a trial text whose tokens were sent as rows */
    char server[64], server_version[64], platform[64]; /* for the record of the run */
};

/* Defaults: no names, binary auto, body_max 64 MiB, no special tokens. */
void prov_model_init(struct prov_model *m);
void prov_model_fini(struct prov_model *m);

/* All of it, parameters too, for prov_model_fini(); token_row's argument is shared. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc prov_model_copy(
    const struct prov_model *m, struct prov_model *ret, struct bbt_err *err);

/* Keeps a JSON object of constant request parameters (NULL: none). BBT_INVALID where a value
 * is not a string, number or boolean, or where it is a name that the adapter sets itself. */
BBT_NODISCARD enum bbt_rc prov_model_params(
    struct prov_model *m, const json_t *params, struct bbt_err *err);

#endif
