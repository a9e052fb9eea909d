/* k_usage.c -- bbtctl usage: what was spent, by one heading. */
#include "cmd.h"

#include "base/alloc.h"
#include "client.h"
#include "fmt.h"
#include "grid.h"
#include "safe.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

static enum bbt_rc cell_text(const json_t *j, const char *key, struct bbt_buf *b)
{
    return buf_puts(b, json_get_str(j, key, ""));
}

static enum bbt_rc cell_job(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    if (json_get_int(j, "job", 0) == 0)
        return buf_puts(b, "(no job)");
    return buf_printf(b, "%lld %s", json_get_int(j, "job", 0), json_get_str(j, "name", ""));
}

static enum bbt_rc cell_provider(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "provider", b);
}

static enum bbt_rc cell_model(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "model", b);
}

static enum bbt_rc cell_tag(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    const char *tag = json_get_str(j, "tag", "");

    (void)c;
    return buf_puts(b, *tag ? tag : "(no tag)");
}

/* The daemon is on this machine: its user ids are ours. */
static enum bbt_rc cell_user(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    long long uid = json_get_int(j, "user", -1);
    const struct passwd *p = uid >= 0 ? getpwuid((uid_t)uid) : NULL;

    (void)c;
    if (uid < 0)
        return buf_puts(b, "(not known)");
    return p ? buf_puts(b, p->pw_name) : buf_printf(b, "%lld", uid);
}

static enum bbt_rc cell_day(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "day", b);
}

static enum bbt_rc cell_count(
    const struct ctl *c, const json_t *j, const char *key, struct bbt_buf *b)
{
    return grid_count(c, json_get_int(j, key, 0), b);
}

static enum bbt_rc cell_requests(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_count(c, j, "requests", b);
}

static enum bbt_rc cell_in(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_count(c, j, "tokens_in", b);
}

static enum bbt_rc cell_out(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_count(c, j, "tokens_out", b);
}

static enum bbt_rc cell_money(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return grid_money(c, json_get_str(j, "cost", "0.00"), b);
}

static enum bbt_rc cell_other(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_money(c, json_object_get(j, "other"), b);
}

static const struct grid_col cols[] = {
    {"JOB", cell_job, false, false},
    {"REQUESTS", cell_requests, true, false},
    {"TOKENS IN", cell_in, true, false},
    {"TOKENS OUT", cell_out, true, false},
    {"COST", cell_money, true, false},
    {"UNANSWERED", cell_other, true, true},
};
#define COLS (sizeof cols / sizeof cols[0])

static const struct {
    const char *by;
    struct grid_col col;
} headings[] = {
    {"job", {"JOB", cell_job, false, false}},
    {"provider", {"PROVIDER", cell_provider, false, false}},
    {"model", {"MODEL", cell_model, false, false}},
    {"tag", {"TAG", cell_tag, false, false}},
    {"user", {"USER", cell_user, false, false}},
    {"day", {"DAY", cell_day, false, false}},
};

static int show(const struct ctl *c, const json_t *v)
{
    const json_t *total = json_object_get(v, "total"), *today = json_object_get(v, "today");
    struct grid_col here[COLS];
    char sum[FMT_MAX], spent[FMT_MAX], cap[FMT_MAX] = "";
    int code;

    memcpy(here, cols, sizeof here);
    for (size_t i = 0; i < sizeof headings / sizeof headings[0]; i++)
        if (strcmp(json_get_str(v, "by", ""), headings[i].by) == 0)
            here[0] = headings[i].col;
    code = grid_list(c, "Usage", here, COLS, json_object_get(v, "items"));
    if (code != CTL_OK || (c->form != FORM_TABLE && c->form != FORM_WIDE))
        return code;
    fmt_money(json_get_str(total, "cost", "0.00"), sum);
    fmt_money(json_get_str(today, "cost", "0.00"), spent);
    if (json_get_str(today, "cap", NULL))
        fmt_money(json_get_str(today, "cap", NULL), cap);
    ctl_note(c, "%s%s in all%s; today (%s) %s%s%s", sum,
        strcmp(json_get_str(v, "by", ""), "tag") == 0 ? " under tags" : "",
        json_get_str(v, "since", NULL) ? " since then" : "", json_get_str(today, "day", "?"),
        spent, *cap ? " of " : "", cap);
    return CTL_OK;
}

int k_usage(struct ctl *c, const struct opt_args *a)
{
    char *by = client_escape(opt_text(a, "by", "job")),
         *since = client_escape(opt_text(a, "since", ""));
    char *path = by && since ? bbt_asprintf("/v1/usage?by=%s%s%s", by,
                                   *since ? "&since=" : "", since)
                             : NULL;
    json_t *v = NULL;
    int code = path ? client_get(c, path, &v) : ctl_fail(c, CTL_FAIL, "no memory");

    bbt_free(by);
    bbt_free(since);
    bbt_free(path);
    if (code != CTL_OK)
        return code;
    if (c->form == FORM_JSON)
        safe_json(stdout, json_incref(v));
    else
        code = show(c, v);
    json_decref(v);
    return code;
}
