#include "engine/demo.h"

#include "base/alloc.h"
#include "num/rng.h"

#include <string.h>

void demo_free(struct demo *d)
{
    if (!d)
        return;
    for (size_t i = 0; d->text && i < d->n; i++)
        bbt_free(d->text[i]);
    for (size_t i = 0; d->ids && i < d->n; i++)
        tok_ids_fini(&d->ids[i]);
    bbt_free(d->text);
    bbt_free(d->ids);
    bbt_free(d->cls);
    bbt_free(d->perm);
    bbt_free(d);
}

static enum bbt_rc piece_of(const struct task *t, const struct task_texts *rows, size_t i,
    uint32_t cls, char **ret, struct bbt_err *err)
{
    const char *text_b = rows->text_b ? rows->text_b[i] : NULL;
    struct bbt_buf b;
    enum bbt_rc rc;
    int spaced;

    buf_init(&b, TOK_TEXT_MAX);
    rc = tmpl_text(
        t->tmpl, rows->text_a[i], text_b, verb_word(t->verb, cls, &spaced), &b, err);
    if (rc == BBT_OK && buf_puts(&b, "\n") != BBT_OK)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a demonstration");
    if (rc == BBT_OK)
        *ret = (char *)buf_take(&b, NULL);
    buf_fini(&b);
    return rc;
}

enum bbt_rc demo_new(const struct task *t, const struct task_texts *rows,
    const uint32_t *cls, const struct job_spec *spec, struct demo **ret, struct bbt_err *err)
{
    const struct job_baseline *want = job_spec_in_context(spec);
    struct demo *d = bbt_calloc(1, sizeof *d);
    size_t n = rows->n;
    enum bbt_rc rc = BBT_OK;

    if (!d)
        return bbt_fail(err, BBT_NOMEM, "no memory for demonstrations");
    *d = (struct demo){.shots = (size_t)want->shots, .orders = (size_t)want->orders, .n = n,
        .classes = t->verb->n};
    d->cls = bbt_alloc_array(n, sizeof *d->cls);
    d->text = bbt_calloc(n, sizeof *d->text);
    d->ids = bbt_calloc(n, sizeof *d->ids);
    d->perm = n <= SIZE_MAX / d->orders ? bbt_alloc_array(d->orders * n, sizeof *d->perm) : NULL;
    if (!d->cls || !d->text || !d->ids || !d->perm)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for demonstrations");
    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        d->cls[i] = cls[i];
        rc = piece_of(t, rows, i, cls[i], &d->text[i], err);
        if (rc == BBT_OK && t->tok)
            rc = tok_encode(t->tok, d->text[i], strlen(d->text[i]), 0, &d->ids[i], err);
    }
    for (size_t k = 0; k < d->orders && rc == BBT_OK; k++)
        rng_shuffle(spec->split_seed, RNG_DEMO + ((uint64_t)k << 32), n, d->perm + k * n);
    if (rc == BBT_OK)
        *ret = d;
    else
        demo_free(d);
    return rc;
}

/* Calls `each` for the first `shots` of every label, in the order's order. */
struct walk {
    const struct demo *d;
    size_t order, shots;
    size_t at, taken[VERB_LABELS_MAX];
};

/* The next example; false at the end. */
static bool next(struct walk *w, size_t *ret)
{
    const struct demo *d = w->d;

    while (w->at < d->n) {
        size_t i = d->perm[w->order * d->n + w->at++];

        if (w->taken[d->cls[i]] < w->shots) {
            w->taken[d->cls[i]]++;
            *ret = i;
            return true;
        }
    }
    return false;
}

static size_t length_of(const struct demo *d, size_t i)
{
    return d->ids[i].n ? d->ids[i].n : render_guess(d->text[i]);
}

/* Tokens of an order's demonstrations. */
static size_t lead_of(const struct demo *d, size_t order, size_t shots)
{
    struct walk w = {.d = d, .order = order, .shots = shots};
    size_t sum = 0, i;

    while (next(&w, &i))
        sum += length_of(d, i);
    return sum;
}

static bool fits(const struct demo *d, size_t shots, size_t room)
{
    for (size_t k = 0; k < d->orders; k++)
        if (lead_of(d, k, shots) > room)
            return false;
    return true;
}

void demo_count(const struct task *t, struct demo *d, const struct task_set *plain)
{
    size_t half = t->len_max / 2, row = plain->longest < half ? plain->longest : half;
    size_t have[VERB_LABELS_MAX] = {0}, least = d->shots;

    for (size_t i = 0; i < d->n; i++)
        have[d->cls[i]]++;
    for (size_t c = 0; c < d->classes; c++)
        least = have[c] < least ? have[c] : least;
    d->why = least < d->shots ? "the training set has no more" : NULL;
    d->used = least;
    while (t->len_max && d->used && !fits(d, d->used, t->len_max - row)) {
        d->used--;
        d->why = "no more fit into the model's context";
    }
}

/* ---- sets ---- */

