#include "text/tmpl.h"

#include "base/alloc.h"
#include "base/hint.h"
#include "text/tmpl_part.h"
#include "text/utf8.h"

#include <string.h>

static const char *const field_names[] = {"text", "text_a", "text_b", "mask", "prompt"};
static const enum tmpl_field field_of[] = {
    TMPL_TEXT_A, TMPL_TEXT_A, TMPL_TEXT_B, TMPL_MASK, TMPL_PROMPT};
#define FIELD_NAMES (sizeof field_names / sizeof field_names[0])

void tmpl_free(struct tmpl *t)
{
    if (!t)
        return;
    bbt_free(t->words);
    bbt_free(t);
}

/* Column of a byte, in characters from 1. */
static unsigned column(const char *pattern, const char *at)
{
    unsigned col = 1;

    for (const char *p = pattern; p < at; p++)
        col += ((uint8_t)*p & 0xC0) != 0x80;
    return col;
}

static enum bbt_rc unknown_field(
    unsigned col, const char *name, size_t len, struct bbt_err *err)
{
    char typed[32];
    const char *near;

    if (len >= sizeof typed)
        len = utf8_cut(name, len, sizeof typed - 1);
    memcpy(typed, name, len);
    typed[len] = '\0';
    near = hint_nearest(typed, field_names, FIELD_NAMES);
    return bbt_fail(err, BBT_INVALID,
        "column %u: no field {%s} (there are {text} {text_a} {text_b} {mask} {prompt}; a "
        "brace itself is {{)%s%s%s", col, typed, near ? ", did you mean {" : "",
        near ? near : "", near ? "}?" : "");
}

static enum bbt_rc add_field(
    struct tmpl *t, enum tmpl_field f, unsigned col, struct bbt_err *err)
{
    unsigned fields = 0;

    if ((f == TMPL_MASK || f == TMPL_PROMPT) && t->uses[f])
        return bbt_fail(err, BBT_INVALID, "column %u: a second {%s} (take one out)", col,
            f == TMPL_MASK ? "mask" : "prompt");
    for (unsigned i = 0; i < TMPL_FIELD_NR; i++)
        fields += t->uses[i];
    if (fields == TMPL_FIELDS_MAX)
        return bbt_fail(
            err, BBT_INVALID, "column %u: over %d fields", col, TMPL_FIELDS_MAX);
    t->part[t->n++] = (struct part){.field = f};
    t->uses[f]++;
    return BBT_OK;
}

/* A field at `at`, which is its opening brace. */
static enum bbt_rc read_field(struct tmpl *t, const char *pattern, const char *at,
    const char **ret_next, struct bbt_err *err)
{
    unsigned col = column(pattern, at);
    const char *name = at + 1, *close = strchr(name, '}');
    size_t len;

    if (!close)
        return bbt_fail(err, BBT_INVALID,
            "column %u: { is not closed (add }, or write {{ for a brace)", col);
    len = (size_t)(close - name);
    for (size_t i = 0; i < FIELD_NAMES; i++)
        if (strlen(field_names[i]) == len && memcmp(field_names[i], name, len) == 0) {
            *ret_next = close + 1;
            return add_field(t, field_of[i], col, err);
        }
    return unknown_field(col, name, len, err);
}

/* Words up to the next field, with "{{" and "}}" undone; `fill` is where they go. */
static enum bbt_rc read_words(struct tmpl *t, const char *pattern, const char **at,
    size_t *fill, struct bbt_err *err)
{
    size_t from = *fill;
    const char *p = *at;

    while (*p && !(*p == '{' && p[1] != '{')) {
        if (*p == '}' && p[1] != '}')
            return bbt_fail(err, BBT_INVALID,
                "column %u: } without { (write }} for a brace)", column(pattern, p));
        p += *p == '{' || *p == '}';
        t->words[(*fill)++] = *p++;
    }
    if (*fill > from)
        t->part[t->n++] = (struct part){NOT_FIELD, from, *fill - from};
    *at = p;
    return BBT_OK;
}

static enum bbt_rc read_parts(struct tmpl *t, const char *pattern, struct bbt_err *err)
{
    const char *at = pattern;
    enum bbt_rc rc = BBT_OK;
    size_t fill = 0;

