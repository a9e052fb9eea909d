/* prov.h -- the waist: a neutral question to a language model, its answer, and the table of
 * dialects that turn one into HTTP bytes and the other back. Pure: no clock, no socket.
 *
 * Above it nobody knows HTTP, below it nobody knows CMA-ES. */
#ifndef PROV_PROV_H
#define PROV_PROV_H

#include "base/err.h"
#include "prov/body.h"
#include "prov/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    const char *const *text; /* rows texts, UTF-8, for a dialect that wants_text (which reads
                                nothing else but `rows`); NULL where nobody has them */
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
    const char *const *label_text; /* each label as the model would write it, a leading space
                                      included; NULL where only the ids are known */
    const char *id; /* printable, for both sides' logs; NULL: none is sent */
};

struct prov_answer {
    float *logit; /* rows x labels, all finite; the caller's, freed by prov_answer_fini() */
    size_t rows, labels;
    size_t censored; /* numbers that the server left out of its list of the likeliest: they
                        stand at the list's least, an upper bound */
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

struct prov_tokens {
    int32_t *id; /* n ids; freed by prov_tokens_fini() */
    size_t n;
};

void prov_tokens_fini(struct prov_tokens *t); /* NULL and zeroed are fine */

/* ---- responses ---- */

struct prov_reply {
    int status;
    /* Value of a response header by case-insensitive name, or NULL; a name that ends in '*'
     * stands for every name that begins so. May itself be NULL. */
    const char *(*header)(const void *arg, const char *name);
    const void *arg;
    const uint8_t *body;
    size_t len;
};

/* Value of a header, or NULL; copes with a reply that has no getter. */
const char *prov_reply_header(const struct prov_reply *r, const char *name);

/* ---- the dialects ---- */

struct prov_reading; /* a response half read: the dialect's own */

/* How a dialect reads piece by piece; `free` after a failure as well (NULL is fine). Lifetimes:
 * prov_reader_begin(). */
struct prov_read {
    enum bbt_rc (*begin)(const struct prov_model *m, const struct prov_ask *ask,
        const struct prov_reply *head, struct prov_reading **ret, struct bbt_err *err);
    enum bbt_rc (*feed)(
        struct prov_reading *r, const void *bytes, size_t len, struct bbt_err *err);
    enum bbt_rc (*finish)(
        struct prov_reading *r, struct prov_answer *ret, struct bbt_err *err);
    void (*free)(struct prov_reading *r);
};

struct prov_adapter {
    const char *name;
    bool soft_prompt; /* takes embeddings; a text-only dialect serves the baselines only */
    bool wants_text;  /* reads batch->text, not ids */
    bool wants_label_text; /* reads label_text, not label_ids */

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

    /* Question to request, in three steps; the model must be probed. _batch reads all of
     * the question but the prompt's values: its part serves every prompt of that shape.
     * _prompt reads the prompt: its part serves every batch. encode puts the two (made for
     * this model and question) into a request that borrows from them. BBT_INVALID: this
     * question cannot be put to this model (size, shape, non-finite prompt); BBT_NOMEM. */
    enum bbt_rc (*part_batch)(const struct prov_model *m, const struct prov_ask *ask,
        struct prov_part *ret, struct bbt_err *err);
    enum bbt_rc (*part_prompt)(const struct prov_model *m, const struct prov_ask *ask,
        struct prov_part *ret, struct bbt_err *err);
    enum bbt_rc (*encode)(const struct prov_model *m, const struct prov_ask *ask,
        const struct prov_part *batch, const struct prov_part *prompt,
        struct prov_http *ret, struct bbt_err *err);

    /* Response of status 2xx to answer, whole or (where `read` is not NULL, and decode is)
     * piece by piece: reader.h has both. `ask` is the one that was encoded (its prompt's
     * values are not read). BBT_CORRUPT: not what was asked for (never a guess: missing
     * column, count, non-finite number); BBT_INVALID: well-formed, but this deployment
     * cannot serve (hidden states); BBT_NOMEM. */
    enum bbt_rc (*decode)(const struct prov_model *m, const struct prov_ask *ask,
        const struct prov_reply *r, struct prov_answer *ret, struct bbt_err *err);
    const struct prov_read *read;

    /* Token ids of a text by the server's own tokeniser, special tokens left out: for
     * label words. NULL where a dialect has no such call. BBT_NOTFOUND: this server has none. */
    enum bbt_rc (*tokens_encode)(const struct prov_model *m, const char *text,
        struct prov_http *ret, struct bbt_err *err);
    enum bbt_rc (*tokens_decode)(const struct prov_reply *r, struct prov_tokens *ret,
        struct bbt_err *err);
    /* The same with the special tokens that the server puts around a prompt. */
    enum bbt_rc (*framed_encode)(const struct prov_model *m, const char *text,
        struct prov_http *ret, struct bbt_err *err);

    /* Rows of the input embedding of `n` > 0 token ids. NULL functions where a dialect has no
     * such thing; BBT_NOTFOUND where this server has none. */
    enum bbt_rc (*embed_encode)(const struct prov_model *m, const int32_t *ids, size_t n,
        struct prov_http *ret, struct bbt_err *err);
    enum bbt_rc (*embed_decode)(const struct prov_model *m, size_t n,
        const struct prov_reply *r, struct prov_embed *ret, struct bbt_err *err);

    /* The batch's tokens by their ids, without a prompt, where `encode` sends their rows: both
     * must get the same answer. NULL where a dialect sends no rows of tokens. Codes as encode. */
    enum bbt_rc (*plain_encode)(const struct prov_model *m, const struct prov_ask *ask,
        struct prov_http *ret, struct bbt_err *err);
};

/* The dialect of that name ("kserve2"), or NULL. */
const struct prov_adapter *prov_adapter_find(const char *name);

/* A request that stands alone: parts made, put together and joined. Codes as encode. For
 * questions that are asked once. */
enum bbt_rc prov_encode(const struct prov_adapter *a, const struct prov_model *m,
    const struct prov_ask *ask, struct prov_http *ret, struct bbt_err *err);

/* Names of all dialects, NULL-terminated: for "did you mean". */
const char *const *prov_adapter_names(void);

#endif
