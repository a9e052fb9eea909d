#include "text/rows.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NO_FIELD SIZE_MAX

struct rows_raw {
    size_t text_a, text_b, label; /* offsets into the pool, or NO_FIELD */
    uint32_t line;
};

enum bbt_rc rows_fail(
    const struct rows *r, uint32_t line, struct bbt_err *err, const char *fmt, ...)
{
    char why[sizeof err->msg];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return bbt_fail(err, BBT_INVALID, "%s:%u: %s", r->name, line, why);
}

enum bbt_rc rows_no_memory(const struct rows *r, struct bbt_err *err)
{
    return bbt_fail(err, BBT_NOMEM, "no memory to read %s", r->name);
}

void rows_init(struct rows *r, const char *name)
{
    *r = (struct rows){.name = name};
    buf_init(&r->pool, 2 * (size_t)DATASET_BYTES_MAX);
}

void rows_fini(struct rows *r)
{
    buf_fini(&r->pool);
    bbt_free(r->raw);
    r->raw = NULL;
    r->n = r->room = 0;
}

static enum bbt_rc put(struct rows *r, struct rows_field f, size_t *ret)
{
    uint8_t *at;

    if (!f.at) {
        *ret = NO_FIELD;
        return BBT_OK;
    }
    *ret = r->pool.len;
    at = buf_extend(&r->pool, f.len + 1);
    if (!at)
        return BBT_NOMEM;
    if (f.len)
        memcpy(at, f.at, f.len);
    at[f.len] = '\0';
    return BBT_OK;
}

static enum bbt_rc reserve(struct rows *r)
{
    size_t room = r->room ? r->room * 2 : 64;
    struct rows_raw *raw;

    if (r->n < r->room)
        return BBT_OK;
    raw = bbt_realloc(r->raw, room * sizeof *raw);
    if (!raw)
        return BBT_NOMEM;
    r->raw = raw;
    r->room = room;
    return BBT_OK;
}

enum bbt_rc rows_add(struct rows *r, struct rows_field text_a, struct rows_field text_b,
    struct rows_field label, uint32_t line, struct bbt_err *err)
{
    struct rows_raw raw = {.line = line};

    if (r->n >= DATASET_ROWS_MAX)
        return rows_fail(r, line, err, "over %u rows (split the file)", DATASET_ROWS_MAX);
    if (text_a.len > DATASET_FIELD_MAX || text_b.len > DATASET_FIELD_MAX ||
        label.len > DATASET_FIELD_MAX)
        return rows_fail(r, line, err, "a field over %u bytes (shorten it)",
            DATASET_FIELD_MAX);
    if (label.len == 0)
        label.at = NULL;
    if (reserve(r) != BBT_OK || put(r, text_a, &raw.text_a) != BBT_OK ||
        put(r, text_b, &raw.text_b) != BBT_OK || put(r, label, &raw.label) != BBT_OK)
        return rows_no_memory(r, err);
    r->raw[r->n++] = raw;
    return BBT_OK;
}

static const char *field(const struct dataset *d, size_t offset)
{
    return offset == NO_FIELD ? NULL : d->pool + offset;
}

enum bbt_rc rows_take(struct rows *r, struct dataset **ret, struct bbt_err *err)
{
    struct dataset *d;

    if (r->n == 0)
        return bbt_fail(err, BBT_INVALID, "%s: no rows (only a header, or empty)", r->name);
    d = bbt_calloc(1, sizeof *d);
    if (!d)
        return rows_no_memory(r, err);
    d->name = bbt_strdup(r->name);
    d->rows = bbt_calloc(r->n, sizeof *d->rows);
    if (!d->name || !d->rows) {
        dataset_free(d);
        return rows_no_memory(r, err);
    }
    d->n = r->n;
    d->pool = (char *)buf_take(&r->pool, NULL);
    for (size_t i = 0; i < d->n; i++) {
        const struct rows_raw *raw = &r->raw[i];

        d->rows[i] = (struct dataset_row){.text_a = field(d, raw->text_a),
            .text_b = field(d, raw->text_b), .label = field(d, raw->label),
            .line = raw->line};
    }
    rows_fini(r);
    *ret = d;
    return BBT_OK;
}