/* An order's demonstrations, as text and as ids. */
struct lead {
    struct bbt_buf text;
    struct tok_ids ids;
};

static enum bbt_rc lead_make(
    const struct task *t, size_t order, struct lead *ret, struct bbt_err *err)
{
    const struct demo *d = t->demo;
    struct walk w = {.d = d, .order = order, .shots = d->used};
    enum bbt_rc rc = BBT_OK;
    size_t i;

    while (rc == BBT_OK && next(&w, &i)) {
        rc = buf_puts(&ret->text, d->text[i]);
        for (size_t k = 0; k < d->ids[i].n && rc == BBT_OK; k++)
            rc = tok_ids_put(&ret->ids, d->ids[i].id[k]);
    }
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no memory for demonstrations");
}

static enum bbt_rc join_texts(const struct task_batch *from, const struct lead *lead,
    struct task_batch *to, struct bbt_err *err)
{
    size_t n = from->wire.rows;
    char **text = bbt_calloc(n, sizeof *text);
    bool ok = text != NULL;

    for (size_t i = 0; i < n && ok; i++) {
        text[i] = bbt_asprintf("%s%s", (const char *)lead->text.data, from->text[i]);
        ok = text[i] != NULL;
    }
    if (ok)
        return render_texts(to, text, n, err);
    for (size_t i = 0; text && i < n; i++)
        bbt_free(text[i]);
    bbt_free(text);
    return bbt_fail(err, BBT_NOMEM, "no memory for %zu texts with demonstrations", n);
}

static enum bbt_rc join_ids(const struct task *t, const struct task_batch *from,
    const struct lead *lead, struct task_batch *to, struct bbt_err *err)
{
    size_t n = from->wire.rows, head = t->bos >= 0;
    struct render_row *row = bbt_calloc(n, sizeof *row);
    enum bbt_rc rc;

    if (!row)
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu texts with demonstrations", n);
    for (size_t i = 0; i < n; i++) {
        const int32_t *id = from->ids + i * from->wire.cols;

        row[i] = (struct render_row){{id, lead->ids.id, id + head},
            {head, lead->ids.n, (size_t)from->len[i] - head}};
    }
    rc = render_ids(to, row, n, err);
    bbt_free(row);
    return rc;
}

static enum bbt_rc join_masked(const struct task *t, const struct task_batch *from,
    const struct lead *lead, struct task_batch *to, struct bbt_err *err)
{
    const struct tok_special *sp = tok_special(t->tok);
    size_t n = from->wire.rows, head = sp->cls != TOK_NONE;
    struct tmpl_rendered *row = bbt_calloc(n, sizeof *row);
    enum bbt_rc rc = row ? BBT_OK : BBT_NOMEM;

    for (size_t i = 0; i < n && rc == BBT_OK; i++) {
        const int32_t *id = from->ids + i * from->wire.cols;
        size_t len = (size_t)from->len[i], lead_n = lead->ids.n;

        row[i] = (struct tmpl_rendered){.ids = bbt_alloc_array(len + lead_n, sizeof *id),
            .n = len + lead_n, .mask_pos = (size_t)from->mask_pos[i] + lead_n};
        if (!row[i].ids) {
            rc = BBT_NOMEM;
            break;
        }
        memcpy(row[i].ids, id, head * sizeof *id);
        memcpy(row[i].ids + head, lead->ids.id, lead_n * sizeof *id);
        memcpy(row[i].ids + head + lead_n, id + head, (len - head) * sizeof *id);
    }
    rc = rc == BBT_OK
        ? render_masked(to, row, n, t->cols_fixed, sp->pad < 0 ? 0 : sp->pad, err)
        : bbt_fail(err, rc, "no memory for %zu texts with demonstrations", n);
    for (size_t i = 0; row && i < n; i++)
        tmpl_rendered_fini(&row[i]);
    bbt_free(row);
    return rc;
}

enum bbt_rc demo_set(
    const struct task *t, size_t order, struct task_set *ret, struct bbt_err *err)
{
    const struct task_set *from = &t->test_plain;
    struct lead lead = {0};
    struct task_set s = {0};
    enum bbt_rc rc;

    buf_init(&lead.text, SIZE_MAX);
    rc = lead_make(t, order, &lead, err);
    if (rc == BBT_OK)
        rc = render_set(from->n, task_per(t, false), &s, err);
    for (size_t i = 0; i < s.batches && rc == BBT_OK; i++) {
        if (t->form == TASK_TEXT)
            rc = join_texts(&from->batch[i], &lead, &s.batch[i], err);
        else if (t->form == TASK_IDS)
            rc = join_ids(t, &from->batch[i], &lead, &s.batch[i], err);
        else
            rc = join_masked(t, &from->batch[i], &lead, &s.batch[i], err);
    }
    if (rc == BBT_OK) {
        *ret = s;
        s = (struct task_set){0};
    }
    task_set_fini(&s);
    buf_fini(&lead.text);
    tok_ids_fini(&lead.ids);
    return rc;
}
