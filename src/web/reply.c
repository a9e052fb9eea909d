/* reply.c -- whole answers: bytes, taken buffers, problems. */
#include "base/alloc.h"
#include "base/json.h"
#include "web/inside.h"

#include <assert.h>
#include <string.h>

void web_reply_header(struct web_req *r, const char *name, const char *value)
{
    size_t before = r->headers.len;

    /* Split answers are made of control characters in values. */
    for (const char *s = value; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return;
    if (buf_put(&r->headers, name, strlen(name) + 1) != BBT_OK)
        return;
    if (buf_put(&r->headers, value, strlen(value) + 1) != BBT_OK)
        r->headers.len = before;
}

void reply_headers(struct web_req *r)
{
    size_t at = 0;

    if (!r->resp)
        return;
    while (at < r->headers.len) {
        const char *name = (const char *)r->headers.data + at;
        const char *value = name + strlen(name) + 1;

        MHD_add_response_header(r->resp, name, value);
        at = (size_t)(value + strlen(value) + 1 - (const char *)r->headers.data);
    }
    if (r->w && r->w->opts.server)
        MHD_add_response_header(r->resp, MHD_HTTP_HEADER_SERVER, r->w->opts.server);
    if (r->w && r->w->quiet)
        MHD_add_response_header(r->resp, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* Takes `bytes` (from base/alloc, may be NULL). Without memory the answer stays NULL
 * and the connection is closed instead. */
static void make(
    struct web_req *r, unsigned status, const char *type, void *bytes, size_t len)
{
    assert(!r->resp && r->phase != REQ_ANSWERED && r->phase != REQ_SENDING);
    r->status = status;
    if (bytes)
        r->resp =
            MHD_create_response_from_buffer_with_free_callback(len, bytes, bbt_free);
    else
        r->resp = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!r->resp)
        bbt_free(bytes);
    else if (type)
        MHD_add_response_header(r->resp, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    reply_headers(r);
}

/* The handler is done with the request. */
static void let_go(struct web_req *r)
{
    assert(r->owned);
    r->owned = false;
    r->phase = REQ_ANSWERED;
    if (r->conn)
        req_resume_soon(r);
    else
        req_free(r);
}

void web_reply(
    struct web_req *r, unsigned status, const char *type, const void *body, size_t len)
{
    void *copy = len ? bbt_alloc(len) : NULL;

    if (len && !copy) {
        make(r, 503, NULL, NULL, 0);
    } else {
        if (len)
            memcpy(copy, body, len);
        make(r, status, type, copy, len);
    }
    let_go(r);
}

void web_reply_take(
    struct web_req *r, unsigned status, const char *type, struct bbt_buf *b)
{
    size_t len = b->len;
    uint8_t *bytes = buf_take(b, NULL);

    make(r, status, type, bytes, bytes ? len : 0);
    let_go(r);
}

static char *problem_text(const struct web_req *r, unsigned status, const char *urn,
    const char *title, const char *detail, const char *extra)
{
    json_t *obj = NULL, *more = NULL;
    char *text = NULL;

    if (r->w && r->w->opts.plain_errors) {
        obj = json_pack("{s:o}", "error", json_clean(detail));
    } else {
        char *type = bbt_asprintf("urn:bbtd:problem:%s", urn);

        if (type)
            obj = json_pack("{s:s, s:s, s:i, s:o}", "type", type, "title", title,
                "status", (int)status, "detail", json_clean(detail));
        bbt_free(type);
    }
    if (obj && extra &&
        (json_parse(extra, strlen(extra), "extra", &more, NULL) != BBT_OK ||
            json_object_update(obj, more) != 0)) {
        json_decref(obj); /* all of it or nothing */
        obj = NULL;
    }
    if (obj)
        text = json_print(obj);
    json_decref(more);
    json_decref(obj);
    return text;
}

void reply_problem(struct web_req *r, unsigned status, const char *urn,
    const char *title, const char *detail, const char *extra)
{
    bool plain = r->w && r->w->opts.plain_errors;
    char *text = problem_text(r, status, urn, title, detail, extra);

    make(r, status, plain ? "application/json" : "application/problem+json", text,
        text ? strlen(text) : 0);
}

void web_problem(struct web_req *r, unsigned status, const char *urn, const char *title,
    const char *detail, const char *extra)
{
    reply_problem(r, status, urn, title, detail, extra);
    let_go(r);
}
