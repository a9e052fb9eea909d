#include "text/tok.h"

#include "base/alloc.h"
#include "base/json.h"
#include "text/bpe.h"
#include "text/pieces.h"
#include "text/utf8.h"
#include "text/wordpiece.h"

#include <string.h>

struct tok {
    enum tok_kind kind;
    int add_prefix_space;
    struct pieces pieces;
    struct tok_special special;
    struct wordpiece wordpiece; /* of TOK_WORDPIECE */
    struct bpe bpe;             /* of TOK_BPE */
};

void tok_ids_fini(struct tok_ids *ids)
{
    bbt_free(ids->id);
    *ids = (struct tok_ids){0};
}

enum bbt_rc tok_ids_put(struct tok_ids *ids, int32_t id)
{
    if (ids->n == ids->room) {
        size_t room = ids->room ? ids->room * 2 : 64;
        int32_t *grown = room > SIZE_MAX / sizeof *grown
            ? NULL
            : bbt_realloc(ids->id, room * sizeof *grown);

        if (!grown)
            return BBT_NOMEM;
        ids->id = grown;
        ids->room = room;
    }
    ids->id[ids->n++] = id;
    return BBT_OK;
}

void tok_opts_default(struct tok_opts *opts)
{
    *opts = (struct tok_opts){.lower = 1, .strip_accents = -1, .space_cjk = 1};
}

void tok_free(struct tok *t)
{
    if (!t)
        return;
    pieces_fini(&t->pieces);
    bpe_fini(&t->bpe);
    bbt_free(t);
}

static enum bbt_rc no_memory(struct bbt_err *err)
{
    return bbt_fail(err, BBT_NOMEM, "no memory for a tokenizer");
}

/* The named piece, or one of the family's usual names (may be NULL). */
static int32_t special_id(
    const struct tok *t, const char *name, const char *usual, const char *other)
{
    int32_t id = TOK_NONE;

    if (name)
        return tok_find(t, name);
    if (usual)
        id = tok_find(t, usual);
    return id == TOK_NONE && other ? tok_find(t, other) : id;
}

static enum bbt_rc add_line(struct tok *t, int32_t id, const uint8_t *line, size_t len,
    struct bbt_err *err)
{
    enum bbt_rc rc;

    if (utf8_first_bad(line, len) < len)
        return bbt_fail(err, BBT_INVALID, "vocab.txt:%d: not UTF-8", id + 1);
    rc = pieces_add(&t->pieces, id, line, len);
    if (rc == BBT_NOMEM)
        return no_memory(err);
    if (rc != BBT_OK)
        return bbt_fail(err, rc, "vocab.txt:%d: a NUL byte in a piece", id + 1);
    return BBT_OK;
}

static enum bbt_rc read_lines(
    struct tok *t, const uint8_t *at, size_t len, struct bbt_err *err)
{
    const uint8_t *end = len ? at + len : at;
    enum bbt_rc rc = BBT_OK;
    size_t lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += at[i] == '\n' || i + 1 == len;
    if (lines == 0 || lines > TOK_VOCAB_MAX)
        return bbt_fail(err, BBT_INVALID, "vocab.txt: %zu pieces (1 to %u are possible)",
            lines, TOK_VOCAB_MAX);
    if (pieces_init(&t->pieces, lines) != BBT_OK)
        return no_memory(err);
    for (int32_t id = 0; at < end && rc == BBT_OK; id++) {
        const uint8_t *nl = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((nl ? nl : end) - at);

        rc = add_line(t, id, at, n && at[n - 1] == '\r' ? n - 1 : n, err);
        at = nl ? nl + 1 : end;
    }
    return rc;
}

enum bbt_rc tok_new_wordpiece(const void *vocab, size_t len, const struct tok_opts *opts,
    struct tok **ret, struct bbt_err *err)
{
    struct tok *t = bbt_calloc(1, sizeof *t);
    enum bbt_rc rc;

    if (!t)
        return no_memory(err);
    t->kind = TOK_WORDPIECE;
    rc = read_lines(t, vocab, len, err);
    if (rc != BBT_OK)
        goto out;
    t->special = (struct tok_special){
        .cls = special_id(t, opts->cls, "[CLS]", NULL),
        .sep = special_id(t, opts->sep, "[SEP]", NULL),
        .mask = special_id(t, opts->mask, "[MASK]", NULL),
        .pad = special_id(t, opts->pad, "[PAD]", NULL),
        .unk = special_id(t, opts->unk, "[UNK]", NULL),
    };
    if (t->special.unk == TOK_NONE) {
        rc = bbt_fail(err, BBT_INVALID, "vocab.txt: no piece %s for unknown words",
            opts->unk ? opts->unk : "[UNK]");
        goto out;
    }
    t->wordpiece = (struct wordpiece){.lower = opts->lower,
        .strip_accents = opts->strip_accents < 0 ? opts->lower : opts->strip_accents,
        .space_cjk = opts->space_cjk, .unk = t->special.unk};
    *ret = t;
    t = NULL; /* the caller's now */
out:
    tok_free(t);
    return rc;
}

