/* task_rows.c -- texts of a task to rows: by a tokenizer of our own, as plain text, or by the
 * server's tokeniser. */
#include "engine/task.h"

#include "base/alloc.h"
#include "engine/demo.h"
#include "engine/lex.h"

#include <string.h>

/* ---- rendering ---- */

static enum bbt_rc masked_row(const struct task *t, const struct task_texts *x, size_t at,
    struct task_set *s, struct tmpl_rendered *ret, struct bbt_err *err)
{
    struct tmpl_input in = {x->text_a[at], x->text_b ? x->text_b[at] : NULL, t->slot_ids,
        x->soft ? t->slots : 0, t->len_max};
    enum bbt_rc rc = tmpl_render(t->tmpl, t->tok, &in, ret, err);

    if (rc == BBT_OK) {
        s->tokens += ret->n;
        s->longest = ret->n + ret->cut > s->longest ? ret->n + ret->cut : s->longest;
        s->cut_rows += ret->cut > 0;
    }
    return rc;
}

static enum bbt_rc masked_batch(const struct task *t, const struct task_texts *x, size_t n,
    struct task_set *s, struct task_batch *b, struct bbt_err *err)
{
    int32_t pad = tok_special(t->tok)->pad;
    struct tmpl_rendered *row = bbt_calloc(n, sizeof *row);
    enum bbt_rc rc =
        row ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);

    for (size_t i = 0; i < n && rc == BBT_OK; i++)
        rc = masked_row(t, x, b->first + i, s, &row[i], err);
    if (rc == BBT_OK)
        rc = render_masked(b, row, n, x->cols_fixed, pad < 0 ? 0 : pad, err);
    for (size_t i = 0; row && i < n; i++)
        tmpl_rendered_fini(&row[i]);
    bbt_free(row);
    return rc;
}

static enum bbt_rc text_row(const struct task *t, const struct task_texts *x, size_t at,
    char **ret, struct bbt_err *err)
{
    struct bbt_buf b;
    enum bbt_rc rc;

    buf_init(&b, TOK_TEXT_MAX);
    rc = tmpl_text(t->tmpl, x->text_a[at], x->text_b ? x->text_b[at] : NULL, NULL, &b, err);
    if (rc == BBT_OK && b.len == 0)
        rc = bbt_fail(err, BBT_INVALID, "an example has no text");
    if (rc == BBT_OK)
        *ret = (char *)buf_take(&b, NULL);
    buf_fini(&b);
    return rc;
}

static enum bbt_rc text_batch(const struct task *t, const struct task_texts *x, size_t n,
    struct task_set *s, struct task_batch *b, struct bbt_err *err)
{
    char **text = bbt_calloc(n, sizeof *text);
    enum bbt_rc rc =
        text ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);

    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        rc = text_row(t, x, b->first + i, &text[i], err);
        if (rc == BBT_OK) {
            size_t guess = render_guess(text[i]);

            s->tokens += guess;
            s->longest = guess > s->longest ? guess : s->longest;
        }
    }
    if (rc == BBT_OK)
        return render_texts(b, text, n, err);
    for (size_t i = 0; text && i < n; i++)
        bbt_free(text[i]);
    bbt_free(text);
    return rc;
}

static enum bbt_rc pack_set(
    const struct task *t, const struct lex *lex, struct task_set *s, struct bbt_err *err);

size_t task_per(const struct task *t, bool soft)
{
    return !soft && t->plain_single && t->bos < 0 ? 1 : t->batch_max;
}

enum bbt_rc task_render(const struct task *t, const struct task_texts *texts,
    struct task_set *ret, struct bbt_err *err)
{
    size_t n = texts->n, per = task_per(t, texts->soft);
    struct task_set s = {0};
    enum bbt_rc rc = render_set(n, per, &s, err);

    for (size_t i = 0; i < s.batches && rc == BBT_OK; i++) {
        struct task_batch *b = &s.batch[i];
        size_t some = n - b->first < per ? n - b->first : per;

        rc = t->form == TASK_MASKED ? masked_batch(t, texts, some, &s, b, err)
                                    : text_batch(t, texts, some, &s, b, err);
    }
    if (rc == BBT_OK && t->form == TASK_IDS && t->tok)
        rc = pack_set(t, NULL, &s, err);
    if (rc == BBT_OK)
        *ret = s;
    else
        task_set_fini(&s);
    return rc;
}

/* ---- ids of texts ---- */

bool task_open(const struct task *t)
{
    return t->words_open || t->rows_open;
}

/* A text's ids, by our tokenizer (appended to `own`) or out of the table. */
static enum bbt_rc ids_of(const struct task *t, const struct lex *lex, const char *text,
    struct tok_ids *own, struct render_row *ret, struct bbt_err *err)
{
    const struct lex_item *it;
    enum bbt_rc rc;

    if (t->tok) {
        rc = tok_encode(t->tok, text, strlen(text), 0, own, err);
        ret->n[1] = own->n;
        ret->id[1] = own->id;
        return rc;
    }
    it = lex_find(lex, text);
    if (!it)
        return bbt_fail(err, BBT_CORRUPT, "a text has no tokens"); /* asked for before */
    ret->id[1] = it->id;
    ret->n[1] = it->n;
    return BBT_OK;
}

