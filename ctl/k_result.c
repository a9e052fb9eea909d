/* k_result.c -- bbtctl result: what tuning brought, and what it did not. */
#include "cmd.h"

#include "client.h"
#include "fmt.h"
#include "jobs.h"
#include "safe.h"
#include "sheet.h"

#include <math.h>
#include <stdio.h>

/* ---- one job ---- */

static void row(const char *name, double v, double than)
{
    char score[FMT_MAX], gain[FMT_MAX];

    fmt_score(v, 4, false, score);
    fmt_score(than, 4, true, gain);
    (void)printf("  %-22s %8s", name, score);
    if (isfinite(than))
        (void)printf("   tuned %s", gain);
    (void)putchar('\n');
}

/* Several choices and orders of demonstrations: their mean, and how far apart they are. */
static void show_context(const json_t *shown, double gain)
{
    char least[FMT_MAX], most[FMT_MAX];

    if (!shown)
        return;
    row("in-context learning", fmt_number(shown, "test"), gain);
    fmt_score(fmt_number(shown, "least"), 4, false, least);
    fmt_score(fmt_number(shown, "most"), 4, false, most);
    (void)printf("    %lld of %lld shots per label, %lld orders: %s to %s",
        json_get_int(shown, "used", 0), json_get_int(shown, "shots", 0),
        json_get_int(shown, "orders", 0), least, most);
    if (*json_get_str(shown, "note", ""))
        safe_printf(stdout, " (%s)", json_get_str(shown, "note", ""));
    (void)putchar('\n');
}

static void show_sheet(const json_t *s)
{
    const json_t *usage = json_object_get(s, "usage"), *best = json_object_get(s, "best");
    double tuned = fmt_number(s, "tuned_test");
    char dev[FMT_MAX], e[FMT_MAX], r[FMT_MAX], t[FMT_MAX], took[FMT_MAX];

    safe_printf(stdout, "job %lld %s: %s", json_get_int(s, "job", 0),
        json_get_str(s, "name", ""), json_get_str(s, "verdict", ""));
    (void)fputs("\n\n", stdout);
    safe_printf(stdout, "  %-22s %8s", json_get_str(s, "metric", "score"), "test");
    (void)putchar('\n');
    if (best)
        row("tuned prompt", tuned, NAN);
    row("manual prompt", fmt_number(s, "manual_test"), fmt_number(s, "gain_vs_manual"));
    row("manual, bias removed", fmt_number(s, "calibrated_test"),
        fmt_number(s, "gain_vs_calibrated"));
    show_context(json_object_get(s, "in_context"), fmt_number(s, "gain_vs_in_context"));
    row("largest class alone", fmt_number(s, "majority"), NAN);
    if (best) {
        fmt_score(fmt_number(best, "dev"), 4, false, dev);
        (void)printf("\n  dev of the best prompt %8s   (generation %lld)", dev,
            json_get_int(best, "generation", 0));
    }
    (void)putchar('\n');
    (void)printf("  examples               train %lld, dev %lld, test %lld\n",
        json_get_int(s, "train_examples", 0), json_get_int(s, "dev_examples", 0),
        json_get_int(s, "test_examples", 0));
    fmt_count(json_get_int(usage, "evaluations", 0), e);
    fmt_count(json_get_int(usage, "requests", 0), r);
    fmt_count(json_get_int(usage, "tokens_in", 0), t);
    fmt_seconds(fmt_number(usage, "seconds"), took);
    (void)printf("  spent                  %s evaluations, %s requests (%lld repeated), %s "
                 "tokens, %s\n",
        e, r, json_get_int(usage, "repeated", 0), t, took);
}

/* ---- several ---- */

static enum bbt_rc cell_job(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld", json_get_int(s, "job", 0));
}

static enum bbt_rc cell_name(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return buf_puts(b, json_get_str(s, "name", ""));
}

static enum bbt_rc score(const json_t *s, const char *key, bool sign, struct bbt_buf *b)
{
    char text[FMT_MAX];

    fmt_score(fmt_number(s, key), 4, sign, text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_tuned(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(s, "tuned_test", false, b);
}

static enum bbt_rc cell_manual(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(s, "manual_test", false, b);
}

static enum bbt_rc cell_calibrated(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(s, "calibrated_test", false, b);
}

static enum bbt_rc cell_context(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(json_object_get(s, "in_context"), "test", false, b);
}

static enum bbt_rc cell_majority(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(s, "majority", false, b);
}

static enum bbt_rc cell_gain(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(s, "gain_vs_manual", true, b);
}

static enum bbt_rc cell_dev(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return score(json_object_get(s, "best"), "dev", false, b);
}

static enum bbt_rc cell_requests(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld", json_get_int(json_object_get(s, "usage"), "requests", 0));
}

static enum bbt_rc cell_verdict(const struct ctl *c, const json_t *s, struct bbt_buf *b)
{
    (void)c;
    return buf_puts(b, json_get_str(s, "verdict", ""));
}

static const struct grid_col cols[] = {
    {"JOB", cell_job, true, false},
    {"NAME", cell_name, false, false},
    {"TUNED", cell_tuned, true, false},
    {"MANUAL", cell_manual, true, false},
    {"CALIBRATED", cell_calibrated, true, false},
    {"IN CONTEXT", cell_context, true, true},
    {"MAJORITY", cell_majority, true, false},
    {"DEV", cell_dev, true, false},
    {"GAIN", cell_gain, true, false},
    {"REQUESTS", cell_requests, true, true},
    {"VERDICT", cell_verdict, false, true},
};

/* Those that have a result; the others are told. *ret_code gets what happened to them. */
static json_t *fetch(struct ctl *c, const json_t *jobs, int *ret_code)
{
    json_t *sheets = json_array();

    *ret_code = CTL_OK;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        json_t *sheet = NULL;
        char path[64];
        int code;

        (void)snprintf(path, sizeof path, "/v1/jobs/%lld/result",
            json_get_int(json_array_get(jobs, i), "id", 0));
        code = client_get(c, path, &sheet);
        if (code == CTL_OK)
            (void)json_array_append_new(sheets, sheet);
        else
            *ret_code = code;
    }
    if (*ret_code != CTL_OK && json_array_size(sheets) > 0)
        *ret_code = CTL_PARTIAL;
    return sheets;
}

int k_result(struct ctl *c, const struct opt_args *a)
{
    json_t *jobs = NULL, *sheets;
    int code = jobs_select(c, a, 0, false, &jobs), more = CTL_OK;

    if (code != CTL_OK)
        return code;
    sheets = fetch(c, jobs, &code);
    if (json_array_size(sheets) == 1 && json_array_size(jobs) == 1) {
        if (c->form == FORM_TABLE || c->form == FORM_WIDE) {
            show_sheet(json_array_get(sheets, 0));
            if (json_object_get(json_array_get(sheets, 0), "best"))
                ctl_note(c, "Next: bbtctl export %lld -o prompt.safetensors",
                json_get_int(json_array_get(jobs, 0), "id", 0));
        } else if (!sheet_json(c, json_array_get(sheets, 0))) {
            more = grid_list(c, "ResultList", cols, sizeof cols / sizeof cols[0], sheets);
        }
    } else if (json_array_size(sheets) > 0) {
        more = grid_list(c, "ResultList", cols, sizeof cols / sizeof cols[0], sheets);
    }
    json_decref(sheets);
    json_decref(jobs);
    return code ? code : more;
}