/* One more than the largest id of vocab.json, each id checked. */
static enum bbt_rc count_ids(const json_t *vocab, size_t *ret, struct bbt_err *err)
{
    const char *piece;
    json_t *id;
    size_t n = 0;

    if (!json_is_object(vocab))
        return bbt_fail(err, BBT_INVALID, "vocab.json: not an object of pieces and ids");
    json_object_foreach ((json_t *)(size_t)vocab, piece, id) {
        json_int_t v = json_is_integer(id) ? json_integer_value(id) : -1;

        if (v < 0 || v >= (json_int_t)TOK_VOCAB_MAX)
            return bbt_fail(err, BBT_INVALID,
                "vocab.json: the id of \"%.60s\" is no whole number from 0 to %u", piece,
                TOK_VOCAB_MAX - 1);
        n = (size_t)v >= n ? (size_t)v + 1 : n;
    }
    if (n == 0)
        return bbt_fail(err, BBT_INVALID, "vocab.json: no pieces");
    *ret = n;
    return BBT_OK;
}

static enum bbt_rc add_json(struct tok *t, const json_t *vocab, struct bbt_err *err)
{
    enum bbt_rc rc;
    const char *piece;
    json_t *id;
    size_t n = 0;

    rc = count_ids(vocab, &n, err);
    if (rc != BBT_OK)
        return rc;
    if (pieces_init(&t->pieces, n) != BBT_OK)
        return no_memory(err);
    json_object_foreach ((json_t *)(size_t)vocab, piece, id) {
        int32_t v = (int32_t)json_integer_value(id);

        rc = pieces_add(&t->pieces, v, piece, strlen(piece));
        if (rc == BBT_NOMEM)
            return no_memory(err);
        if (rc != BBT_OK)
            return bbt_fail(err, rc, "vocab.json: the id %d stands for two pieces", v);
    }
    return BBT_OK;
}

enum bbt_rc tok_new_bpe(const void *vocab, size_t vocab_len, const void *merges,
    size_t merges_len, const struct tok_opts *opts, struct tok **ret, struct bbt_err *err)
{
    struct tok *t = bbt_calloc(1, sizeof *t);
    json_t *json = NULL;
    enum bbt_rc rc;

    if (!t)
        return no_memory(err);
    t->kind = TOK_BPE;
    t->add_prefix_space = opts->add_prefix_space;
    rc = json_parse(vocab, vocab_len, "vocab.json", &json, err);
    if (rc == BBT_OK)
        rc = add_json(t, json, err);
    if (rc != BBT_OK)
        goto out;
    t->special = (struct tok_special){
        .cls = special_id(t, opts->cls, "<s>", NULL),
        .sep = special_id(t, opts->sep, "</s>", NULL),
        .mask = special_id(t, opts->mask, "<mask>", NULL),
        .pad = special_id(t, opts->pad, "<pad>", NULL),
        .unk = special_id(t, opts->unk, "<unk>", "<|endoftext|>"),
    };
    rc = bpe_init(&t->bpe, &t->pieces, merges, merges_len, t->special.unk, err);
    if (rc != BBT_OK)
        goto out;
    *ret = t;
    t = NULL; /* the caller's now */
out:
    json_decref(json);
    tok_free(t);
    return rc;
}

enum bbt_rc tok_encode(const struct tok *t, const char *utf8, size_t len, int space_before,
    struct tok_ids *ids, struct bbt_err *err)
{
    enum bbt_rc rc;

    if (len > TOK_TEXT_MAX)
        return bbt_fail(err, BBT_INVALID, "a text of %zu bytes (at most %u)", len,
            TOK_TEXT_MAX);
    if (t->kind == TOK_WORDPIECE)
        rc = wordpiece_encode(&t->wordpiece, &t->pieces, utf8, len, ids);
    else
        rc = bpe_encode(&t->bpe, utf8, len, space_before, ids);
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no memory to split a text");
}

const char *tok_piece(const struct tok *t, int32_t id)
{
    return pieces_at(&t->pieces, id);
}

int32_t tok_find(const struct tok *t, const char *piece)
{
    return pieces_find(&t->pieces, piece, strlen(piece));
}

enum tok_kind tok_kind(const struct tok *t)
{
    return t->kind;
}

const struct tok_special *tok_special(const struct tok *t)
{
    return &t->special;
}

int tok_add_prefix_space(const struct tok *t)
{
    return t->add_prefix_space;
}

size_t tok_vocab_size(const struct tok *t)
{
    return t->pieces.n;
}