static enum bbt_rc pack_batch(const struct task *t, const struct lex *lex, struct task_set *s,
    struct task_batch *b, struct bbt_err *err)
{
    size_t n = b->wire.rows;
    struct render_row *row = bbt_calloc(n, sizeof *row);
    struct tok_ids *own = bbt_calloc(n, sizeof *own);
    enum bbt_rc rc =
        row && own ? BBT_OK : bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);

    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        size_t len;

        rc = ids_of(t, lex, b->text[i], &own[i], &row[i], err);
        row[i].id[0] = &t->bos;
        row[i].n[0] = t->bos >= 0;
        len = row[i].n[0] + row[i].n[1];
        if (rc == BBT_OK && (row[i].n[1] == 0 || (t->len_max && len > t->len_max)))
            rc = bbt_fail(err, BBT_INVALID,
                "an example has %zu tokens, the model has room for %zu: \"%.60s...\" (shorten "
                "or drop it)",
                len, t->len_max, b->text[i]);
        s->tokens += len;
        s->longest = len > s->longest ? len : s->longest;
    }
    if (rc == BBT_OK)
        rc = render_ids(b, row, n, err);
    for (size_t i = 0; own && i < n; i++)
        tok_ids_fini(&own[i]);
    bbt_free(own);
    bbt_free(row);
    return rc;
}

static enum bbt_rc pack_set(
    const struct task *t, const struct lex *lex, struct task_set *s, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    s->tokens = 0; /* counted now */
    s->longest = 0;
    for (size_t i = 0; i < s->batches && rc == BBT_OK; i++)
        rc = pack_batch(t, lex, s, &s->batch[i], err);
    return rc;
}

/* ---- the server's tokeniser ---- */

#define SETS 5

static void sets_of(const struct task *t, const struct task_set *ret[SETS])
{
    ret[0] = &t->train;
    ret[1] = &t->dev;
    ret[2] = &t->test;
    ret[3] = &t->train_plain;
    ret[4] = &t->test_plain;
}

static enum bbt_rc want_set(
    const struct task_set *s, struct lex_wants *ret, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < s->batches; i++)
        for (size_t r = 0; r < s->batch[i].wire.rows && rc == BBT_OK; r++)
            rc = lex_want(ret, s->batch[i].text[r], err);
    return rc;
}

enum bbt_rc task_wants(const struct task *t, const struct task_set *more,
    struct lex_wants *ret, struct bbt_err *err)
{
    const struct task_set *set[SETS];
    enum bbt_rc rc = BBT_OK;

    sets_of(t, set);
    for (size_t i = 0; t->words_open && i < 2 * t->verb->n && rc == BBT_OK; i++)
        rc = lex_want(ret, t->label_form[i], err);
    for (size_t i = 0; t->rows_open && i < SETS && rc == BBT_OK; i++)
        rc = want_set(set[i], ret, err);
    if (rc == BBT_OK && t->rows_open && more)
        rc = want_set(more, ret, err);
    for (size_t i = 0; t->rows_open && t->demo && i < t->demo->n && rc == BBT_OK; i++)
        rc = lex_want(ret, t->demo->text[i], err);
    return rc;
}

static enum bbt_rc pack_words(struct task *t, const struct lex *lex, struct bbt_err *err)
{
    struct verb_ids *form = bbt_calloc(2 * t->verb->n, sizeof *form);
    enum bbt_rc rc = BBT_OK;

    if (!form)
        return bbt_fail(err, BBT_NOMEM, "no memory for the labels");
    for (size_t i = 0; i < 2 * t->verb->n; i++) {
        const struct lex_item *it = lex_find(lex, t->label_form[i]);

        form[i] = (struct verb_ids){it ? it->id : NULL, it ? it->n : 0};
    }
    rc = verb_bind_ids(t->verb, form, t->lead, err);
    bbt_free(form);
    return rc == BBT_OK ? rc : bbt_err_ctx(err, "task.labels");
}

static enum bbt_rc pack_demo(struct demo *d, const struct lex *lex, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < d->n && rc == BBT_OK; i++) {
        const struct lex_item *it = lex_find(lex, d->text[i]);

        d->ids[i].n = 0;
        for (size_t k = 0; it && k < it->n && rc == BBT_OK; k++)
            rc = tok_ids_put(&d->ids[i], it->id[k]);
    }
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no memory for demonstrations");
}

enum bbt_rc task_pack(
    struct task *t, struct task_set *more, const struct lex *lex, struct bbt_err *err)
{
    struct task_set *set[] = {
        &t->train, &t->dev, &t->test, &t->train_plain, &t->test_plain, more};
    enum bbt_rc rc = t->words_open ? pack_words(t, lex, err) : BBT_OK;

    for (size_t i = 0; t->rows_open && i < sizeof set / sizeof set[0] && rc == BBT_OK; i++)
        if (set[i])
            rc = pack_set(t, lex, set[i], err);
    if (rc == BBT_OK && t->rows_open && t->demo)
        rc = pack_demo(t->demo, lex, err);
    if (rc != BBT_OK)
        return rc;
    t->words_open = t->rows_open = false;
    if (t->demo)
        demo_count(t, t->demo, &t->test_plain);
    return BBT_OK;
}
