/* k_plot.c -- bbtctl plot: the curve of a job. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "fmt.h"
#include "jobs.h"
#include "outfile.h"
#include "plot.h"
#include "safe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEIGHT 14

/* ---- the generations as a list ---- */

static enum bbt_rc number(const json_t *g, const char *key, struct bbt_buf *b)
{
    double v = fmt_number(g, key);

    return isfinite(v) ? buf_printf(b, "%.10g", v) : BBT_OK;
}

#define CELL(name, key)                                                                     \
    static enum bbt_rc name(const struct ctl *c, const json_t *g, struct bbt_buf *b)        \
    {                                                                                       \
        (void)c;                                                                            \
        return number(g, key, b);                                                           \
    }

CELL(cell_generation, "generation")
CELL(cell_evaluations, "evaluations")
CELL(cell_loss_best, "loss_best")
CELL(cell_loss_mean, "loss_mean")
CELL(cell_sigma, "sigma")
CELL(cell_dev, "dev")
CELL(cell_dev_loss, "dev_loss")

static const struct grid_col cols[] = {
    {"generation", cell_generation, true, false},
    {"evaluations", cell_evaluations, true, false},
    {"loss_best", cell_loss_best, true, false},
    {"loss_mean", cell_loss_mean, true, false},
    {"sigma", cell_sigma, true, false},
    {"dev", cell_dev, true, false},
    {"dev_loss", cell_dev_loss, true, false},
};
#define COLS (sizeof cols / sizeof cols[0])

static enum bbt_rc put_csv(const struct ctl *c, const json_t *gens, struct bbt_buf *b)
{
    enum bbt_rc rc = BBT_OK;

    for (size_t k = 0; k < COLS && rc == BBT_OK; k++)
        rc = buf_printf(b, "%s%s", cols[k].name, k + 1 < COLS ? "," : "\n");
    for (size_t i = 0; i < json_array_size(gens); i++)
        for (size_t k = 0; k < COLS && rc == BBT_OK; k++) {
            rc = cols[k].cell(c, json_array_get(gens, i), b);
            if (rc == BBT_OK)
                rc = buf_puts(b, k + 1 < COLS ? "," : "\n");
        }
    return rc;
}

/* ---- curves ---- */

struct series {
    double *x, *best, *mean, *dev;
    size_t n;
};

static void series_fini(struct series *s)
{
    bbt_free(s->x);
    bbt_free(s->best);
    bbt_free(s->mean);
    bbt_free(s->dev);
}

/* With `y` loss the dev marks are the dev set's loss, so that both fit on one axis. */
static bool series_of(const json_t *gens, bool dev, struct series *s)
{
    size_t n = json_array_size(gens);

    *s = (struct series){.n = n};
    s->x = bbt_alloc_array(n + 1, sizeof *s->x);
    s->best = bbt_alloc_array(n + 1, sizeof *s->best);
    s->mean = bbt_alloc_array(n + 1, sizeof *s->mean);
    s->dev = bbt_alloc_array(n + 1, sizeof *s->dev);
    if (!s->x || !s->best || !s->mean || !s->dev)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *g = json_array_get(gens, i);

        s->x[i] = fmt_number(g, "generation") + 1;
        s->best[i] = fmt_number(g, "loss_best");
        s->mean[i] = fmt_number(g, "loss_mean");
        s->dev[i] = fmt_number(g, dev ? "dev" : "dev_loss");
    }
    return true;
}

static int draw(const struct ctl *c, const json_t *job, const struct series *s, bool dev,
    bool svg, struct bbt_buf *b)
{
    const struct plot_curve loss[] = {
        {"train, mean of the generation", s->x, s->mean, s->n, false},
        {"train, best", s->x, s->best, s->n, false}, {"dev", s->x, s->dev, s->n, true}};
    const struct plot_curve score[] = {{"dev", s->x, s->dev, s->n, true}};
    char title[256];
    struct bbt_buf safe;
    struct bbt_err err = {0};
    struct plot p = {.curve = dev ? score : loss, .n = dev ? 1 : 3, .title = title,
        .x_name = "generation", .width = svg ? 800 : c->width, .height = svg ? 450 : HEIGHT};
    enum bbt_rc rc;

    buf_init(&safe, SIZE_MAX);
    rc = safe_put(&safe, json_get_str(job, "name", ""));
    (void)snprintf(title, sizeof title, "job %lld %s: %s", json_get_int(job, "id", 0),
        safe.data ? (const char *)safe.data : "", dev ? "dev score" : "loss");
    buf_fini(&safe);
    if (rc == BBT_OK)
        rc = svg ? plot_svg(&p, b, &err) : plot_text(&p, b, &err);
    if (rc == BBT_OK)
        return CTL_OK;
    return rc == BBT_INVALID
        ? ctl_fail(c, CTL_CONFLICT, "job %lld: %s", json_get_int(job, "id", 0), err.msg)
        : ctl_fail(c, CTL_FAIL, "%s", err.msg);
}

static bool ends_in(const char *s, const char *end)
{
    size_t a = strlen(s), b = strlen(end);

    return a >= b && strcmp(s + a - b, end) == 0;
}

static int make(struct ctl *c, const struct opt_args *a, const json_t *job, const json_t *gens)
{
    const char *file = opt_text(a, "output", NULL);
    bool dev = strcmp(opt_text(a, "y", "loss"), "dev") == 0, form = c->form != FORM_TABLE;
    bool csv = file && ends_in(file, ".csv"), svg = file && ends_in(file, ".svg");
    struct series s = {0};
    struct bbt_buf b;
    int code = CTL_OK;

    if (form)
        return grid_list(c, "GenerationList", cols, COLS, gens);
    if (file && !csv && !svg && strcmp(file, "table") != 0)
        return ctl_fail(c, CTL_USAGE, "-o %s: must end in .csv or .svg", file);
    buf_init(&b, SIZE_MAX);
    if (csv && put_csv(c, gens, &b) != BBT_OK)
        code = ctl_fail(c, CTL_FAIL, "no memory for the curve");
    else if (!csv && !series_of(gens, dev, &s))
        code = ctl_fail(c, CTL_FAIL, "no memory for the curve");
    else if (!csv)
        code = draw(c, job, &s, dev, svg, &b);
    if (code == CTL_OK && (csv || svg))
        code = outfile_write(c, file, opt_has(a, "force"), b.data, b.len);
    else if (code == CTL_OK)
        (void)fwrite(b.data, 1, b.len, stdout);
    series_fini(&s);
    buf_fini(&b);
    return code;
}

int k_plot(struct ctl *c, const struct opt_args *a)
{
    const char *y = opt_text(a, "y", "loss");
    json_t *job = NULL, *page = NULL;
    char path[96];
    int code;

    if (strcmp(y, "loss") != 0 && strcmp(y, "dev") != 0)
        return ctl_fail(c, CTL_USAGE, "--y %s: must be loss or dev", y);
    code = jobs_one(c, a->pos[0], &job);
    if (code != CTL_OK)
        return code;
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/generations?limit=100000",
        json_get_int(job, "id", 0));
    code = client_get(c, path, &page);
    if (code == CTL_OK)
        code = make(c, a, job, json_object_get(page, "items"));
    json_decref(page);
    json_decref(job);
    return code;
}
