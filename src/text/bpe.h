/* bpe.h -- byte-level byte-pair encoding as in GPT-2 and RoBERTa: text is cut by GPT-2's
 * pattern, each part's bytes are merged pair by pair, the earliest learnt pair first. */
#ifndef TEXT_BPE_H
#define TEXT_BPE_H

#include "base/err.h"
#include "text/pieces.h"
#include "text/tok.h"

struct bpe_merge; /* one slot of the table */

struct bpe {
    struct bpe_merge *slot; /* open addressing by (left, right) */
    size_t slots;
    int32_t byte_id[256]; /* TOK_NONE: the vocabulary lacks this byte */
    int32_t unk;          /* stands for those; TOK_NONE: they vanish */
};

/* Reads merges.txt's bytes ("left right" per line, "#version" lines and blank lines
 * skipped). BBT_INVALID "merges.txt:LINE: why"; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc bpe_init(struct bpe *b, const struct pieces *pieces,
    const void *merges, size_t len, int32_t unk, struct bbt_err *err);
void bpe_fini(struct bpe *b); /* zeroed is fine */

/* Appends the ids of `len` bytes; a space is thought in front where `space_before` and the
 * text is not empty. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc bpe_encode(const struct bpe *b, const char *utf8, size_t len,
    int space_before, struct tok_ids *ids);

#endif
