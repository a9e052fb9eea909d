/* http.h -- HTTP exchanges in the loop: start, wait for `done`, look at the facts.
 *
 * One transfer per request: HTTP/1.1, no redirects, no proxy from the environment, no
 * retries (but see http_start). What a status means is not decided here. Loop thread
 * only. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct http_xfer;
struct loop;
struct op;

struct http_opts {
    const char *agent;        /* User-Agent; NULL: "bbtd/VERSION" */
    const char *proxy;        /* URL; NULL: none, whatever the environment says */
    const char *ca_file;      /* PEM; NULL: the system's */
    unsigned connections_max; /* kept open, and at most at once per host; 0: 64 */
};

struct http_req {
    /* in: borrowed until `done` */
    const char *method;    /* "GET", "POST", ... */
    const char *url;       /* http or https */
    const char *unix_path; /* connect to this socket instead of the host; or NULL */
    const char *const *headers;    /* "Name: value", NULL at the end; or NULL */
    const struct bbt_slice *send; /* request body in pieces; send_nr 0: none */
    size_t send_nr;
    uint64_t timeout_us;         /* the whole exchange; 0: 60 s */
    uint64_t connect_timeout_us; /* 0: 10 s */
    size_t response_max;         /* bytes of a body; more is BBT_INVALID */
    /* Gets a 2xx body as it comes, instead of `body`: status and http_header() are known. A
     * first call with NULL says that one begins; after another such call, only what follows
     * counts (it was sent once more). Called from the loop, at least once for a complete
     * 2xx response; not to call back into net. NULL: none. With it, other bodies are kept
     * up to 64 KiB. */
    void (*take)(void *arg, const void *bytes, size_t len);
    void *take_arg;

    /* facts, valid once `done` */
    bool done;
    /* BBT_OK: a complete HTTP response of any status. BBT_AGAIN: not reached, cut off
     * or timed out. BBT_INVALID: body or headers over the cap, not HTTP, bad URL.
     * BBT_DENIED: TLS certificate refused. BBT_CANCELED: aborted. BBT_NOMEM: memory was
     * short, of this request or of one that ran beside it. */
    enum bbt_rc rc;
    struct bbt_err
        err; /* the sentence where rc is not BBT_OK; names host, never path or key */
    unsigned status;
    struct bbt_buf body; /* the response's; whole only where rc is BBT_OK */
    uint64_t total_us;   /* start to end */
    bool reused;         /* on a connection that was already open */
    bool sent; /* at least one byte of the request left: the peer may have acted */

    /* private */
    struct bbt_buf head;
    struct http_xfer *x;
};

/* Once per process before the rest of net (also for bbtctl). SIGPIPE is ignored
 * afterwards. */
BBT_NODISCARD enum bbt_rc http_global_init(struct bbt_err *err);
void http_global_fini(void);

/* `opts` may be NULL; its strings are copied. */
BBT_NODISCARD enum bbt_rc http_client_new(struct loop *l, const struct http_opts *opts,
    struct http_client **ret, struct bbt_err *err);

/* Requests still running end with BBT_CANCELED (done and woken). NULL is fine. */
void http_client_free(struct http_client *c);

/* Requests that have begun and are not done. */
size_t http_client_running(const struct http_client *c);

/* Sets every fact to "not yet"; for a fresh request (its memory zeroed or its last use
 * finished by http_req_fini). The in-fields stay. */
void http_req_init(struct http_req *r);

/* Frees what the response left. Not while running. */
void http_req_fini(struct http_req *r);

/* Always ends in `done` and a woken `wake`, in a later turn, failures included. A
 * request that meets a kept connection which the peer closed meanwhile, before one byte
 * of answer, is sent once more on a fresh one, as RFC 9112 9.3.1 has it. */
void http_start(struct http_client *c, struct http_req *r, struct op *wake);

/* The request still ends in `done`, in a later turn (BBT_CANCELED where it was not
 * over). Fine on a request that does not run. */
void http_abort(struct http_client *c, struct http_req *r);

/* Value of a response header (the last of that name), NULL where absent. Name without
 * case; one that ends in '*' stands for every name that begins so. Lent until
 * http_req_fini(). */
const char *http_header(const struct http_req *r, const char *name);

#endif
