#include "plot.h"

#include "base/alloc.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL 9 /* columns left of the frame */
#define WIDTH_MIN 24
#define HEIGHT_MIN 4
#define MARK 0x100u /* in a cell: a single point */

struct box {
    double x0, x1, y0, y1;
};

static bool find_box(const struct plot *p, struct box *ret)
{
    struct box b = {INFINITY, -INFINITY, INFINITY, -INFINITY};

    for (size_t k = 0; k < p->n; k++)
        for (size_t i = 0; i < p->curve[k].n; i++) {
            double x = p->curve[k].x[i], y = p->curve[k].y[i];

            if (!isfinite(x) || !isfinite(y))
                continue;
            b.x0 = fmin(b.x0, x);
            b.x1 = fmax(b.x1, x);
            b.y0 = fmin(b.y0, y);
            b.y1 = fmax(b.y1, y);
        }
    if (!(b.x0 <= b.x1))
        return false;
    if (b.x0 == b.x1)
        b.x1 = b.x0 + 1;
    if (b.y0 == b.y1) { /* a flat line runs through the middle */
        double half = fmax(fabs(b.y0) * 0.05, 1e-3);

        b.y0 -= half;
        b.y1 += half;
    }
    *ret = b;
    return true;
}

/* ---- dots ---- */

struct canvas {
    uint16_t *cell; /* w x h, Braille bits and MARK */
    size_t w, h;
};