    while (*at && rc == BBT_OK) {
        if (*at == '{' && at[1] != '{')
            rc = read_field(t, pattern, at, &at, err);
        else
            rc = read_words(t, pattern, &at, &fill, err);
    }
    if (rc != BBT_OK)
        return rc;
    if (!t->uses[TMPL_MASK])
        return bbt_fail(err, BBT_INVALID,
            "column %u: no {mask} (put it where the label word belongs)",
            column(pattern, at));
    if (!t->uses[TMPL_TEXT_A] && !t->uses[TMPL_TEXT_B])
        return bbt_fail(err, BBT_INVALID,
            "column %u: no {text} (put it where the example belongs)", column(pattern, at));
    return BBT_OK;
}

enum bbt_rc tmpl_compile(const char *pattern, struct tmpl **ret, struct bbt_err *err)
{
    size_t len = strlen(pattern), bad;
    struct tmpl *t;
    enum bbt_rc rc;

    if (len > TMPL_BYTES_MAX)
        return bbt_fail(err, BBT_INVALID, "column %u: a template over %d bytes",
            column(pattern, pattern + TMPL_BYTES_MAX), TMPL_BYTES_MAX);
    bad = utf8_first_bad(pattern, len);
    if (bad < len)
        return bbt_fail(err, BBT_INVALID, "column %u: byte 0x%02X is not UTF-8",
            column(pattern, pattern + bad), (uint8_t)pattern[bad]);
    t = bbt_calloc(1, sizeof *t);
    if (t)
        t->words = bbt_alloc(len + 1);
    if (!t || !t->words) {
        tmpl_free(t);
        return bbt_fail(err, BBT_NOMEM, "no memory for a template");
    }
    rc = read_parts(t, pattern, err);
    if (rc == BBT_OK)
        *ret = t;
    else
        tmpl_free(t);
    return rc;
}

unsigned tmpl_uses(const struct tmpl *t, enum tmpl_field field)
{
    return (unsigned)field < TMPL_FIELD_NR ? t->uses[field] : 0;
}

int tmpl_mask_spaced(const struct tmpl *t)
{
    for (size_t i = 1; i < t->n; i++) {
        const struct part *before = &t->part[i - 1];

        if (t->part[i].field == TMPL_MASK)
            return before->field == NOT_FIELD &&
                tmpl_blank(t->words[before->at + before->len - 1]);
    }
    return 0;
}

int tmpl_prompt_first(const struct tmpl *t)
{
    return t->part[0].field == TMPL_PROMPT;
}

void tmpl_rendered_fini(struct tmpl_rendered *r)
{
    bbt_free(r->ids);
    *r = (struct tmpl_rendered){0};
}

/* One part's ids: a stretch of `ids`, of which the first `kept` go into the result. */
struct piece {
    enum tmpl_field field;
    size_t from, n, kept;
};

struct render {
    const struct tmpl *t;
    const struct tok *tok;
    const struct tmpl_input *in;
    struct tok_ids ids;
    struct piece piece[PARTS_MAX];
    int space;      /* a blank stands before what comes next */
    int drop_space; /* {prompt} vanished: so does the blank behind it */
    size_t cut;
};

static enum bbt_rc add_words(struct render *r, size_t i, struct bbt_err *err)
{
    const struct part *part = &r->t->part[i];
    const char *at = r->t->words + part->at;
    size_t len = part->len;
    int space = r->space, behind = 0;

    if (r->drop_space && *at == ' ') {
        at++;
        len--;
    }
    if (i + 1 < r->t->n && r->t->part[i + 1].field == TMPL_MASK) {
        while (len && tmpl_blank(at[len - 1]))
            len--;
    } else if (i + 1 < r->t->n && len && at[len - 1] == ' ') {
        len--;
        behind = 1;
    }
    r->space = behind || (space && len == 0);
    return tok_encode(r->tok, at, len, space, &r->ids, err);
}

static enum bbt_rc add_text(struct render *r, const char *text, struct bbt_err *err)
{
    int space = r->space;

    if (!text)
        return bbt_fail(err, BBT_INVALID,
            "the template has a second text, the example has none (set data.columns.text_b)");
    r->space = 0;
    return tok_encode(r->tok, text, strlen(text), space, &r->ids, err);
}

static enum bbt_rc add_slots(struct render *r, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t k = 0; k < r->in->slots && rc == BBT_OK; k++)
        rc = tok_ids_put(&r->ids, r->in->prompt_ids[k]);
    if (r->in->slots)
        r->space = 0;
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no memory for a prompt");
}

static enum bbt_rc add_part(struct render *r, size_t i, struct bbt_err *err)
{
    struct piece *piece = &r->piece[i];
    enum bbt_rc rc = BBT_OK;

