/* lex.h -- token ids of texts as a server's own tokeniser has them: a table by the text's
 * digest, and the operation that asks for what is missing.
 *
 * The table is kept with the job's setup, so a restart does not ask again. */
#ifndef ENGINE_LEX_H
#define ENGINE_LEX_H

#include "engine/query.h"

#define LEX_AT_ONCE 16 /* questions that wait for a turn at the same time */

struct lex_item {
    uint64_t digest;
    int32_t *id; /* n; owned */
    size_t n;
};

struct lex {
    struct lex_item *item; /* sorted by digest */
    size_t n, room;
};
void lex_fini(struct lex *l); /* a zeroed one is fine */

/* NULL where the text has not been asked for. Lent until the table changes. */
const struct lex_item *lex_find(const struct lex *l, const char *text);

/* Takes `ids` over. A text that is there already keeps what it has. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc lex_add(
    struct lex *l, const char *text, struct prov_tokens *ids, struct bbt_err *err);

/* To bytes (appended) and back. BBT_CORRUPT, BBT_NOMEM, the buffer's cap. */
BBT_NODISCARD enum bbt_rc lex_save(
    const struct lex *l, struct bbt_buf *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc lex_load(
    const void *bytes, size_t len, struct lex *ret, struct bbt_err *err);

/* Texts to be asked about, each once. */
struct lex_wants {
    const char **text; /* lent */
    size_t n, room;
};
void lex_wants_fini(struct lex_wants *w);

/* Wants a text; empty ones are fine. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc lex_want(
    struct lex_wants *w, const char *text, struct bbt_err *err);

/* Takes out what the table has, and second mentions. */
void lex_missing(const struct lex *l, struct lex_wants *w);

/* ---- asking ---- */

struct lex_slot {
    struct query query;
    struct op op;
    struct lexer *lexer;
    const char *text; /* NULL: idle */
    struct prov_tokens got;
};

struct lexer {
    /* in */
    struct endpoint *ep;
    const struct prov_model *model;
    struct sched_flow *flow;
    const struct lex_wants *wants;
    struct lex *lex; /* gets the answers */
    struct op *wake;
    /* facts */
    bool done;
    enum bbt_rc rc;
    struct bbt_err err;
    const char *reason; /* pause reason where rc is not OK; or NULL */
    /* own */
    struct turnq *q;
    size_t next, running;
    bool failed;
    struct lex_slot slot[LEX_AT_ONCE];
};

/* Zeroed by the caller before the "in" fields are set. With nothing to ask it is done at
 * once. */
void lexer_start(struct lexer *x, struct turnq *q);
void lexer_drop(struct lexer *x); /* a wish: still ends in `done` */
void lexer_fini(struct lexer *x); /* only when done or never started */

#endif
