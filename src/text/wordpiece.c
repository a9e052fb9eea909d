#include "text/wordpiece.h"

#include "base/alloc.h"
#include "text/uni.h"
#include "text/utf8.h"

#include <string.h>

/* Growing array of code points. */
struct runes {
    uint32_t *cp;
    size_t n, room;
};

struct work {
    const struct wordpiece *rules;
    const struct pieces *pieces;
    struct tok_ids *ids;
    struct runes word; /* between blanks, as in the text */
    struct runes bare; /* the same, case and accents folded */
    size_t run;        /* in `bare`: start of the marks that still await sorting */
};

static enum bbt_rc put(struct runes *r, uint32_t cp)
{
    if (r->n == r->room) {
        size_t room = r->room ? r->room * 2 : 32;
        uint32_t *grown = bbt_realloc(r->cp, room * sizeof *grown);

        if (!grown)
            return BBT_NOMEM;
        r->cp = grown;
        r->room = room;
    }
    r->cp[r->n++] = cp;
    return BBT_OK;
}

/* Greedy longest match. A rest without a piece makes the whole word unknown. */
static enum bbt_rc match(struct work *w, const uint32_t *cp, size_t n)
{
    uint8_t text[2 + 4 * TOK_WORD_MAX] = "##";
    size_t len = 2, from = 2, first = w->ids->n;
    enum bbt_rc rc = BBT_OK;

    if (n > TOK_WORD_MAX)
        return tok_ids_put(w->ids, w->rules->unk);
    for (size_t i = 0; i < n; i++)
        len += utf8_put(cp[i], text + len);
    while (from < len && rc == BBT_OK) {
        /* Later pieces have "##" in front: it overwrites bytes that are done with. */
        size_t start = from > 2 ? from - 2 : from;
        size_t end = len - start > w->pieces->longest ? start + w->pieces->longest : len;
        int32_t id = PIECES_NONE;

        if (from > 2)
            memcpy(text + start, "##", 2);
        for (; end > from; end--) {
            if (end < len && (text[end] & 0xC0) == 0x80)
                continue; /* inside a character */
            id = pieces_find(w->pieces, text + start, end - start);
            if (id != PIECES_NONE)
                break;
        }
        if (id == PIECES_NONE) {
            w->ids->n = first;
            return tok_ids_put(w->ids, w->rules->unk);
        }
        rc = tok_ids_put(w->ids, id);
        from = end;
    }
    return rc;
}

static int is_punct(uint32_t cp)
{
    if (cp < 128)
        return (cp >= 33 && cp <= 47) || (cp >= 58 && cp <= 64) || (cp >= 91 && cp <= 96) ||
            (cp >= 123 && cp <= 126);
    return uni_class(cp) == UNI_PUNCT;
}

/* A capital sigma ends a word where a cased letter stands before it and none after it,
 * characters that do not count left out (Unicode standard, table 3-17). */
static int is_final(const struct runes *word, size_t at)
{
    size_t i = at;

    while (i > 0 && uni_ignorable(word->cp[i - 1]))
        i--;
    if (i == 0 || !uni_cased(word->cp[i - 1]))
        return 0;
    for (i = at + 1; i < word->n && uni_ignorable(word->cp[i]);)
        i++;
    return i == word->n || !uni_cased(word->cp[i]);
}

/* Appends a decomposed character. Marks of category Mn go; the few others that have a
 * combining class are brought into canonical order. */
static enum bbt_rc put_bare(struct work *w, uint32_t cp)
{
    enum uni_class class = uni_class(cp);
    struct runes *bare = &w->bare;
    enum bbt_rc rc;
    unsigned order;

    if (class == UNI_MARK)
        return BBT_OK;
    if (class == UNI_MARK_START) {
        w->run = bare->n;
        return BBT_OK;
    }
    rc = put(bare, cp);
    if (rc != BBT_OK)
        return rc;
    order = uni_combining(cp);
    if (order == 0) {
        w->run = bare->n;
        return BBT_OK;
    }
    for (size_t i = bare->n - 1; i > w->run && uni_combining(bare->cp[i - 1]) > order; i--) {
        bare->cp[i] = bare->cp[i - 1];
        bare->cp[i - 1] = cp;
    }
    return BBT_OK;
}

static enum bbt_rc fold_one(struct work *w, uint32_t cp)
{
    uint32_t bare[UNI_BARE_MAX];
    enum bbt_rc rc = BBT_OK;
    size_t n;

    if (!w->rules->strip_accents)
        return put(&w->bare, cp);
    if (cp < 0x80) {
        w->run = w->bare.n + 1;
        return put(&w->bare, cp);
    }
    n = uni_bare(cp, bare);
    for (size_t i = 0; i < n && rc == BBT_OK; i++)
        rc = put_bare(w, bare[i]);
    return rc;
}

static enum bbt_rc fold(struct work *w)
{
    enum bbt_rc rc = BBT_OK;

    w->bare.n = 0;
    w->run = 0;
    for (size_t i = 0; i < w->word.n && rc == BBT_OK; i++) {
        uint32_t cp = w->word.cp[i], lower[UNI_LOWER_MAX] = {cp};
        size_t n = 1;

        if (w->rules->lower) {
            n = uni_lower(cp, lower);
            if (cp == 0x3A3 && is_final(&w->word, i))
                lower[0] = 0x3C2;
        }
        for (size_t k = 0; k < n && rc == BBT_OK; k++)
            rc = fold_one(w, lower[k]);
    }
    return rc;
}

/* The word between two blanks is complete: fold it, set its signs apart, match. */
static enum bbt_rc end_word(struct work *w)
{
    enum bbt_rc rc;
    size_t from = 0;

    if (w->word.n == 0)
        return BBT_OK;
    rc = fold(w);
    for (size_t i = 0; i <= w->bare.n && rc == BBT_OK; i++) {
        int sign = i < w->bare.n && is_punct(w->bare.cp[i]);

        if (i < w->bare.n && !sign)
            continue;
        if (i > from)
            rc = match(w, w->bare.cp + from, i - from);
        if (sign && rc == BBT_OK)
            rc = match(w, w->bare.cp + i, 1);
        from = i + 1;
    }
    w->word.n = 0;
    return rc;
}

static enum bbt_rc take(struct work *w, uint32_t cp)
{
    int blank = cp == '\t' || cp == '\n' || cp == '\r';
    enum bbt_rc rc;

    if (!blank) {
        enum uni_class class = cp < 0x7F && cp > ' ' ? UNI_OTHER : uni_class(cp);

        if (cp == UTF8_REPLACEMENT || class == UNI_CONTROL)
            return BBT_OK;
        blank = class == UNI_SEPARATOR;
    }
    if (blank)
        return end_word(w);
    if (!w->rules->space_cjk || !uni_cjk(cp))
        return put(&w->word, cp);
    rc = end_word(w);
    if (rc == BBT_OK)
        rc = put(&w->word, cp);
    return rc == BBT_OK ? end_word(w) : rc;
}

enum bbt_rc wordpiece_encode(const struct wordpiece *rules, const struct pieces *pieces,
    const char *utf8, size_t len, struct tok_ids *ids)
{
    struct work w = {.rules = rules, .pieces = pieces, .ids = ids};
    const uint8_t *at = (const uint8_t *)utf8, *end = len ? at + len : at;
    enum bbt_rc rc = BBT_OK;

    while (at < end && rc == BBT_OK)
        rc = take(&w, utf8_next(at, end, &at, NULL));
    if (rc == BBT_OK)
        rc = end_word(&w);
    bbt_free(w.word.cp);
    bbt_free(w.bare.cp);
    return rc;
}
