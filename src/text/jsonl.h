/* jsonl.h -- rows out of JSON Lines: one object per line. */
#ifndef TEXT_JSONL_H
#define TEXT_JSONL_H

#include "base/err.h"
#include "text/rows.h"

/* Texts are strings; a label is a string, a whole number or a truth value, kept as its
 * text. `text` is valid UTF-8. BBT_INVALID "NAME:LINE: why", BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc jsonl_parse(const char *text, size_t len,
    const struct dataset_columns *cols, struct rows *rows, struct bbt_err *err);

#endif
