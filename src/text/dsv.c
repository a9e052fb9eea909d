#include "text/dsv.h"

#include "base/alloc.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

struct cell {
    size_t at, len; /* in `record` */
};

struct reader {
    const char *at, *end;
    char separator;
    int quoting;
    uint32_t line; /* of `at` */
    struct rows *rows;
    struct bbt_buf record; /* the cells' bytes, quotes undone */
    struct cell cell[DATASET_COLUMNS_MAX];
    size_t cells;
    size_t text_a, text_b, label; /* column numbers; SIZE_MAX: none */
};

/* Bytes to the next separator, line end, or quote where quotes count. */
static size_t run(const struct reader *r)
{
    const char *p = r->at;

    while (p < r->end && *p != '\n' && *p != r->separator && !(r->quoting && *p == '"'))
        p++;
    return (size_t)(p - r->at);
}

static int at_quote(const struct reader *r, const char *p)
{
    return r->quoting && p < r->end && *p == '"';
}

/* Inside quotes, which start at `r->at`. */
static enum bbt_rc read_quoted(struct reader *r, struct bbt_err *err)
{
    uint32_t first = r->line;

    r->at++;
    for (;;) {
        const char *quote = memchr(r->at, '"', (size_t)(r->end - r->at));

        if (!quote)
            return rows_fail(r->rows, first, err,
                "a quoted field does not end (close it with \")");
        for (const char *p = r->at; p < quote; p++)
            r->line += *p == '\n';
        if (buf_put(&r->record, r->at, (size_t)(quote - r->at)) != BBT_OK)
            return rows_no_memory(r->rows, err);
        r->at = quote + 1;
        if (r->at == r->end || *r->at != '"')
            return BBT_OK;
        if (buf_put(&r->record, "\"", 1) != BBT_OK)
            return rows_no_memory(r->rows, err);
        r->at++;
    }
}

/* One field up to its separator or line end, which stays unread. */
static enum bbt_rc read_cell(struct reader *r, struct bbt_err *err)
{
    struct cell cell = {.at = r->record.len};
    int quoted = at_quote(r, r->at);
    enum bbt_rc rc = quoted ? read_quoted(r, err) : BBT_OK;
    size_t n, kept;

    if (rc != BBT_OK)
        return rc;
    n = run(r);
    kept = n;
    if (n && r->at[n - 1] == '\r' && (r->at + n == r->end || r->at[n] == '\n'))
        kept--; /* of CRLF */
    if ((quoted && kept) || at_quote(r, r->at + n))
        return rows_fail(r->rows, r->line, err,
            "a quote in the middle of a field (put the whole field in quotes and double "
            "those inside)");
    if (buf_put(&r->record, r->at, kept) != BBT_OK)
        return rows_no_memory(r->rows, err);
    cell.len = r->record.len - cell.at;
    r->at += n;
    if (r->cells == DATASET_COLUMNS_MAX)
        return rows_fail(
            r->rows, r->line, err, "over %d columns", DATASET_COLUMNS_MAX);
    r->cell[r->cells++] = cell;
    return BBT_OK;
}

/* The next record's cells; 0 cells at the end. *ret_line: where it starts. */
static enum bbt_rc read_record(struct reader *r, uint32_t *ret_line, struct bbt_err *err)
{
    enum bbt_rc rc;

    r->cells = 0;
    r->record.len = 0;
    while (r->at < r->end && (*r->at == '\n' || (*r->at == '\r' &&
               (r->at + 1 == r->end || r->at[1] == '\n')))) {
        r->line += *r->at == '\n'; /* a blank line */
        r->at++;
    }
    *ret_line = r->line;
    if (r->at == r->end)
        return BBT_OK;
    for (;;) {
        rc = read_cell(r, err);
        if (rc != BBT_OK)
            return rc;
        if (r->at == r->end)
            return BBT_OK;
        if (*r->at++ == '\n') {
            r->line++;
            return BBT_OK;
        }
    }
}

static int cell_is(const struct reader *r, size_t i, const char *name)
{
    return r->cell[i].len == strlen(name) &&
        memcmp(r->record.data + r->cell[i].at, name, r->cell[i].len) == 0;
}