/* Bit of the dot at column 0..1, row 0..3 of a Braille cell (Unicode 15, chapter 21.1). */
static const uint8_t braille[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

static void dot(struct canvas *c, long x, long y)
{
    if (x < 0 || y < 0 || x >= (long)(2 * c->w) || y >= (long)(4 * c->h))
        return;
    c->cell[(size_t)(y / 4) * c->w + (size_t)(x / 2)] |= braille[y % 4][x % 2];
}

/* Bresenham's line. */
static void line(struct canvas *c, long x0, long y0, long x1, long y1)
{
    long dx = labs(x1 - x0), dy = -labs(y1 - y0), e = dx + dy;
    long sx = x0 < x1 ? 1 : -1, sy = y0 < y1 ? 1 : -1;

    for (;;) {
        long e2 = 2 * e;

        dot(c, x0, y0);
        if (x0 == x1 && y0 == y1)
            return;
        if (e2 >= dy) {
            e += dy;
            x0 += sx;
        }
        if (e2 <= dx) {
            e += dx;
            y0 += sy;
        }
    }
}

static long dot_x(const struct canvas *c, const struct box *b, double x)
{
    return lround((x - b->x0) / (b->x1 - b->x0) * (double)(2 * c->w - 1));
}

static long dot_y(const struct canvas *c, const struct box *b, double y)
{
    return lround((b->y1 - y) / (b->y1 - b->y0) * (double)(4 * c->h - 1));
}

static void draw_curve(struct canvas *c, const struct box *b, const struct plot_curve *k)
{
    bool before = false;
    long px = 0, py = 0;

    for (size_t i = 0; i < k->n; i++) {
        long x, y;

        if (!isfinite(k->x[i]) || !isfinite(k->y[i])) {
            before = before && k->marks;
            continue;
        }
        x = dot_x(c, b, k->x[i]);
        y = dot_y(c, b, k->y[i]);
        if (k->marks)
            c->cell[(size_t)(y / 4) * c->w + (size_t)(x / 2)] |= MARK;
        else if (before)
            line(c, px, py, x, y);
        else
            dot(c, x, y);
        before = true;
        px = x;
        py = y;
    }
}

/* ---- text ---- */

static enum bbt_rc put_cell(struct bbt_buf *b, uint16_t cell)
{
    unsigned bits = cell & 0xffu;

    if (cell & MARK)
        return buf_puts(b, "●");
    if (!bits)
        return buf_puts(b, " ");
    /* U+2800 plus the bits, as UTF-8 */
    return buf_printf(b, "\xe2%c%c", 0xa0 + (int)(bits >> 6), 0x80 + (int)(bits & 0x3f));
}

static enum bbt_rc put_row(
    struct bbt_buf *b, const struct canvas *c, const struct box *box, size_t row)
{
    bool label = row == 0 || row + 1 == c->h || (c->h >= 8 && row == c->h / 2);
    double y = box->y1 - (box->y1 - box->y0) * (double)row / (double)(c->h - 1);
    size_t end = c->w;
    enum bbt_rc rc;

    while (end > 0 && !c->cell[row * c->w + end - 1])
        end--;
    rc = label ? buf_printf(b, "%*.4g ┤", LABEL - 2, y) : buf_printf(b, "%*s│", LABEL - 1, "");
    for (size_t i = 0; i < end && rc == BBT_OK; i++)
        rc = put_cell(b, c->cell[row * c->w + i]);
    return rc == BBT_OK ? buf_puts(b, "\n") : rc;
}

static enum bbt_rc put_axis(
    struct bbt_buf *b, const struct plot *p, const struct canvas *c, const struct box *box)
{
    char from[32], to[32];
    size_t used;
    enum bbt_rc rc = buf_printf(b, "%*s└", LABEL - 1, "");

    for (size_t i = 0; i < c->w && rc == BBT_OK; i++)
        rc = buf_puts(b, "─");
    (void)snprintf(from, sizeof from, "%g", box->x0);
    (void)snprintf(to, sizeof to, "%g", box->x1);
    used = strlen(from) + strlen(to) + strlen(p->x_name);
    if (rc == BBT_OK && used + 2 <= c->w) {
        size_t left = (c->w - used) / 2, right = c->w - used - left;

        rc = buf_printf(b, "\n%*s%s%*s%s%*s%s\n", LABEL, "", from, (int)left, "", p->x_name,
            (int)right, "", to);
    } else if (rc == BBT_OK) {
        rc = buf_printf(b, "\n%*s%s .. %s\n", LABEL, "", from, to);
    }
    return rc;
}

static enum bbt_rc put_names(struct bbt_buf *b, const struct plot *p)
{
    enum bbt_rc rc = buf_printf(b, "%*s", LABEL, "");

    for (size_t i = 0; i < p->n && rc == BBT_OK; i++)
        rc = buf_printf(b, "%s%s %s", i ? "   " : "", p->curve[i].marks ? "●" : "⠒⠒",
            p->curve[i].name);
    return rc == BBT_OK ? buf_puts(b, "\n") : rc;
}

enum bbt_rc plot_text(const struct plot *p, struct bbt_buf *ret, struct bbt_err *err)
{
    struct canvas c = {.w = p->width - LABEL, .h = p->height};
    struct box box;
    enum bbt_rc rc = BBT_OK;

    if (p->width < WIDTH_MIN || p->height < HEIGHT_MIN || p->width > 10000 ||
        p->height > 10000)
        return bbt_fail(err, BBT_INVALID, "no room for a plot");
    if (!find_box(p, &box))
        return bbt_fail(err, BBT_INVALID, "nothing to draw yet");
    c.cell = bbt_calloc(c.w * c.h, sizeof *c.cell);
    if (!c.cell)
        return bbt_fail(err, BBT_NOMEM, "no memory for a plot");
    for (size_t i = 0; i < p->n; i++)
        draw_curve(&c, &box, &p->curve[i]);
    if (p->title)
        rc = buf_printf(ret, "%*s%s\n", LABEL, "", p->title);
    for (size_t row = 0; row < c.h && rc == BBT_OK; row++)
        rc = put_row(ret, &c, &box, row);
    if (rc == BBT_OK)
        rc = put_axis(ret, p, &c, &box);
    if (rc == BBT_OK)
        rc = put_names(ret, p);
    bbt_free(c.cell);
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no memory for a plot");
}

/* ---- SVG ---- */

#define SVG_LEFT 70.0
#define SVG_RIGHT 20.0
#define SVG_TOP 34.0
#define SVG_BOTTOM 44.0

static const char *const colors[] = {"#1f6fb4", "#9a9a9a", "#d1532c", "#3c8c3c"};

static double svg_x(const struct plot *p, const struct box *b, double x)
{
    return SVG_LEFT + (x - b->x0) / (b->x1 - b->x0) *
        ((double)p->width - SVG_LEFT - SVG_RIGHT);
}

static double svg_y(const struct plot *p, const struct box *b, double y)
{
    return SVG_TOP + (b->y1 - y) / (b->y1 - b->y0) *
        ((double)p->height - SVG_TOP - SVG_BOTTOM);
}

/* Text of somebody else inside XML; control characters have no place there. */
static enum bbt_rc put_xml(struct bbt_buf *b, const char *s)
{
    enum bbt_rc rc = BBT_OK;

    for (; *s && rc == BBT_OK; s++) {
        if (*s == '<')
            rc = buf_puts(b, "&lt;");
        else if (*s == '&')
            rc = buf_puts(b, "&amp;");
        else if ((unsigned char)*s >= 0x20)
            rc = buf_put(b, s, 1);
    }
    return rc;
}

static enum bbt_rc svg_label(
    struct bbt_buf *b, double x, double y, const char *style, const char *text)
{
    enum bbt_rc rc = buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style);

    if (rc == BBT_OK)
        rc = put_xml(b, text);
    return rc == BBT_OK ? buf_puts(b, "</text>\n") : rc;
}

