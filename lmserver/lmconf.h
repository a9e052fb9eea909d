/* lmconf.h -- config.json of a masked language model (Hugging Face layout): what it says,
 * checked. Families: BERT and RoBERTa; whatever would compute something else (another
 * activation, relative positions) is refused by name. */
#ifndef LMSERVER_LMCONF_H
#define LMSERVER_LMCONF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define LMCONF_BYTES_MAX (1024u * 1024u)

enum lmconf_family { LMCONF_BERT, LMCONF_ROBERTA };

struct lmconf {
    enum lmconf_family family;
    size_t hidden, layers, heads, inner; /* inner: width of the feed-forward part */
    size_t vocab, types;
    size_t positions; /* rows of the position table */
    size_t first_pos; /* position of the first token: 0, RoBERTa: pad + 1 */
    size_t tokens;    /* longest sequence: positions - first_pos */
    size_t pad;
    float eps;
    bool tied; /* the output matrix is the word embedding */
};

/* Reads the JSON text; `name` stands in the sentences. BBT_INVALID names the key. */
BBT_NODISCARD enum bbt_rc lmconf_parse(const void *text, size_t len, const char *name,
    struct lmconf *ret, struct bbt_err *err);

/* DIR/config.json. */
BBT_NODISCARD enum bbt_rc lmconf_load(
    const char *dir, struct lmconf *ret, struct bbt_err *err);

/* "bert" or "roberta". */
const char *lmconf_family_name(enum lmconf_family f);

#endif
