#include "grid.h"

#include "base/alloc.h"
#include "base/hint.h"
#include "fmt.h"
#include "safe.h"

#include <string.h>
#include <strings.h>

#define COLS_MAX 32
#define GAP 2

/* ---- layout ---- */

static enum bbt_rc spaces(struct bbt_buf *b, size_t n)
{
    enum bbt_rc rc = BBT_OK;

    while (n-- > 0 && rc == BBT_OK)
        rc = buf_puts(b, " ");
    return rc;
}

/* One cell, cut to `fit` columns, padded to `pad`. */
static enum bbt_rc put_cell(
    struct bbt_buf *b, const char *text, size_t pad, size_t fit, bool right)
{
    size_t w = safe_width(text), bytes = strlen(text);
    enum bbt_rc rc = BBT_OK;
    bool cut = w > fit && fit > 1;

    if (cut) {
        bytes = safe_fit(text, fit - 1);
        w = fit;
    }
    if (right && pad > w)
        rc = spaces(b, pad - w);
    if (rc == BBT_OK)
        rc = buf_put(b, text, bytes);
    if (rc == BBT_OK && cut)
        rc = buf_puts(b, "…");
    if (rc == BBT_OK && !right && pad > w)
        rc = spaces(b, pad - w);
    return rc;
}

static enum bbt_rc put_line(struct bbt_buf *b, const char *const *cell, const bool *right,
    const size_t *w, size_t cols, size_t width)
{
    enum bbt_rc rc = BBT_OK;
    size_t before = 0;

    for (size_t k = 0; k + 1 < cols; k++)
        before += w[k] + GAP;
    for (size_t k = 0; k < cols && rc == BBT_OK; k++) {
        bool last = k + 1 == cols;
        size_t fit = last && width > before + 8 ? width - before : SIZE_MAX;

        rc = put_cell(b, cell[k], last && !right[k] ? 0 : w[k], fit, right[k]);
        if (rc == BBT_OK && !last)
            rc = spaces(b, GAP);
    }
    while (rc == BBT_OK && b->len && b->data[b->len - 1] == ' ')
        b->data[--b->len] = '\0';
    return rc == BBT_OK ? buf_puts(b, "\n") : rc;
}

enum bbt_rc grid_table(const char *const *cells, const bool *right, size_t rows, size_t cols,
    size_t width, struct bbt_buf *ret)
{
    size_t *w = bbt_calloc(cols, sizeof *w);
    enum bbt_rc rc = w ? BBT_OK : BBT_NOMEM;

    for (size_t i = 0; w && i < rows * cols; i++)
        if (safe_width(cells[i]) > w[i % cols])
            w[i % cols] = safe_width(cells[i]);
    for (size_t i = 0; i < rows && rc == BBT_OK; i++)
        rc = put_line(ret, cells + i * cols, right, w, cols, width);
    bbt_free(w);
    return rc;
}

/* ---- which columns ---- */

static const struct grid_col *find(
    const struct grid_col *cols, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strncasecmp(cols[i].name, name, len) == 0 && cols[i].name[len] == '\0')
            return &cols[i];
    return NULL;
}

static int unknown(
    const struct ctl *c, const struct grid_col *cols, size_t n, const char *name, size_t len)
{
    const char *names[COLS_MAX], *near;
    char typed[64], known[512] = "";
    size_t at = 0;

    if (len >= sizeof typed)
        len = sizeof typed - 1;
    memcpy(typed, name, len);
    typed[len] = '\0';
    for (size_t i = 0; i < n && at < sizeof known - 1; i++) {
        names[i] = cols[i].name;
        at += (size_t)snprintf(
            known + at, sizeof known - at, "%s%s", i ? ", " : "", cols[i].name);
    }
    near = hint_nearest(typed, names, n);
    return ctl_fail(c, CTL_USAGE, "--columns: no column \"%s\"%s%s%s (there are: %s)", typed,
        near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "", known);
}

static int choose(const struct ctl *c, const struct grid_col *cols, size_t n,
    const struct grid_col **ret, size_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; !c->columns && i < n; i++)
        if (!cols[i].wide || c->form == FORM_WIDE || c->form == FORM_CSV)
            ret[(*ret_n)++] = &cols[i];
    for (const char *p = c->columns; p && *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        const struct grid_col *col = find(cols, n, p, len);

        if (!col)
            return unknown(c, cols, n, p, len);
        if (*ret_n == COLS_MAX)
            return ctl_fail(c, CTL_USAGE, "--columns: more than %d", COLS_MAX);
        ret[(*ret_n)++] = col;
        p += len;
    }
    return *ret_n ? CTL_OK : ctl_fail(c, CTL_USAGE, "--columns: name at least one");
}

/* ---- forms ---- */

