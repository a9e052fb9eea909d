/* Request targets: routing, captures, query. The first byte picks the method. */
#include "web/inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void never(struct web_req *r, void *arg)
{
    (void)r;
    (void)arg;
    abort();
}

static const struct web_route routes[] = {
    {"GET", "/", never, 0},
    {"GET", "/v1/jobs/{id}", never, 0},
    {"DELETE", "/v1/jobs/{id}", never, 0},
    {"POST", "/v1/jobs/{id}:pause", never, 0},
    {"GET", "/v1/jobs/stats", never, 0},
    {"GET", "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}", never, 0},
};

static void look(const struct web_req *r, const char *uri)
{
    const char *names[] = {"a", "", "q", "bare"};

    assert(r->parts_n <= WEB_PARTS_MAX);
    for (size_t i = 0; i < WEB_PARTS_MAX; i++)
        assert(strlen(web_part(r, i)) <= strlen(uri));
    for (size_t i = 0; i < 4; i++) {
        const char *v = web_query(r, names[i]);

        assert(!v || strlen(v) <= strlen(uri));
    }
    assert(strlen(web_path(r)) <= strlen(uri) + 1); /* nothing at all becomes "/" */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "HEAD"};
    struct web w = {.routes = routes, .routes_n = sizeof(routes) / sizeof(routes[0])};
    struct bbt_buf allow;
    struct web_req *r;
    unsigned status;
    char *uri;

    if (size < 1 || size > 1 << 16)
        return 0;
    uri =
        strndup((const char *)data + 1, size - 1); /* as libmicrohttpd: no NUL inside */
    r = uri ? req_new(&w, uri) : NULL;
    if (r) {
        buf_init(&allow, 1024);
        memcpy(r->method, methods[data[0] % 4], strlen(methods[data[0] % 4]) + 1);
        status = route_find(r, &allow);
        assert(status == 0 || status == 400 || status == 404 || status == 405);
        assert(status != 0 || r->route);
        assert(status != 405 || allow.len > 0);
        look(r, uri);
        buf_fini(&allow);
        req_free(r);
    }
    free(uri);
    return 0;
}
