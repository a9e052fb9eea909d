/* dsv.h -- rows out of delimiter-separated text with a header: TSV and CSV (RFC 4180). */
#ifndef TEXT_DSV_H
#define TEXT_DSV_H

#include "base/err.h"
#include "text/rows.h"

/* `text` is valid UTF-8 without NUL. `separator` is a tab (no quoting) or a comma (fields
 * may be quoted and then hold commas, doubled quotes and line ends). BBT_INVALID
 * "NAME:LINE: why", BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc dsv_parse(const char *text, size_t len, char separator,
    const struct dataset_columns *cols, struct rows *rows, struct bbt_err *err);

#endif