/* Finds a header cell; SIZE_MAX where there is none. */
static enum bbt_rc find(
    const struct reader *r, const char *name, uint32_t line, size_t *ret, struct bbt_err *err)
{
    size_t found = SIZE_MAX;

    for (size_t i = 0; i < r->cells; i++) {
        if (!cell_is(r, i, name))
            continue;
        if (found != SIZE_MAX)
            return rows_fail(r->rows, line, err,
                "the column \"%s\" is there twice (rename one)", name);
        found = i;
    }
    *ret = found;
    return BBT_OK;
}

static enum bbt_rc no_column(const struct reader *r, uint32_t line, const char *name,
    const char *key, struct bbt_err *err)
{
    char has[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < r->cells && used + 48 < sizeof has; i++) {
        const struct cell *c = &r->cell[i];
        int n = snprintf(has + used, sizeof has - used, "%s%.*s", i ? ", " : "",
            (int)utf8_cut(r->record.data + c->at, c->len, 40),
            (const char *)r->record.data + c->at);

        used += n > 0 ? (size_t)n : 0;
    }
    return rows_fail(r->rows, line, err,
        "no column \"%s\" (the header has: %s; name the right one in data.columns.%s)",
        name, has, key);
}

/* A named column must be there; the usual ones may be missing. */
static enum bbt_rc pick(struct reader *r, uint32_t line, const char *named,
    const char *usual, const char *key, size_t *ret, struct bbt_err *err)
{
    enum bbt_rc rc = find(r, named ? named : usual, line, ret, err);

    if (rc == BBT_OK && named && *ret == SIZE_MAX)
        return no_column(r, line, named, key, err);
    return rc;
}

static enum bbt_rc read_header(
    struct reader *r, const struct dataset_columns *cols, struct bbt_err *err)
{
    uint32_t line;
    enum bbt_rc rc;

    rc = read_record(r, &line, err);
    if (rc == BBT_OK && r->cells == 0)
        rc = rows_fail(r->rows, 1, err, "empty (the first line names the columns)");
    if (rc == BBT_OK)
        rc = pick(r, line, cols->text_a, "text", "text", &r->text_a, err);
    if (rc == BBT_OK && r->text_a == SIZE_MAX)
        rc = find(r, "text_a", line, &r->text_a, err);
    if (rc == BBT_OK && r->text_a == SIZE_MAX)
        rc = no_column(r, line, "text", "text", err);
    if (rc == BBT_OK)
        rc = pick(r, line, cols->text_b, "text_b", "text_b", &r->text_b, err);
    if (rc == BBT_OK)
        rc = pick(r, line, cols->label, "label", "label", &r->label, err);
    return rc;
}

static struct rows_field field(const struct reader *r, size_t column)
{
    if (column == SIZE_MAX)
        return (struct rows_field){0};
    return (struct rows_field){
        (const char *)r->record.data + r->cell[column].at, r->cell[column].len};
}

static enum bbt_rc read_rows(struct reader *r, struct bbt_err *err)
{
    size_t columns = r->cells;
    uint32_t line;
    enum bbt_rc rc;

    for (;;) {
        rc = read_record(r, &line, err);
        if (rc != BBT_OK || r->cells == 0)
            return rc;
        if (r->cells != columns)
            return rows_fail(r->rows, line, err,
                "%zu fields where the header has %zu (%s)", r->cells, columns,
                r->quoting ? "quote fields that hold commas" : "no tabs inside a text");
        rc = rows_add(r->rows, field(r, r->text_a), field(r, r->text_b),
            field(r, r->label), line, err);
        if (rc != BBT_OK)
            return rc;
    }
}

enum bbt_rc dsv_parse(const char *text, size_t len, char separator,
    const struct dataset_columns *cols, struct rows *rows, struct bbt_err *err)
{
    struct reader *r = bbt_calloc(1, sizeof *r); /* large for a stack */
    enum bbt_rc rc;

    if (!r)
        return rows_no_memory(rows, err);
    r->at = text;
    r->end = len ? text + len : text;
    r->separator = separator;
    r->quoting = separator == ',';
    r->line = 1;
    r->rows = rows;
    buf_init(&r->record, DATASET_BYTES_MAX);
    rc = read_header(r, cols, err);
    if (rc == BBT_OK)
        rc = read_rows(r, err);
    buf_fini(&r->record);
    bbt_free(r);
    return rc;
}