static enum bbt_rc svg_curve(
    struct bbt_buf *b, const struct plot *p, const struct box *box, size_t at)
{
    const struct plot_curve *k = &p->curve[at];
    const char *color = colors[at % (sizeof colors / sizeof colors[0])];
    bool open = false;
    enum bbt_rc rc = BBT_OK;

    for (size_t i = 0; i < k->n && rc == BBT_OK; i++) {
        bool good = isfinite(k->x[i]) && isfinite(k->y[i]);
        double x = good ? svg_x(p, box, k->x[i]) : 0, y = good ? svg_y(p, box, k->y[i]) : 0;

        if (good && k->marks) {
            rc = buf_printf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x,
                y, color);
        } else if (good) {
            rc = buf_printf(b, "%s%.1f,%.1f", open ? " " : "<polyline points=\"", x, y);
            open = true;
        }
        if (open && rc == BBT_OK && (!good || i + 1 == k->n)) {
            rc = buf_printf(
                b, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\"/>\n", color);
            open = false;
        }
    }
    return rc;
}

static enum bbt_rc svg_axes(struct bbt_buf *b, const struct plot *p, const struct box *box)
{
    double left = SVG_LEFT, bottom = (double)p->height - SVG_BOTTOM;
    char text[32];
    enum bbt_rc rc = buf_printf(b,
        "<path d=\"M%.1f %.1fV%.1fH%.1f\" fill=\"none\" stroke=\"#444\"/>\n", left, SVG_TOP,
        bottom, (double)p->width - SVG_RIGHT);

    for (int i = 0; i <= 4 && rc == BBT_OK; i++) {
        double y = box->y0 + (box->y1 - box->y0) * i / 4, x = box->x0 + (box->x1 - box->x0) * i / 4;

        (void)snprintf(text, sizeof text, "%.4g", y);
        rc = svg_label(b, left - 6, svg_y(p, box, y) + 4, "text-anchor=\"end\"", text);
        (void)snprintf(text, sizeof text, "%.4g", x);
        if (rc == BBT_OK)
            rc = svg_label(b, svg_x(p, box, x), bottom + 16, "text-anchor=\"middle\"", text);
    }
    if (rc == BBT_OK)
        rc = svg_label(b, (left + (double)p->width - SVG_RIGHT) / 2, bottom + 36,
            "text-anchor=\"middle\"", p->x_name);
    return rc;
}

enum bbt_rc plot_svg(const struct plot *p, struct bbt_buf *ret, struct bbt_err *err)
{
    struct box box;
    enum bbt_rc rc;

    if (!find_box(p, &box))
        return bbt_fail(err, BBT_INVALID, "nothing to draw yet");
    rc = buf_printf(ret,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" "
        "height=\"100%%\" fill=\"#fff\"/>\n",
        p->width, p->height);
    if (rc == BBT_OK && p->title)
        rc = svg_label(ret, SVG_LEFT, 20, "font-weight=\"bold\"", p->title);
    if (rc == BBT_OK)
        rc = svg_axes(ret, p, &box);
    for (size_t i = 0; i < p->n && rc == BBT_OK; i++) {
        char style[96];

        (void)snprintf(style, sizeof style, "text-anchor=\"end\" fill=\"%s\"",
            colors[i % (sizeof colors / sizeof colors[0])]);
        rc = svg_curve(ret, p, &box, i);
        if (rc == BBT_OK)
            rc = svg_label(ret, (double)p->width - SVG_RIGHT, SVG_TOP + 14 * (double)(i + 1),
                style, p->curve[i].name);
    }
    if (rc == BBT_OK)
        rc = buf_puts(ret, "</svg>\n");
    return rc == BBT_OK ? rc : bbt_fail(err, rc, "no memory for a plot");
}
