#include "serve.h"

#include "base/alloc.h"
#include "base/json.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "meta.h"
#include "task.h"
#include "web/web.h"

#include <stdio.h>
#include <string.h>

#define NAME_LEN_MAX 100u
#define EMBEDDING "-embedding"

struct serve {
    struct web *web;
    struct task_hall hall;
    char name[NAME_LEN_MAX + 1], embedding_name[NAME_LEN_MAX + sizeof EMBEDDING];
};

/* Takes the reference to `doc`. */
static void reply_json(struct web_req *r, json_t *doc)
{
    char *text = doc ? json_print(doc) : NULL;

    if (text)
        web_reply(r, 200, "application/json", text, strlen(text));
    else
        task_error(r, 503, "no memory for the answer");
    bbt_free(text);
    json_decref(doc);
}

static void on_server(struct web_req *r, void *arg)
{
    (void)arg;
    reply_json(r, meta_server());
}

static void on_live(struct web_req *r, void *arg)
{
    (void)arg;
    reply_json(r, json_pack("{s:b}", "live", 1));
}

static void on_ready(struct web_req *r, void *arg)
{
    (void)arg;
    reply_json(r, json_pack("{s:b}", "ready", 1));
}

enum which { NONE, LOGITS, EMBEDDINGS };

/* Which model does the path name? Answers 404 itself where none. */
static enum which find_model(const struct serve *s, struct web_req *r)
{
    const char *name = web_part(r, 0), *version = web_part(r, 1);
    char text[400];

    if (!*version || !strcmp(version, "1")) {
        if (!strcmp(name, s->name))
            return LOGITS;
        if (!strcmp(name, s->embedding_name))
            return EMBEDDINGS;
        (void)snprintf(text, sizeof text, "unknown model '%.80s': there are '%s' and '%s'",
            name, s->name, s->embedding_name);
    } else {
        (void)snprintf(text, sizeof text, "model '%.80s' has no version '%.20s', only '1'",
            name, version);
    }
    task_error(r, 404, text);
    return NONE;
}

static void on_model(struct web_req *r, void *arg)
{
    const struct serve *s = arg;
    enum which which = find_model(s, r);

    if (which == LOGITS)
        reply_json(r, meta_model(s->name, &s->hall.w->conf));
    else if (which == EMBEDDINGS)
        reply_json(r, meta_embedding(s->embedding_name, &s->hall.w->conf));
}

static void on_model_ready(struct web_req *r, void *arg)
{
    if (find_model(arg, r) != NONE)
        reply_json(r, json_pack("{s:s, s:b}", "name", web_part(r, 0), "ready", 1));
}

static void on_infer(struct web_req *r, void *arg)
{
    struct serve *s = arg;
    enum which which = find_model(s, r);

    if (which != NONE)
        task_start(&s->hall, r, which == EMBEDDINGS);
}

static const struct web_route routes[] = {
    {"GET", "/v2", on_server, 0},
    {"GET", "/v2/health/live", on_live, 0},
    {"GET", "/v2/health/ready", on_ready, 0},
    {"GET", "/v2/models/{model}", on_model, 0},
    {"GET", "/v2/models/{model}/ready", on_model_ready, 0},
    {"POST", "/v2/models/{model}/infer", on_infer, TASK_BODY_MAX},
    {"GET", "/v2/models/{model}/versions/{version}", on_model, 0},
    {"GET", "/v2/models/{model}/versions/{version}/ready", on_model_ready, 0},
    {"POST", "/v2/models/{model}/versions/{version}/infer", on_infer, TASK_BODY_MAX},
};

static bool name_is_plain(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789-_.");

    return n > 0 && n <= NAME_LEN_MAX && !name[n] && name[0] != '.';
}

enum bbt_rc serve_new(struct loop *l, const struct weights *w, const char *name,
    unsigned threads, struct serve **ret, struct bbt_err *err)
{
    const struct web_opts opts = {.plain_errors = true, .server = "bbt-lm/" BBT_VERSION};
    struct serve *s;
    enum bbt_rc rc;

    if (!name_is_plain(name))
        return bbt_fail(err, BBT_INVALID, "the model name '%.100s' does not consist of 1 to "
            "%u letters, digits, '-', '_' and '.' (see --name)", name, NAME_LEN_MAX);
    s = bbt_calloc(1, sizeof *s);
    if (!s)
        return bbt_fail(err, BBT_NOMEM, "no memory for the server");
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    (void)snprintf(s->embedding_name, sizeof s->embedding_name, "%s" EMBEDDING, name);
    s->hall.loop = l;
    s->hall.w = w;
    s->hall.name = s->name;
    s->hall.embedding_name = s->embedding_name;
    s->hall.threads = threads;
    split_rooms_init(&s->hall.rooms);
    rc = work_pool_new(l, threads, &s->hall.pool, err);
    if (rc == BBT_OK)
        rc = web_new(
            l, &opts, routes, sizeof routes / sizeof routes[0], s, &s->web, err);
    if (rc == BBT_OK) {
        *ret = s;
        s = NULL;
    }
    serve_free(s);
    return rc;
}

void serve_free(struct serve *s)
{
    if (!s)
        return;
    web_free(s->web);
    work_pool_free(s->hall.pool);
    split_rooms_fini(&s->hall.rooms);
    bbt_free(s);
}

/* HOST:PORT or [V6]:PORT taken apart. */
static enum bbt_rc split_address(
    const char *where, char *host, size_t room, uint16_t *ret_port, struct bbt_err *err)
{
    const char *colon = strrchr(where, ':'), *from = where;
    size_t n = colon ? (size_t)(colon - where) : 0, digits;
    unsigned port = 0;

    if (n > 2 && where[0] == '[' && colon[-1] == ']') {
        from++;
        n -= 2;
    }
    digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (digits >= 1 && digits <= 5 && !colon[1 + digits])
        for (size_t i = 1; i <= digits; i++)
            port = port * 10 + (unsigned)(colon[i] - '0');
    else
        n = 0;
    if (n == 0 || n >= room || port > 65535)
        return bbt_fail(err, BBT_INVALID,
            "the address '%.100s' is not HOST:PORT or unix:PATH", where);
    memcpy(host, from, n);
    host[n] = 0;
    *ret_port = (uint16_t)port;
    return BBT_OK;
}

enum bbt_rc serve_listen(
    struct serve *s, const char *where, char *ret, size_t room, struct bbt_err *err)
{
    char host[256];
    uint16_t port = 0;
    enum bbt_rc rc;

    if (!strncmp(where, "unix:", 5)) {
        rc = web_listen_unix(s->web, where + 5, 0600, err);
        if (rc == BBT_OK)
            (void)snprintf(ret, room, "%s", where);
        return rc;
    }
    rc = split_address(where, host, sizeof host, &port, err);
    if (rc == BBT_OK)
        rc = web_listen_tcp(s->web, host, port, &port, err);
    if (rc == BBT_OK)
        (void)snprintf(
            ret, room, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    return rc;
}

void serve_stop(struct serve *s, struct op *idle)
{
    web_quiesce(s->web, idle);
}

size_t serve_busy(const struct serve *s)
{
    return web_busy(s->web);
}

size_t serve_tasks(const struct serve *s)
{
    return s->hall.waiting + s->hall.started;
}
