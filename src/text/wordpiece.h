/* wordpiece.h -- BERT's tokenisation: clean, split into words and signs, fold case and
 * accents, then greedy longest match from the left.
 *
 * Rules as in BERT's own tokenization.py (BasicTokenizer, WordpieceTokenizer) with Hugging
 * Face's notion of control characters (every category C*). */
#ifndef TEXT_WORDPIECE_H
#define TEXT_WORDPIECE_H

#include "base/err.h"
#include "text/pieces.h"
#include "text/tok.h"

struct wordpiece {
    int lower, strip_accents, space_cjk;
    int32_t unk;
};

/* Appends the ids of `len` bytes. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc wordpiece_encode(const struct wordpiece *w,
    const struct pieces *pieces, const char *utf8, size_t len, struct tok_ids *ids);

#endif