static char *cell_text(const struct ctl *c, const struct grid_col *col, const json_t *item)
{
    struct bbt_buf raw, safe;
    enum bbt_rc rc;

    buf_init(&raw, SIZE_MAX);
    buf_init(&safe, SIZE_MAX);
    rc = col->cell(c, item, &raw);
    if (rc == BBT_OK)
        rc = buf_puts(&safe, "");
    if (rc == BBT_OK && raw.data)
        rc = safe_put(&safe, (const char *)raw.data);
    buf_fini(&raw);
    if (rc == BBT_OK)
        return (char *)buf_take(&safe, NULL);
    buf_fini(&safe);
    return NULL;
}

static void print_csv(const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        (void)fputs(text, stdout);
        return;
    }
    (void)putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            (void)putchar('"');
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static void print_lines(const struct ctl *c, char *const *cells, size_t rows, size_t cols)
{
    for (size_t i = c->form == FORM_PLAIN ? 1 : 0; i < rows; i++)
        for (size_t k = 0; k < cols; k++) {
            if (c->form == FORM_CSV)
                print_csv(cells[i * cols + k]);
            else
                (void)fputs(cells[i * cols + k], stdout);
            (void)putchar(k + 1 == cols ? '\n' : c->form == FORM_CSV ? ',' : '\t');
        }
}

/* The head in bold where somebody looks. */
static int print_table(const struct ctl *c, char *const *cells, const bool *right,
    size_t rows, size_t cols)
{
    struct bbt_buf b;
    size_t head;

    buf_init(&b, SIZE_MAX);
    if (grid_table((const char *const *)cells, right, rows, cols, c->tty_out ? c->width : 0,
            &b) != BBT_OK) {
        buf_fini(&b);
        return ctl_fail(c, CTL_FAIL, "no memory for a table");
    }
    head = strcspn((const char *)b.data, "\n");
    if (c->color)
        (void)printf("\x1b[1m%.*s\x1b[0m%s", (int)head, (const char *)b.data,
            (const char *)b.data + head);
    else
        (void)fputs((const char *)b.data, stdout);
    buf_fini(&b);
    return CTL_OK;
}

static int print_cells(const struct ctl *c, const struct grid_col *const *cols, size_t n,
    const json_t *items)
{
    size_t rows = json_array_size(items) + 1;
    char **cells = bbt_calloc(rows * n, sizeof *cells);
    bool right[COLS_MAX], full = cells != NULL;
    int code = CTL_OK;

    for (size_t k = 0; k < n && full; k++) {
        right[k] = cols[k]->right;
        cells[k] = bbt_strdup(cols[k]->name);
        full = cells[k] != NULL;
        for (size_t i = 1; i < rows && full; i++) {
            cells[i * n + k] = cell_text(c, cols[k], json_array_get(items, i - 1));
            full = cells[i * n + k] != NULL;
        }
    }
    if (!full)
        code = ctl_fail(c, CTL_FAIL, "no memory for a table");
    else if (c->form == FORM_PLAIN || c->form == FORM_CSV)
        print_lines(c, cells, rows, n);
    else
        code = print_table(c, cells, right, rows, n);
    for (size_t i = 0; cells && i < rows * n; i++)
        bbt_free(cells[i]);
    bbt_free(cells);
    return code;
}

int grid_list(const struct ctl *c, const char *kind, const struct grid_col *cols, size_t n,
    const json_t *items)
{
    const struct grid_col *chosen[COLS_MAX];
    size_t chosen_n;
    int code;

    if (c->form == FORM_JSON) {
        safe_json(stdout, json_pack("{s:s, s:s, s:O}", "apiVersion", "v1", "kind", kind,
                              "items", items));
        return CTL_OK;
    }
    if (c->form == FORM_JSONL) {
        for (size_t i = 0; i < json_array_size(items); i++)
            safe_json_line(stdout, json_incref(json_array_get(items, i)));
        return CTL_OK;
    }
    code = choose(c, cols, n, chosen, &chosen_n);
    return code == CTL_OK ? print_cells(c, chosen, chosen_n, items) : code;
}

enum bbt_rc grid_count(const struct ctl *c, long long n, struct bbt_buf *b)
{
    char text[FMT_MAX];

    if (c->form == FORM_CSV || c->form == FORM_PLAIN)
        return buf_printf(b, "%lld", n);
    fmt_count(n, text);
    return buf_puts(b, text);
}

enum bbt_rc grid_money(const struct ctl *c, const char *amount, struct bbt_buf *b)
{
    char text[FMT_MAX];

    if (c->form == FORM_CSV || c->form == FORM_PLAIN)
        return buf_puts(b, amount);
    fmt_money(amount, text);
    return buf_puts(b, text);
}
