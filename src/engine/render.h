/* render.h -- examples in the form in which a dialect asks about them, cut into requests. */
#ifndef ENGINE_RENDER_H
#define ENGINE_RENDER_H

#include "prov/prov.h"
#include "text/tmpl.h"
#include "text/tok.h"
#include "text/verb.h"

enum task_form {
    TASK_MASKED, /* token ids with a mask: masked models behind kserve2 */
    TASK_TEXT,   /* text up to the mask: the server tokenises */
    TASK_IDS     /* token ids up to the mask: whole prompts and scores of causal models */
};

/* Places of batches that are cut alike: see task_batch.number. */
#define RENDER_PLACES 100000u

/* One request's rows. Owns the arrays behind `wire`. */
struct task_batch {
    size_t first; /* index of its first row in the set */
    uint32_t number; /* its name in the ledger: most rows per request x RENDER_PLACES + its
                        place, so that the same name always means the same rows */
    uint64_t digest; /* of its tokens or texts: they are rendered otherwise when a limit or the
                        tokenizer has changed */
    uint64_t digest_7; /* the same as it was up to version 7 of the schema */
    uint64_t *row; /* digest of each of its rows; the set's */
    struct prov_batch wire;
    int32_t *ids, *len, *mask_pos;
    char **text; /* rows; TASK_TEXT, and TASK_IDS until the ids are there; else NULL */
};

struct task_set {
    size_t n;         /* rows */
    uint32_t *truth;  /* n: class of each row; NULL for unlabelled text */
    int32_t *gold;    /* n: the same, as the losses want it */
    struct task_batch *batch;
    size_t batches;
    uint64_t *row; /* n: digest of each row's tokens or text */
    uint64_t tokens; /* in all rows together; an estimate where nobody here can count */
    size_t longest;  /* of a row, likewise */
    size_t cut_rows; /* rows whose text did not fit whole */
};
void task_set_fini(struct task_set *s); /* a zeroed one is fine */

/* Tokens that a text may have, where nobody here can count: more than most languages take. */
size_t render_guess(const char *text);

/* Of rows that are asked about together. */
uint64_t render_digest(const uint64_t *row, size_t n);

/* A set of `n` rows in batches of at most `per`, without rows in them yet. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc render_set(
    size_t n, size_t per, struct task_set *ret, struct bbt_err *err);

/* Packs rendered rows into the batch. `cols_fixed`: as task_input. The rows stay the caller's. */
BBT_NODISCARD enum bbt_rc render_masked(struct task_batch *b, const struct tmpl_rendered *row,
    size_t n, size_t cols_fixed, int32_t pad, struct bbt_err *err);

/* Takes the `n` texts over (also on failure): asked as they stand, or to become ids. */
BBT_NODISCARD enum bbt_rc render_texts(
    struct task_batch *b, char **text, size_t n, struct bbt_err *err);

/* Rows of ids, one after another, that end at the mask. The batch's texts, if it has some, are
 * not needed any more and go. */
struct render_row {
    const int32_t *id[3]; /* stretches; NULL = not there */
    size_t n[3];
};
BBT_NODISCARD enum bbt_rc render_ids(
    struct task_batch *b, const struct render_row *row, size_t n, struct bbt_err *err);

#endif
