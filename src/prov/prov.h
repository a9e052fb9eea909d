/* prov.h -- the waist: a neutral question to a language model, its answer, and the table of
 * dialects that turn one into HTTP bytes and the other back. Pure: no clock, no socket.
 *
 * Above it nobody knows HTTP, below it nobody knows CMA-ES. */
#ifndef PROV_PROV_H
#define PROV_PROV_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROV_NAME_MAX 128
#define PROV_TENSOR_MAX 64
#define PROV_HEADERS_MAX 4
#define PROV_PATH_MAX 512

/* ---- the question ---- */

/* Tokenised texts, rendered once per job and shared by every candidate. Row r's tokens are
 * ids[r * cols .. r * cols + len[r]); the rest of the row is `pad`. Lent. */
struct prov_batch {
    size_t rows, cols;
    const int32_t *ids;      /* rows x cols */
    const int32_t *len;      /* rows; 1 .. cols */
    const int32_t *mask_pos; /* rows; position in the row's own tokens, prompt not counted;
                                NULL where the model has no mask */
    int32_t pad;
};

enum prov_compose {
    PROV_ADD,    /* prompt rows are added to those of the tokens at positions 1.. */
    PROV_PREPEND /* prompt rows come before the first token; the server shifts mask_pos */
};

/* Where the rows enter: the input embedding, or the embedding block's output (after
 * position, type and normalisation; the paper's masked-LM code). */
enum prov_at { PROV_AT_HIDDEN, PROV_AT_EMBEDDING };

struct prov_ask {
    const struct prov_batch *batch;
    const float *prompt; /* prompt_rows x hidden, finite; NULL: no soft prompt */
    size_t prompt_rows, hidden;
    enum prov_compose compose;
    enum prov_at prompt_at;
    const int32_t *label_ids; /* token of each label, in the order of the answer's columns */
    size_t labels;
    const char *id; /* printable, for both sides' logs; NULL: none is sent */
};

struct prov_answer {
    float *logit; /* rows x labels, all finite; the caller's, freed by prov_answer_fini() */
    size_t rows, labels;
    uint64_t tokens_in;  /* tokens sent, padding not counted; prepended rows count */
    uint64_t tokens_out; /* tokens generated; 0 for a masked LM */
};

void prov_answer_fini(struct prov_answer *a); /* NULL and zeroed are fine */

/* Rows of a model's input embedding with the mean and the population standard deviation
 * over ALL entries of the whole embedding matrix (not of these rows). */
struct prov_embed {
    float *row; /* rows x hidden; freed by prov_embed_fini() */
    size_t rows, hidden;
    double mean, std;
};

/* Frees the rows; a zeroed one is fine. */
void prov_embed_fini(struct prov_embed *e);

/* ---- HTTP, as plain values ---- */

struct prov_http {
    char method[8];
    char path[PROV_PATH_MAX]; /* to be appended to the endpoint's base URL; "/v2/..." */
    struct {
        char name[40], value[80];
    } header[PROV_HEADERS_MAX]; /* Content-Length and authorisation are the sender's */
    size_t headers;
    struct bbt_buf body; /* empty for GET; its cap is the adapter's */
};

/* An all-zero struct may be passed to every encoder; each call starts it afresh and on
 * failure leaves it empty. prov_http_fini() frees the body. */
void prov_http_fini(struct prov_http *h);

struct prov_reply {
    int status;
    /* Value of a response header by case-insensitive name, or NULL. May itself be NULL. */
    const char *(*header)(const void *arg, const char *name);
    const void *arg;
    const uint8_t *body;
    size_t len;
};

/* Value of a header, or NULL; copes with a reply that has no getter. */
const char *prov_reply_header(const struct prov_reply *r, const char *name);

/* ---- what is known of one model at one provider ---- */

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

    /* -- negotiated by the start-up probe, which also fills in the empty tensor names: a later
     * probe starts from the configuration again */
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
    char server[64], server_version[64], platform[64]; /* for the record of the run */
};

/* Defaults: no names, binary auto, body_max 64 MiB. */
void prov_model_init(struct prov_model *m);
void prov_model_fini(struct prov_model *m);

/* Keeps a JSON object of constant request parameters (NULL: none). BBT_INVALID where a value
 * is not a string, number or boolean, or where it is a name that the adapter sets itself. */
BBT_NODISCARD enum bbt_rc prov_model_params(
    struct prov_model *m, const json_t *params, struct bbt_err *err);

/* ---- the dialects ---- */

struct prov_adapter {
    const char *name;
    bool soft_prompt; /* takes embeddings; a text-only dialect serves the baselines only */

    /* Start-up, step by step from 0. _next: BBT_OK with the request to send for this step,
     * BBT_NOTFOUND when the steps are over (m->probed is then set by the last _take).
     * _take: the answer of that step, any HTTP status. BBT_OK: go on with step + 1;
     * BBT_AGAIN: not ready, same step later; BBT_DENIED: credential refused; BBT_INVALID:
     * this deployment cannot serve (the sentence says why); BBT_CORRUPT: not the protocol.
     * The caller owns `ret`; transport failures are the caller's. */
    enum bbt_rc (*probe_next)(const struct prov_model *m, unsigned step,
        struct prov_http *ret, struct bbt_err *err);
    enum bbt_rc (*probe_take)(struct prov_model *m, unsigned step,
        const struct prov_reply *r, struct bbt_err *err);

    /* Question to request. The model must be probed. BBT_INVALID: this question cannot be
     * put to this model (size, shape, non-finite prompt); BBT_NOMEM. */
    enum bbt_rc (*encode)(const struct prov_model *m, const struct prov_ask *ask,
        struct prov_http *ret, struct bbt_err *err);

    /* Response of status 200 to answer. `ask` is the one that was encoded (its prompt's
     * values are not read). BBT_CORRUPT: not what was asked for (never a guess: missing
     * column, count, non-finite number); BBT_INVALID: well-formed, but this deployment
     * cannot serve (hidden states); BBT_NOMEM. */
    enum bbt_rc (*decode)(const struct prov_model *m, const struct prov_ask *ask,
        const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err);

    /* Rows of the input embedding of `n` > 0 token ids. NULL functions where a dialect has no
     * such thing; BBT_NOTFOUND where this server has none. */
    enum bbt_rc (*embed_encode)(const struct prov_model *m, const int32_t *ids, size_t n,
        struct prov_http *ret, struct bbt_err *err);
    enum bbt_rc (*embed_decode)(const struct prov_model *m, size_t n,
        const struct prov_reply *r, struct prov_embed *ret, struct bbt_err *err);
};

/* The dialect of that name ("kserve2"), or NULL. */
const struct prov_adapter *prov_adapter_find(const char *name);

/* Names of all dialects, NULL-terminated: for "did you mean". */
const char *const *prov_adapter_names(void);

#endif
