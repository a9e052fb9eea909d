#include "jobs.h"

#include "base/alloc.h"
#include "client.h"
#include "fmt.h"
#include "sel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- selection ---- */

/* Tags stand in the job file, which the list does not carry. */
static int add_tags(struct ctl *c, json_t *jobs)
{
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        json_t *job = json_array_get(jobs, i), *spec = NULL, *tags;
        char path[64];
        int code;

        (void)snprintf(path, sizeof path, "/v1/jobs/%lld/spec", json_get_int(job, "id", 0));
        code = client_get(c, path, &spec);
        if (code != CTL_OK)
            return code;
        tags = json_object_get(spec, "tags");
        if (tags)
            (void)json_object_set(job, "tags", tags);
        json_decref(spec);
    }
    return CTL_OK;
}

static int fetch(struct ctl *c, const struct sel *s, bool trash, json_t **ret)
{
    long long id = sel_single(s);
    json_t *job = NULL, *jobs = NULL;
    char path[64];
    int code;

    if (id) {
        (void)snprintf(path, sizeof path, "/v1/jobs/%lld", id);
        code = client_get(c, path, &job);
        if (code == CTL_OK)
            *ret = json_pack("[o]", job);
        return code;
    }
    code = client_jobs(c, trash || sel_is_trash(s) ? "all=1" : NULL, &jobs);
    if (code == CTL_OK && sel_is_tagged(s))
        code = add_tags(c, jobs);
    if (code == CTL_OK)
        *ret = sel_apply(s, jobs);
    json_decref(jobs);
    return code;
}

/* "2 3" asks for a job that is both. */
static const char *and_hint(const char *const *words, size_t n)
{
    size_t ids = 0;

    for (size_t i = 0; i < n; i++)
        ids += words[i][0] >= '0' && words[i][0] <= '9';
    return ids > 1 ? " (words apart by spaces must all be true of a job; write 17,19 for both)"
                   : "";
}

static int run(struct ctl *c, const char *const *words, size_t n, bool all, bool trash,
    json_t **ret)
{
    struct bbt_err err = {0};
    struct sel *s = NULL;
    json_t *jobs = NULL;
    int code;

    if (sel_parse(words, n, &s, &err) != BBT_OK)
        return ctl_fail(c, CTL_USAGE, "%s", err.msg);
    code = fetch(c, s, trash, &jobs);
    sel_free(s);
    if (code != CTL_OK)
        return code;
    if (!jobs)
        return ctl_fail(c, CTL_FAIL, "no memory for the list of jobs");
    if (json_array_size(jobs) == 0 && !(all && n == 0)) {
        json_decref(jobs);
        return ctl_fail(c, CTL_NOTHING, "no job matches%s; see them all: bbtctl list",
            and_hint(words, n));
    }
    *ret = jobs;
    return CTL_OK;
}

int jobs_select(struct ctl *c, const struct opt_args *a, size_t from, bool all, json_t **ret)
{
    if (a->pos_n <= from && !all)
        return ctl_fail(c, CTL_USAGE, "which job? An id, a name, @last, state:STATE ...");
    return run(c, a->pos + from, a->pos_n - from, all, false, ret);
}

int jobs_select_trash(struct ctl *c, const struct opt_args *a, json_t **ret)
{
    return run(c, a->pos, a->pos_n, false, true, ret);
}

static json_t *newest(const json_t *jobs)
{
    json_t *open = NULL;

    for (size_t i = json_array_size(jobs); i > 0 && !open; i--)
        if (!jobs_over(json_array_get(jobs, i - 1)))
            open = json_array_get(jobs, i - 1);
    return open ? open : json_array_get(jobs, json_array_size(jobs) - 1);
}

static int several(const struct ctl *c, const char *word, const json_t *jobs)
{
    char ids[200] = "";
    size_t at = 0, n = json_array_size(jobs);

    for (size_t i = 0; i < n && i < 12; i++)
        at += (size_t)snprintf(ids + at, sizeof ids - at, "%s%lld", i ? ", " : "",
            json_get_int(json_array_get(jobs, i), "id", 0));
    return ctl_fail(c, CTL_USAGE, "%s means %zu jobs (%s%s); this command takes one", word, n,
        ids, n > 12 ? ", ..." : "");
}

int jobs_one(struct ctl *c, const char *word, json_t **ret)
{
    json_t *jobs = NULL;
    int code = run(c, &word, word ? 1 : 0, true, false, &jobs);

    if (code != CTL_OK)
        return code;
    if (json_array_size(jobs) == 0)
        code = ctl_fail(c, CTL_NOTHING, "there is no job yet; the first: bbtctl submit FILE");
    else if (word && json_array_size(jobs) > 1)
        code = several(c, word, jobs);
    else
        *ret = json_incref(newest(jobs));
    json_decref(jobs);
    return code;
}