    *piece = (struct piece){.field = r->t->part[i].field, .from = r->ids.n};
    switch (piece->field) {
    case TMPL_TEXT_A:
        rc = add_text(r, r->in->text_a, err);
        break;
    case TMPL_TEXT_B:
        rc = add_text(r, r->in->text_b, err);
        break;
    case TMPL_MASK:
        rc = tok_ids_put(&r->ids, tok_special(r->tok)->mask);
        r->space = 0;
        if (rc != BBT_OK)
            (void)bbt_fail(err, rc, "no memory for a prompt");
        break;
    case TMPL_PROMPT:
        rc = add_slots(r, err);
        break;
    case TMPL_FIELD_NR:
        rc = add_words(r, i, err);
        break;
    }
    r->drop_space = piece->field == TMPL_PROMPT && r->in->slots == 0;
    piece->n = piece->kept = r->ids.n - piece->from;
    return rc;
}

static int is_text(const struct piece *p)
{
    return p->field == TMPL_TEXT_A || p->field == TMPL_TEXT_B;
}

/* Shortens the longest text (of equals the last) token by token. */
static void shorten(struct render *r, size_t excess)
{
    for (; excess; excess--) {
        struct piece *longest = NULL;

        for (size_t i = 0; i < r->t->n; i++)
            if (is_text(&r->piece[i]) && (!longest || r->piece[i].kept >= longest->kept))
                longest = &r->piece[i];
        longest->kept--;
        r->cut++;
    }
}

static enum bbt_rc fit(struct render *r, size_t *ret_n, struct bbt_err *err)
{
    const struct tok_special *s = tok_special(r->tok);
    size_t fixed = (size_t)(s->cls != TOK_NONE) + (size_t)(s->sep != TOK_NONE), n;

    n = fixed + r->ids.n;
    for (size_t i = 0; i < r->t->n; i++)
        fixed += is_text(&r->piece[i]) ? 0 : r->piece[i].n;
    if (fixed > r->in->max_len)
        return bbt_fail(err, BBT_INVALID,
            "the template takes %zu tokens before any text, the model has room for %zu "
            "(shorten the template, or fewer prompt.tokens)", fixed, r->in->max_len);
    if (n > r->in->max_len) {
        shorten(r, n - r->in->max_len);
        n = r->in->max_len;
    }
    *ret_n = n;
    return BBT_OK;
}

static enum bbt_rc assemble(
    const struct render *r, size_t n, struct tmpl_rendered *ret, struct bbt_err *err)
{
    const struct tok_special *s = tok_special(r->tok);
    struct tmpl_rendered out = {.n = n, .prompt_pos = -1, .cut = r->cut};
    size_t at = 0;

    out.ids = bbt_alloc_array(n, sizeof *out.ids);
    if (!out.ids)
        return bbt_fail(err, BBT_NOMEM, "no memory for a prompt");
    if (s->cls != TOK_NONE)
        out.ids[at++] = s->cls;
    for (size_t i = 0; i < r->t->n; i++) {
        const struct piece *p = &r->piece[i];

        if (p->field == TMPL_MASK)
            out.mask_pos = at;
        if (p->field == TMPL_PROMPT)
            out.prompt_pos = (ptrdiff_t)at;
        if (p->kept)
            memcpy(out.ids + at, r->ids.id + p->from, p->kept * sizeof *out.ids);
        at += p->kept;
    }
    if (s->sep != TOK_NONE)
        out.ids[at++] = s->sep;
    *ret = out;
    return BBT_OK;
}

enum bbt_rc tmpl_render(const struct tmpl *t, const struct tok *tok,
    const struct tmpl_input *in, struct tmpl_rendered *ret, struct bbt_err *err)
{
    struct render r = {.t = t, .tok = tok, .in = in, .space = tok_add_prefix_space(tok)};
    enum bbt_rc rc = BBT_OK;
    size_t n = 0;

    if (tok_special(tok)->mask == TOK_NONE)
        return bbt_fail(err, BBT_INVALID,
            "the vocabulary has no mask token (a masked language model is needed)");
    if (in->slots && !t->uses[TMPL_PROMPT])
        return bbt_fail(err, BBT_INVALID,
            "the template has no {prompt} for the soft prompt (put {prompt} in front)");
    for (size_t i = 0; i < t->n && rc == BBT_OK; i++)
        rc = add_part(&r, i, err);
    if (rc == BBT_OK)
        rc = fit(&r, &n, err);
    if (rc == BBT_OK)
        rc = assemble(&r, n, ret, err);
    tok_ids_fini(&r.ids);
    return rc;
}
