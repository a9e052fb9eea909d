#include "engine/render.h"

#include "base/alloc.h"
#include "base/digest.h"

#include <string.h>

/* Bytes per token: English has four and more, other scripts have fewer. */
#define GUESS_BYTES 3

static void batch_fini(struct task_batch *b)
{
    bbt_free(b->ids);
    bbt_free(b->len);
    bbt_free(b->mask_pos);
    for (size_t i = 0; b->text && i < b->wire.rows; i++)
        bbt_free(b->text[i]);
    bbt_free(b->text);
}

void task_set_fini(struct task_set *s)
{
    for (size_t i = 0; i < s->batches; i++)
        batch_fini(&s->batch[i]);
    bbt_free(s->batch);
    bbt_free(s->row);
    bbt_free(s->truth);
    bbt_free(s->gold);
    *s = (struct task_set){0};
}

size_t render_guess(const char *text)
{
    return strlen(text) / GUESS_BYTES + 1;
}

uint64_t render_digest(const uint64_t *row, size_t n)
{
    uint64_t d = n;

    for (size_t i = 0; i < n; i++)
        d = d * 31 + row[i];
    return d;
}

enum bbt_rc render_set(size_t n, size_t per, struct task_set *ret, struct bbt_err *err)
{
    struct task_set s = {.n = n, .batches = (n + per - 1) / per};

    s.batch = bbt_calloc(s.batches, sizeof *s.batch);
    s.row = bbt_calloc(n, sizeof *s.row);
    if (!s.batch || !s.row) {
        task_set_fini(&(struct task_set){.batch = s.batch, .row = s.row});
        return bbt_fail(err, BBT_NOMEM, "no memory for %zu texts", n);
    }
    for (size_t i = 0; i < s.batches; i++) {
        s.batch[i].first = i * per;
        s.batch[i].number = (uint32_t)(per * RENDER_PLACES + i);
        s.batch[i].row = s.row + i * per;
    }
    *ret = s;
    return BBT_OK;
}

static enum bbt_rc make_arrays(
    struct task_batch *b, size_t n, size_t cols, bool mask, struct bbt_err *err)
{
    if (cols > 0 && n > SIZE_MAX / cols)
        return bbt_fail(err, BBT_INVALID, "a batch of %zu x %zu tokens", n, cols);
    bbt_free(b->ids);
    bbt_free(b->len);
    b->ids = bbt_alloc_array(n * cols, sizeof *b->ids);
    b->len = bbt_alloc_array(n, sizeof *b->len);
    if (mask)
        b->mask_pos = bbt_alloc_array(n, sizeof *b->mask_pos);
    if (!b->ids || !b->len || (mask && !b->mask_pos))
        return bbt_fail(err, BBT_NOMEM, "no memory for a batch of %zu texts", n);
    return BBT_OK;
}

enum bbt_rc render_masked(struct task_batch *b, const struct tmpl_rendered *row, size_t n,
    size_t cols_fixed, int32_t pad, struct bbt_err *err)
{
    size_t cols = cols_fixed;
    enum bbt_rc rc;

    for (size_t i = 0; i < n; i++)
        if (row[i].n > cols)
            cols = row[i].n;
    if (cols_fixed && cols > cols_fixed)
        return bbt_fail(err, BBT_INVALID,
            "the server takes rows of exactly %zu tokens, a text has %zu", cols_fixed, cols);
    rc = make_arrays(b, n, cols, true, err);
    if (rc != BBT_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        int32_t *to = b->ids + i * cols;

        memcpy(to, row[i].ids, row[i].n * sizeof *to);
        for (size_t k = row[i].n; k < cols; k++)
            to[k] = pad;
        b->len[i] = (int32_t)row[i].n;
        b->mask_pos[i] = (int32_t)row[i].mask_pos;
        b->row[i] = digest_short(to, row[i].n * sizeof *to) * 31 + row[i].mask_pos;
    }
    b->wire = (struct prov_batch){.rows = n, .cols = cols, .ids = b->ids, .len = b->len,
        .mask_pos = b->mask_pos, .pad = pad};
    b->digest = render_digest(b->row, n);
    b->digest_7 = digest_short(b->ids, n * cols * sizeof *b->ids) ^
        digest_short(b->mask_pos, n * sizeof *b->mask_pos);
    return BBT_OK;
}

enum bbt_rc render_texts(struct task_batch *b, char **text, size_t n, struct bbt_err *err)
{
    b->text = text;
    b->wire.rows = n;
    b->len = bbt_alloc_array(n, sizeof *b->len);
    if (!b->len)
        return bbt_fail(err, BBT_NOMEM, "no memory for a batch of %zu texts", n);
    for (size_t i = 0; i < n; i++) {
        size_t guess = render_guess(text[i]);

        b->len[i] = guess < INT32_MAX ? (int32_t)guess : INT32_MAX;
        b->row[i] = digest_short(text[i], strlen(text[i]));
    }
    b->digest = b->digest_7 = render_digest(b->row, n);
    b->wire.len = b->len;
    b->wire.text = (const char *const *)text;
    return BBT_OK;
}

static size_t length_of(const struct render_row *row)
{
    return row->n[0] + row->n[1] + row->n[2];
}

enum bbt_rc render_ids(
    struct task_batch *b, const struct render_row *row, size_t n, struct bbt_err *err)
{
    size_t cols = 1;
    enum bbt_rc rc;

    for (size_t i = 0; i < n; i++)
        if (length_of(&row[i]) > cols)
            cols = length_of(&row[i]);
    if (cols > INT32_MAX)
        return bbt_fail(err, BBT_INVALID, "a text of %zu tokens", cols);
    rc = make_arrays(b, n, cols, false, err);
    if (rc != BBT_OK)
        return rc;
    memset(b->ids, 0, n * cols * sizeof *b->ids);
    for (size_t i = 0; i < n; i++) {
        int32_t *to = b->ids + i * cols;

        for (size_t k = 0; k < 3; k++) {
            if (row[i].n[k])
                memcpy(to, row[i].id[k], row[i].n[k] * sizeof *to);
            to += row[i].n[k];
        }
        b->len[i] = (int32_t)length_of(&row[i]);
        b->row[i] = digest_short(b->ids + i * cols, length_of(&row[i]) * sizeof *to);
    }
    b->wire = (struct prov_batch){.rows = n, .cols = cols, .ids = b->ids, .len = b->len};
    for (size_t i = 0; b->text && i < n; i++)
        bbt_free(b->text[i]);
    bbt_free(b->text);
    b->text = NULL;
    b->digest = render_digest(b->row, n);
    b->digest_7 = digest_short(b->ids, n * cols * sizeof *b->ids) ^
        digest_short(b->len, n * sizeof *b->len);
    return BBT_OK;
}
