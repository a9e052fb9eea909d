/* verb.h -- the verbalizer: which word stands for which label, and its token.
 *
 * Classes are numbered in the order of the job file. Every word must be exactly one token,
 * and no two labels may share one. */
#ifndef TEXT_VERB_H
#define TEXT_VERB_H

#include "base/err.h"
#include "text/dataset.h"
#include "text/tok.h"

#include <stddef.h>
#include <stdint.h>

#define VERB_LABELS_MAX 256

struct verb_label {
    const char *name; /* as in the data files */
    const char *word; /* as in the prompt; a leading space asks for exactly that form */
};

/* Which form of a word a byte-level BPE model is asked about (WordPiece has only one). */
enum verb_lead {
    VERB_LEAD_AUTO,  /* all words after a space; where one is not a single token, all plain */
    VERB_LEAD_SPACE, /* after a space: "Ġgreat" */
    VERB_LEAD_PLAIN, /* inside a word: "great", what the paper's code does */
    VERB_LEAD_FRESH  /* as AUTO, but plain first: an answer's own first word */
};

struct verb {
    size_t n;
    struct verb_label *labels; /* n, own copies */
    int32_t *token;            /* n: id of each class's word; -1 as long as none is bound */
};

/* Usual `lead`: VERB_LEAD_AUTO where tmpl_mask_spaced(), else VERB_LEAD_PLAIN. BBT_INVALID:
 * fewer than two labels, a name twice, a word that is empty, unknown, or in several pieces
 * (the sentence names label, word and pieces), a token twice. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc verb_bind(const struct verb_label *labels, size_t n,
    const struct tok *tok, enum verb_lead lead, struct verb **ret, struct bbt_err *err);
void verb_free(struct verb *v); /* NULL is fine */

/* Labels whose words are not bound to tokens (yet): for models that are asked by text, or whose
 * server tokenises. BBT_INVALID: fewer than two labels, a name twice, an empty word. */
BBT_NODISCARD enum bbt_rc verb_new(
    const struct verb_label *labels, size_t n, struct verb **ret, struct bbt_err *err);

/* The word of class `i` without its own leading space; `ret_spaced` says whether it had one. */
const char *verb_word(const struct verb *v, size_t i, int *ret_spaced);

/* Binds by ids that somebody else's tokeniser gave: form[2 * i] are those of word i, and
 * form[2 * i + 1] those of a space and word i. Failures as verb_bind(). */
struct verb_ids {
    const int32_t *id;
    size_t n;
};
BBT_NODISCARD enum bbt_rc verb_bind_ids(struct verb *v, const struct verb_ids *form,
    enum verb_lead lead, struct bbt_err *err);

/* The label's class; -1 where there is none. NULL has none. */
int verb_index(const struct verb *v, const char *label);

/* Class of every row into ret[d->n]. BBT_INVALID: `dev.jsonl:88: label "2" is not in
 * task.labels (known: ...)`, or a row without a label. */
BBT_NODISCARD enum bbt_rc verb_classes(
    const struct verb *v, const struct dataset *d, uint32_t *ret, struct bbt_err *err);

#endif
