/* api_event.c -- events of all jobs: a page, or a stream that goes on. */
#include "api.h"

#include "base/alloc.h"
#include "events.h"
#include "store/st_event.h"

#include <stdlib.h>
#include <string.h>

struct page_api {
    struct api a;
    int64_t job, after;
    size_t limit;
};

static void run_page(struct port_call *c, struct port_db *db)
{
    struct page_api *p = bbt_container(c, struct page_api, a.call);
    struct rec_event *e = NULL;
    json_t *items;
    size_t n = 0;

    c->rc = store_event_list(
        (struct store *)db, p->job, p->after, p->limit, &e, &n, &c->err);
    if (c->rc != BBT_OK)
        return;
    items = json_array();
    for (size_t i = 0; i < n; i++)
        json_add(&items, api_view_event(&e[i]));
    bbt_free(e);
    p->a.json = json_pack(
        "{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "EventList", "items", items);
}

void api_events_get(struct web_req *r, void *arg)
{
    struct daemon *d = arg;
    const char *accept = web_header(r, "Accept"), *last = web_header(r, "Last-Event-ID");
    int64_t job = api_number(r, "job", 0, 0, INT64_MAX);
    int64_t after = api_number(r, "after", 0, 0, INT64_MAX);
    struct page_api *p;

    if (last)
        after = strtoll(last, NULL, 10);
    if (accept && strstr(accept, "text/event-stream")) {
        events_listen(d->events, r, job, after);
        return;
    }
    p = (struct page_api *)(void *)api_new(r, d, sizeof *p);
    if (!p)
        return;
    p->job = job;
    p->after = after;
    p->limit = (size_t)api_number(r, "limit", 1000, 1, 10000);
    api_db(&p->a, run_page);
}
