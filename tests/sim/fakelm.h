/* fakelm.h -- a language model server in one process: answers kserve2 requests by their content
 * alone, so that a run without faults is the reference of every other run.
 *
 * Its scores: logit[c] = 4 q [c is the row's class] + bias[c] + a little of the prompt + noise,
 * q = exp(-|mean row of the prompt - t|^2 / H). The class of a row follows from its tokens, the
 * planted optimum t from the seed: a search that works gets better, and by how much is known. */
#ifndef SIM_FAKELM_H
#define SIM_FAKELM_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKELM_HIDDEN 6
#define FAKELM_CLASSES 3
#define FAKELM_VOCAB 42
#define FAKELM_LABEL 5  /* token of class 0's label word; the others follow */
#define FAKELM_WORDS 8  /* first token of class 0's words, eight for each class */

/* How many answers went out for one request id. */
struct fakelm_count {
    char id[48];
    unsigned served;    /* computed, so to be paid for */
    unsigned delivered; /* of these, came whole to the asker */
};

/* What is wrong with the server; all zero is a good one. */
struct fakelm_flaws {
    bool ignores_prompt;
    double drift;         /* every answer is off by so much more than the last */
    bool hidden_states;   /* declares an output as wide as its embeddings */
    bool says_no_width;   /* the metadata leaves the embedding's width open */
    bool garbage_metadata;
    bool no_embedding;    /* the model NAME-embedding is not there */
    bool noisy;           /* answers depend on more than the question */
    bool not_ready;       /* /v2/health/ready answers 503 */
};

struct fakelm {
    uint64_t seed;
    bool binary;     /* offers the binary tensor extension */
    bool labels;     /* takes label_ids and answers [B,C]; else [B,V] */
    int prompt_rank; /* 2: [L,H]; 3: [1,L,H]; 4 stands for [-1,L,H] */
    struct fakelm_flaws flaw;
    uint64_t asked;  /* questions answered so far */
    size_t rows_max; /* examples that it takes in one request; 0 = any */
    bool talks;      /* behind the interfaces of language models (fakedial.h) */
    uint64_t tokenised; /* texts, there */
    struct fakelm_count *count;
    size_t counts, room;
};

struct fakelm_reply {
    int status;
    long head_len; /* of Inference-Header-Content-Length; -1: the header is not there */
    struct bbt_buf body;
    char id[48];   /* of the question, "" elsewhere */
    uint64_t tokens; /* that it read */
};

void fakelm_init(struct fakelm *m, uint64_t seed);
void fakelm_fini(struct fakelm *m);

/* Serves one request; `head_len` as in the reply. Nothing that it is asked can fail it: a bad
 * request gets a 400. */
void fakelm_serve(struct fakelm *m, const char *method, const char *path, long head_len,
    const void *body, size_t len, struct fakelm_reply *ret);

/* The count of an id, made where it is not there yet. */
struct fakelm_count *fakelm_count(struct fakelm *m, const char *id);

/* Planted optimum, FAKELM_HIDDEN numbers. */
void fakelm_target(const struct fakelm *m, float *ret);

/* The score of a token behind `len` ids, under a prompt of one row (NULL: none). */
float fakelm_score(
    const struct fakelm *m, const float *row, const int32_t *ids, size_t len, size_t token);

/* Writes a vocabulary and a config.json into a folder that exists. */
void fakelm_folder(const char *dir);

/* Text of the piece, as in vocab.txt. */
const char *fakelm_piece(size_t id);

#endif
