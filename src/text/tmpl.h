/* tmpl.h -- a prompt template such as "{prompt} {text} It was {mask}." and its rendering
 * into token ids.
 *
 * Fields: {text} (the first text, also {text_a}), {text_b}, {mask} (exactly one), {prompt}
 * (at most one: the soft prompt's slots). "{{" and "}}" are braces. Each run of words
 * between fields is tokenised by itself; with byte-level BPE a space before a field goes to
 * the field's first word, and blanks before {mask} are dropped (as RoBERTa's own mask
 * token does). */
#ifndef TEXT_TMPL_H
#define TEXT_TMPL_H

#include "base/buf.h"
#include "base/err.h"
#include "text/tok.h"

#include <stddef.h>
#include <stdint.h>

#define TMPL_BYTES_MAX 4096
#define TMPL_FIELDS_MAX 16

struct tmpl;

enum tmpl_field { TMPL_TEXT_A, TMPL_TEXT_B, TMPL_MASK, TMPL_PROMPT, TMPL_FIELD_NR };

/* BBT_INVALID: "column C: why (fix)", columns in characters from 1. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc tmpl_compile(
    const char *pattern, struct tmpl **ret, struct bbt_err *err);
void tmpl_free(struct tmpl *t); /* NULL is fine */

/* How often the template has the field. */
unsigned tmpl_uses(const struct tmpl *t, enum tmpl_field field);

/* 1 where white space stands right before {mask}: a label word there starts a new word. */
int tmpl_mask_spaced(const struct tmpl *t);

/* 1 where nothing stands before {prompt}, so that its slots are positions 1..L, as the
 * compose mode "add" of the servers needs. */
int tmpl_prompt_first(const struct tmpl *t);

struct tmpl_rendered {
    int32_t *ids; /* [CLS] ... [SEP], or <s> ... </s> */
    size_t n;
    size_t mask_pos;   /* ids[mask_pos] is the mask */
    ptrdiff_t prompt_pos; /* where slot 0 is (or would be); -1: template without {prompt} */
    size_t cut;        /* tokens of text that did not fit */
};

/* Frees the ids; zeroed is fine. */
void tmpl_rendered_fini(struct tmpl_rendered *r);

struct tmpl_input {
    const char *text_a;
    const char *text_b;        /* NULL: none */
    const int32_t *prompt_ids; /* `slots` ids, which fill {prompt} */
    size_t slots; /* 0 (manual prompt, prepend mode): as if {prompt} and the space after it
                     were not in the template */
    size_t max_len; /* the result has at most so many ids */
};

/* Cuts texts from their ends, always the longest, until the whole fits; the template's own
 * words, mask and slots are never cut. Free with tmpl_rendered_fini(). BBT_INVALID: the
 * template alone does not fit, no {prompt} for the slots, no second text, the tokenizer has
 * no mask. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc tmpl_render(const struct tmpl *t, const struct tok *tok,
    const struct tmpl_input *in, struct tmpl_rendered *ret, struct bbt_err *err);

/* 1 where nothing but blanks stands behind {mask}: then what a causal model writes next is the
 * label word. */
int tmpl_mask_last(const struct tmpl *t);

/* Appends an example as plain text: up to {mask} and without the blanks before it, or, where
 * `word` is not NULL, whole with the word at {mask}. {prompt} and a space behind it vanish.
 * `text_b` may be NULL. BBT_INVALID: no second text; without `word` words behind {mask}; the
 * buffer's cap. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc tmpl_text(const struct tmpl *t, const char *text_a,
    const char *text_b, const char *word, struct bbt_buf *ret, struct bbt_err *err);

#endif