bool jobs_over(const json_t *job)
{
    const char *state = json_get_str(job, "state", "");

    return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
        strcmp(state, "cancelled") == 0 || strcmp(state, "deleted") == 0;
}

/* ---- one line ---- */

void jobs_progress(const json_t *job, char *out, size_t room)
{
    const json_t *usage = json_object_get(job, "usage"), *plan = json_object_get(job, "plan");
    double loss = fmt_number(job, "last_loss"), dev = fmt_number(job, "best_dev");
    long long gens = json_get_int(usage, "generations", 0),
              most = json_get_int(plan, "generations", 0);
    char of[32] = "", l[64] = "", d[64] = "", text[FMT_MAX];

    if (most)
        (void)snprintf(of, sizeof of, "/%lld", most);
    fmt_score(loss, 4, false, text);
    if (isfinite(loss))
        (void)snprintf(l, sizeof l, ", loss %s", text);
    fmt_score(dev, 3, false, text);
    if (isfinite(dev))
        (void)snprintf(d, sizeof d, ", dev %s", text);
    (void)snprintf(out, room, "gen %lld%s%s%s", gens, of, l, d);
}

static enum bbt_rc cell_text(const json_t *item, const char *key, struct bbt_buf *b)
{
    return buf_puts(b, json_get_str(item, key, ""));
}

static enum bbt_rc cell_id(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld", json_get_int(j, "id", 0));
}

static enum bbt_rc cell_name(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "name", b);
}

static enum bbt_rc cell_state(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "state", b);
}

static enum bbt_rc cell_reason(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "reason", b);
}

static enum bbt_rc cell_detail(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_text(j, "detail", b);
}

static enum bbt_rc cell_gen(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    long long most = json_get_int(json_object_get(j, "plan"), "generations", 0),
              done = json_get_int(json_object_get(j, "usage"), "generations", 0);

    (void)c;
    return most ? buf_printf(b, "%lld/%lld", done, most) : buf_printf(b, "%lld", done);
}

static enum bbt_rc cell_score(const json_t *j, const char *key, int digits, struct bbt_buf *b)
{
    char text[FMT_MAX];

    fmt_score(fmt_number(j, key), digits, false, text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_loss(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_score(j, "last_loss", 4, b);
}

static enum bbt_rc cell_dev(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return cell_score(j, "best_dev", 3, b);
}

static enum bbt_rc cell_usage(const struct ctl *c, const json_t *j, const char *key,
    struct bbt_buf *b)
{
    return grid_count(c, json_get_int(json_object_get(j, "usage"), key, 0), b);
}

static enum bbt_rc cell_requests(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_usage(c, j, "requests", b);
}

static enum bbt_rc cell_evaluations(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_usage(c, j, "evaluations", b);
}

static enum bbt_rc cell_tokens(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return cell_usage(c, j, "tokens_in", b);
}

static enum bbt_rc cell_cost(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    return grid_money(c, json_get_str(json_object_get(j, "usage"), "cost", "0.00"), b);
}

static enum bbt_rc cell_took(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    double s = fmt_number(json_object_get(j, "usage"), "seconds");
    char text[FMT_MAX];

    if (c->form == FORM_CSV || c->form == FORM_PLAIN)
        return buf_printf(b, "%.3f", s);
    fmt_seconds(s, text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_created(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    char text[FMT_MAX];

    fmt_time(c, json_get_str(j, "created", NULL), text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_ended(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    char text[FMT_MAX];

    fmt_time(c, json_get_str(j, "ended", NULL), text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_priority(const struct ctl *c, const json_t *j, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld", json_get_int(j, "priority", 0));
}

const struct grid_col jobs_cols[] = {
    {"ID", cell_id, true, false},
    {"NAME", cell_name, false, false},
    {"STATE", cell_state, false, false},
    {"REASON", cell_reason, false, false},
    {"GEN", cell_gen, true, false},
    {"LOSS", cell_loss, true, false},
    {"DEV", cell_dev, true, false},
    {"REQUESTS", cell_requests, true, false},
    {"COST", cell_cost, true, false},
    {"TOOK", cell_took, true, false},
    {"CREATED", cell_created, false, false},
    {"EVALUATIONS", cell_evaluations, true, true},
    {"TOKENS", cell_tokens, true, true},
    {"PRIORITY", cell_priority, true, true},
    {"ENDED", cell_ended, false, true},
    {"DETAIL", cell_detail, false, true},
};
const size_t jobs_cols_n = sizeof jobs_cols / sizeof jobs_cols[0];
