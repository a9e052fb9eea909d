/* stream.c -- answers in pieces.
 *
 * Where nothing waits to be sent, the reader suspends its connection; the next put, the
 * end or the client's disappearance resumes it. */
#include "web/inside.h"

#include <assert.h>
#include <string.h>

#define READ_BLOCK (16u << 10)

static ssize_t on_read(void *cls, uint64_t pos, char *to, size_t max)
{
    struct web_req *r = cls;
    size_t left = r->out.len - r->out_off;

    (void)pos;
    if (r->gone || (r->w && r->w->closing))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (left) {
        size_t n = left < max ? left : max;

        memcpy(to, r->out.data + r->out_off, n);
        r->out_off += n;
        if (r->stream_full && r->gone_op) {
            r->stream_full = false;
            op_wake(r->gone_op);
        }
        return (ssize_t)n;
    }
    if (!r->owned)
        return MHD_CONTENT_READER_END_OF_STREAM;
    req_suspend(r);
    return 0;
}

void web_stream_start(
    struct web_req *r, unsigned status, const char *type, size_t room, struct op *gone)
{
    assert(r->owned && !r->stream && !r->resp);
    r->status = status;
    r->stream = true;
    r->gone_op = gone;
    buf_init(&r->out, room);
    r->phase = REQ_ANSWERED;
    if (r->gone && gone)
        op_wake(gone);
    if (!r->conn)
        return;
    r->resp = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, READ_BLOCK, on_read, r, NULL);
    if (r->resp && type)
        MHD_add_response_header(r->resp, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    reply_headers(r);
    req_resume_soon(r);
}

enum bbt_rc web_stream_put(struct web_req *r, const void *bytes, size_t len)
{
    enum bbt_rc rc;

    assert(r->owned && r->stream);
    if (r->gone)
        return BBT_CANCELED;
    if (len > r->out.max)
        return BBT_INVALID;
    if (r->out_off > 0) {
        memmove(r->out.data, r->out.data + r->out_off, r->out.len - r->out_off);
        r->out.len -= r->out_off;
        r->out_off = 0;
    }
    rc = buf_put(&r->out, bytes, len);
    if (rc != BBT_OK) {
        r->stream_full = true;
        return BBT_AGAIN;
    }
    if (r->suspended && r->phase == REQ_SENDING)
        req_resume_soon(r);
    return BBT_OK;
}

void web_stream_end(struct web_req *r)
{
    assert(r->owned && r->stream);
    r->owned = false;
    r->gone_op = NULL;
    if (!r->conn)
        req_free(r);
    else if (r->suspended)
        req_resume_soon(r);
}
