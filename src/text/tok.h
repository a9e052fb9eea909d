/* tok.h -- text to token ids and back to pieces: WordPiece (BERT) and byte-level BPE
 * (RoBERTa, GPT-2), out of a model folder in the Hugging Face layout.
 *
 * Follows the reference tokenizers on plain text. One difference on purpose: the names of
 * special tokens ("[MASK]", "</s>") inside a text are plain text here, so that data cannot
 * forge a mask. Immutable once made, so any thread may use it. */
#ifndef TEXT_TOK_H
#define TEXT_TOK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOK_VOCAB_MAX (1u << 20)     /* pieces */
#define TOK_FILE_MAX (64u << 20)     /* bytes of a vocabulary file */
#define TOK_TEXT_MAX (4u << 20)      /* bytes of one text */
#define TOK_WORD_MAX 100             /* characters; a longer WordPiece word is unknown */
#define TOK_NONE (-1)

struct tok;

enum tok_kind { TOK_WORDPIECE, TOK_BPE };

/* Ids that a model's format needs; TOK_NONE where the vocabulary has no such piece. */
struct tok_special {
    int32_t cls, sep; /* [CLS] [SEP], or <s> </s> */
    int32_t mask, pad, unk;
};

/* Growing array of ids. Starts zeroed; tok_ids_fini() frees. */
struct tok_ids {
    int32_t *id;
    size_t n, room;
};
void tok_ids_fini(struct tok_ids *ids);
BBT_NODISCARD enum bbt_rc tok_ids_put(struct tok_ids *ids, int32_t id);

/* What the configuration files of a folder say; defaults where they are silent. */
struct tok_opts {
    int lower;         /* do_lower_case, 1 */
    int strip_accents; /* -1: as `lower` */
    int space_cjk;     /* tokenize_chinese_chars, 1 */
    int add_prefix_space;
    /* names of the special pieces; NULL: the family's usual names */
    const char *cls, *sep, *mask, *pad, *unk;
};
void tok_opts_default(struct tok_opts *opts);

/* Reads `dir`/vocab.txt, or vocab.json with merges.txt; config.json, tokenizer_config.json
 * and special_tokens_map.json are heeded where they are there. Where both vocabularies
 * exist, config.json's model_type decides. BBT_NOTFOUND, BBT_INVALID (with FILE:LINE where
 * it can), BBT_IO, BBT_DENIED, BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc tok_open(const char *dir, struct tok **ret, struct bbt_err *err);

/* From bytes: vocab.txt's, one piece a line, the id is the line's number from 0. */
BBT_NODISCARD enum bbt_rc tok_new_wordpiece(const void *vocab, size_t len,
    const struct tok_opts *opts, struct tok **ret, struct bbt_err *err);

/* From bytes: vocab.json's ({"piece": id}) and merges.txt's. */
BBT_NODISCARD enum bbt_rc tok_new_bpe(const void *vocab, size_t vocab_len,
    const void *merges, size_t merges_len, const struct tok_opts *opts, struct tok **ret,
    struct bbt_err *err);
void tok_free(struct tok *t); /* NULL is fine */

/* Appends the ids of a text, without special tokens. Bytes that are no UTF-8 become U+FFFD,
 * which WordPiece drops and BPE encodes. `space_before` (BPE only): as if one space stood
 * before the text, unless it is empty. BBT_NOMEM; BBT_INVALID over TOK_TEXT_MAX. What was
 * appended before a failure stays. */
BBT_NODISCARD enum bbt_rc tok_encode(const struct tok *t, const char *utf8, size_t len,
    int space_before, struct tok_ids *ids, struct bbt_err *err);

/* The piece as the vocabulary writes it ("##ing", "Ġgreat"); NULL where no piece has this
 * id. Borrowed until tok_free(). */
const char *tok_piece(const struct tok *t, int32_t id);

/* The piece's id; TOK_NONE. */
int32_t tok_find(const struct tok *t, const char *piece);

/* Which family. */
enum tok_kind tok_kind(const struct tok *t);

/* Borrowed until tok_free(). */
const struct tok_special *tok_special(const struct tok *t);

/* 1 where the folder asks for a space before a text's first word (BPE). */
int tok_add_prefix_space(const struct tok *t);

/* One more than the largest id. */
size_t tok_vocab_size(const struct tok *t);

#endif
