/* k_logs.c -- bbtctl logs: the stored events of a job, and those to come. */
#include "cmd.h"

#include "fmt.h"
#include "follow.h"
#include "jobs.h"
#include "safe.h"

#include <stdio.h>

static enum bbt_rc cell_time(const struct ctl *c, const json_t *e, struct bbt_buf *b)
{
    char text[FMT_MAX];

    fmt_time(c, json_get_str(e, "time", NULL), text);
    return buf_puts(b, text);
}

static enum bbt_rc cell_kind(const struct ctl *c, const json_t *e, struct bbt_buf *b)
{
    (void)c;
    return buf_puts(b, json_get_str(e, "kind", ""));
}

static enum bbt_rc cell_text(const struct ctl *c, const json_t *e, struct bbt_buf *b)
{
    (void)c;
    return buf_puts(b, json_get_str(e, "text", ""));
}

static enum bbt_rc cell_id(const struct ctl *c, const json_t *e, struct bbt_buf *b)
{
    (void)c;
    return buf_printf(b, "%lld", json_get_int(e, "id", 0));
}

static const struct grid_col cols[] = {
    {"TIME", cell_time, false, false},
    {"WHAT", cell_kind, false, false},
    {"TEXT", cell_text, false, false},
    {"ID", cell_id, true, true},
};

/* A line without a head: more may follow. */
static void print_event(const struct ctl *c, const json_t *e)
{
    char time[FMT_MAX];

    if (ctl_json(c)) {
        safe_json_line(stdout, json_deep_copy(e));
        return;
    }
    fmt_time(c, json_get_str(e, "time", NULL), time);
    safe_printf(stdout, "%s  %-11s %s", time, json_get_str(e, "kind", ""),
        json_get_str(e, "text", ""));
    (void)putchar('\n');
}

/* The row of a job changes together with its events, so once it is over, one more look shows
 * the last of them. */
static int follow(struct ctl *c, long long id)
{
    struct follow f;
    long long after = 0;
    bool over = false, last = false;
    int code = CTL_OK;

    follow_init(&f, c);
    ctl_on_interrupt(NULL);
    while (!last && code == CTL_OK) {
        json_t *job = NULL, *page = NULL, *items;
        char path[96];

        last = over;
        (void)snprintf(
            path, sizeof path, "/v1/jobs/%lld/events?after=%lld&limit=1000", id, after);
        code = follow_get(&f, path, &page);
        items = json_object_get(page, "items");
        for (size_t i = 0; i < json_array_size(items); i++) {
            print_event(c, json_array_get(items, i));
            after = json_get_int(json_array_get(items, i), "id", after);
        }
        (void)fflush(stdout);
        json_decref(page);
        if (code == CTL_OK && !last)
            code = follow_next(&f, id, &job);
        over = job && jobs_over(job);
        json_decref(job);
    }
    return code;
}

int k_logs(struct ctl *c, const struct opt_args *a)
{
    json_t *job = NULL, *page = NULL;
    long long id;
    char path[64];
    int code = jobs_one(c, a->pos[0], &job);

    if (code != CTL_OK)
        return code;
    id = json_get_int(job, "id", 0);
    json_decref(job);
    if (opt_has(a, "follow"))
        return follow(c, id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/events?limit=100000", id);
    code = client_get(c, path, &page);
    if (code == CTL_OK)
        code = grid_list(c, "EventList", cols, sizeof cols / sizeof cols[0],
            json_object_get(page, "items"));
    json_decref(page);
    return code;
}
