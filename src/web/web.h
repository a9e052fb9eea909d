/* web.h -- an HTTP/1.1 server inside the loop: routes, capped bodies, late replies,
 * streams.
 *
 * A handler is called in a turn of its own, once the whole request is in. It may answer
 * at once or keep the request and answer many turns later; in between the connection is
 * suspended. Strings lent by a request live until it is answered (or its stream ended).
 * Wrong paths (404), methods (405 with Allow), sizes (413, 431) and malformed requests
 * are answered here. No TLS. Loop thread only. */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bbt_buf;
struct loop;
struct op;
struct web;
struct web_req;

#define WEB_PARTS_MAX 8 /* captures in one pattern */

/* Owes the request exactly one of: web_reply*(), web_problem(), web_stream_start(). */
typedef void web_handler_fn(struct web_req *r, void *arg);

/* Pattern: segments separated by '/'; a segment is a literal, "{name}" (one non-empty
 * segment without ':'), or "{name}:action". A literal is preferred to a capture. GET
 * also serves HEAD. */
struct web_route {
    const char *method;
    const char *pattern;
    web_handler_fn *handler;
    size_t body_max; /* bytes; larger bodies get 413 */
};

struct web_opts {
    bool plain_errors;        /* {"error": "..."} instead of application/problem+json */
    unsigned connections_max; /* per listening socket; 0: 256 */
    size_t head_max;          /* bytes of a request's head (431 above); 0: 32 KiB */
    uint64_t request_us; /* a request must be in this long after connect or after the
                            last reply, keep-alive rest included; 0: 60 s */
    uint64_t idle_us;    /* a reply that makes no progress is cut; 0: 60 s */
    const char *server;  /* Server header; NULL: none */
};

/* `routes` (n of them, kept by reference) and `arg` must outlive the server. `opts` may
 * be NULL. BBT_INVALID for a pattern that cannot be. */
BBT_NODISCARD enum bbt_rc web_new(struct loop *l, const struct web_opts *opts,
    const struct web_route *routes, size_t n, void *arg, struct web **ret,
    struct bbt_err *err);

/* A unix socket with permission bits `mode`, right before the first connection can
 * come. A socket file that nobody answers is replaced; BBT_CONFLICT where somebody
 * answers or something else than a socket is there. Removed again by web_free(). */
BBT_NODISCARD enum bbt_rc web_listen_unix(
    struct web *w, const char *path, unsigned mode, struct bbt_err *err);

/* `port` 0: any; *ret_port (may be NULL) is the real one. BBT_CONFLICT: port in use. */
BBT_NODISCARD enum bbt_rc web_listen_tcp(struct web *w, const char *host, uint16_t port,
    uint16_t *ret_port, struct bbt_err *err);

/* A listening socket from somebody else (socket activation); the server closes it. */
BBT_NODISCARD enum bbt_rc web_listen_fd(struct web *w, int fd, struct bbt_err *err);

/* Accepts no more connections; requests that still come get 503. Replies under way go
 * on: `idle` (may be NULL) is woken when web_busy() falls to 0. */
void web_quiesce(struct web *w, struct op *idle);

/* Requests accepted and not yet completely answered, streams included. */
size_t web_busy(const struct web *w);

/* Cuts everything. Requests that handlers still hold become gone; answering them stays
 * required and harmless. NULL is fine. */
void web_free(struct web *w);

/* --- what a request says --- */

const char *web_method(const struct web_req *r);
const char *web_path(const struct web_req *r); /* as sent, without the query */

/* The i-th capture, percent-decoded; "" where the pattern has fewer. */
const char *web_part(const struct web_req *r, size_t i);

/* First value of a query parameter, decoded; "" for a bare name, NULL where absent. */
const char *web_query(const struct web_req *r, const char *name);

/* NULL where absent. Name without case. */
const char *web_header(const struct web_req *r, const char *name);

/* NULL and 0 without a body. */
const void *web_body(const struct web_req *r, size_t *ret_len);

/* User id behind a unix socket; -1 on TCP. */
int64_t web_peer_uid(const struct web_req *r);

/* The client is not there any more (or cannot be reached). A half-closed connection
 * counts as gone, but a reply is still tried. */
bool web_gone(const struct web_req *r);

/* --- answers; each ends the request, `r` is not to be touched afterwards --- */

/* Adds a header to the answer to come; call before answering. A name or value that
 * cannot be a header is dropped. */
void web_reply_header(struct web_req *r, const char *name, const char *value);

/* Copies `body` (may be NULL where len is 0). `type` NULL: no Content-Type. */
void web_reply(
    struct web_req *r, unsigned status, const char *type, const void *body, size_t len);

/* The same, taking the buffer's bytes instead of copying; `b` is empty afterwards. */
void web_reply_take(
    struct web_req *r, unsigned status, const char *type, struct bbt_buf *b);

/* application/problem+json: `urn` is the last part of "urn:bbtd:problem:..."; `extra`
 * (may be NULL) is the text of a JSON object whose members are added. */
void web_problem(struct web_req *r, unsigned status, const char *urn, const char *title,
    const char *detail, const char *extra);

/* --- a long answer in pieces (server-sent events, downloads) --- */

/* Starts the answer. `gone` (may be NULL) is woken when the client vanishes or the
 * stream has room again after it was full. `room` bytes may wait unsent. The request
 * stays the caller's until web_stream_end(). */
void web_stream_start(
    struct web_req *r, unsigned status, const char *type, size_t room, struct op *gone);

/* Appends. BBT_AGAIN: the client reads too slowly, nothing was added; BBT_CANCELED: it
 * is gone; BBT_INVALID: longer than the whole room. */
BBT_NODISCARD enum bbt_rc web_stream_put(
    struct web_req *r, const void *bytes, size_t len);

/* Ends the answer after what is waiting; exactly once, also for a client that is gone.
 */
void web_stream_end(struct web_req *r);

#endif
