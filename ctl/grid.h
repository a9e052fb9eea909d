/* grid.h -- rows and columns on standard output, in the form that was asked for.
 *
 * Cells come from a JSON item, so that --json and the table show the same thing. */
#ifndef CTL_GRID_H
#define CTL_GRID_H

#include "base/buf.h"
#include "ctl.h"

/* Appends the cell's text, "" for none. */
typedef enum bbt_rc grid_cell_fn(const struct ctl *c, const json_t *item, struct bbt_buf *b);

/* Cells of a counter and of an amount of money: for programs as they are, else with thousands
 * apart and a currency. */
BBT_NODISCARD enum bbt_rc grid_count(const struct ctl *c, long long n, struct bbt_buf *b);
BBT_NODISCARD enum bbt_rc grid_money(
    const struct ctl *c, const char *amount, struct bbt_buf *b);

struct grid_col {
    const char *name;
    grid_cell_fn *cell;
    bool right; /* numbers */
    bool wide;  /* only with -o wide, csv, or when named by --columns */
};

/* Prints a list: as a table (headed, aligned), plain (tab separated, no head), CSV, JSON
 * lines, or {"apiVersion","kind","items"}. `items` is lent. CTL_USAGE for an unknown name in
 * --columns. */
int grid_list(const struct ctl *c, const char *kind, const struct grid_col *cols, size_t n,
    const json_t *items);

/* The same into a buffer, as a table `width` columns wide at most (0: as wide as it needs);
 * only the last column is cut. Parts that are right-aligned follow `right`. For tests and
 * screens. */
BBT_NODISCARD enum bbt_rc grid_table(const char *const *cells, const bool *right, size_t rows,
    size_t cols, size_t width, struct bbt_buf *ret);

#endif
