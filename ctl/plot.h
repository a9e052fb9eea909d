/* plot.h -- curves as text in Braille dots, or as a plain SVG. Pure. */
#ifndef CTL_PLOT_H
#define CTL_PLOT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct plot_curve {
    const char *name;
    const double *x, *y; /* n; points with a y that is no number are gaps */
    size_t n;
    bool marks; /* single points instead of a line */
};

struct plot {
    const struct plot_curve *curve;
    size_t n;
    const char *title, *x_name;
    size_t width, height; /* characters, or pixels for SVG */
};

/* A frame with axis labels and, below, the curves' names; each line ends. Points that are
 * single are drawn as "●" (the later curve wins). BBT_INVALID: nothing to draw, or less than
 * 24 x 4 characters; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc plot_text(
    const struct plot *p, struct bbt_buf *ret, struct bbt_err *err);

/* A whole SVG document. As above. */
BBT_NODISCARD enum bbt_rc plot_svg(
    const struct plot *p, struct bbt_buf *ret, struct bbt_err *err);

#endif
