/* inside.h -- inside of src/web: one server, its sockets, connections and requests.
 *
 *   HEAD --> BODY --> HELD --------------------> ANSWERED --> SENDING
 *              |      suspended; waits for its      ^         freed when libmicrohttpd
 * is |      turn, then a handler's        |         done and a stream's owner too
 *              +------------ refused ---------------+
 *
 * libmicrohttpd's callbacks only move a request along and wake the server's operation;
 * handlers run from web_step(). */
#ifndef WEB_INSIDE_H
#define WEB_INSIDE_H

#include "base/buf.h"
#include "base/op.h"
#include "loop/timer.h"
#include "web/web.h"

#include <microhttpd.h>
#include <sys/types.h>
#include <uv.h>

/* Of a refused body, this much is read and dropped so that the client sees the answer.
 */
#define WEB_DISCARD_MAX ((uint64_t)1 << 20)
#define WEB_METHOD_ROOM 16
#define WEB_HEADERS_MAX ((size_t)8 << 10)

/* One listening socket is one daemon of libmicrohttpd; freed by the close callback. */
struct web_sock {
    struct web *w;
    struct web_sock *next;
    struct MHD_Daemon *d;
    uv_poll_t poll; /* on the daemon's epoll descriptor */
    struct loop_timer timer;
    bool ready; /* fact: something to run */
    bool quiet;
    char *path; /* of a unix socket we made */
    dev_t dev;
    ino_t ino;
};

/* One connection; freed by the close callback of `watch`. */
struct web_conn {
    struct web *w;
    struct web_conn *next, **at;
    struct web_req *r; /* the request under way */
    uv_poll_t watch;   /* sees the client vanish while libmicrohttpd does not look */
    int fd;
    int64_t uid;
    uint64_t since_us; /* connect or last answer */
};

enum req_phase { REQ_HEAD, REQ_BODY, REQ_HELD, REQ_ANSWERED, REQ_SENDING };

struct web_req {
    struct web *w; /* NULL once the server is gone */
    struct web_sock *sock;
    struct web_conn *conn; /* NULL once libmicrohttpd is done */
    struct MHD_Connection *mhd;
    enum req_phase phase;
    const struct web_route *route;
    bool owned; /* a handler owes the answer, or the end of the stream */
    bool suspended;
    bool gone;
    bool linked; /* in the ready or the resume list, by `next` */
    struct web_req *next;

    char method[WEB_METHOD_ROOM];
    char *path, *parts, *query; /* made from the request target, behind the struct */
    const char *part[WEB_PARTS_MAX];
    size_t parts_n;
    struct bbt_buf body;
    bool refused; /* by us, before any handler */
    uint64_t discarded;

    struct bbt_buf headers; /* of the answer: name NUL value NUL ... */
    struct MHD_Response *resp;
    unsigned status;

    bool stream;
    bool stream_full; /* a put was refused: the owner waits for room */
    struct bbt_buf out;
    size_t out_off; /* bytes of `out` already sent */
    struct op *gone_op;
};

struct req_list {
    struct web_req *head, **tail;
};

struct web {
    struct loop *loop;
    struct web_opts opts;
    const struct web_route *routes;
    size_t routes_n;
    void *arg;
    struct web_sock *socks;
    struct web_conn *conns;
    struct op op;
    struct req_list ready;  /* whole requests that wait for their turn */
    struct req_list resume; /* connections to give back to libmicrohttpd */
    struct loop_timer sweep;
    size_t busy;
    bool quiet, closing;
    struct op *idle;
};

/* web.c */
void web_list_put(struct req_list *list, struct web_req *r);
struct web_req *web_list_take(struct req_list *list);

/* route.c: splits and decodes the target, finds the route; 0 or the status that
 * refuses. */
unsigned route_find(struct web_req *r, struct bbt_buf *ret_allow);
enum bbt_rc route_check(const struct web_route *route, struct bbt_err *err);

/* req.c: libmicrohttpd's callbacks; cls is the struct web_sock. */
void *req_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result req_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **con_cls);
void req_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
    enum MHD_RequestTerminationCode why);
void req_on_connection(void *cls, struct MHD_Connection *mhd, void **ctx,
    enum MHD_ConnectionNotificationCode what);
void req_suspend(struct web_req *r);
void req_resume(struct web_req *r); /* gives it back to libmicrohttpd, now */
void req_resume_soon(struct web_req *r);
struct web_req *req_new(
    struct web *w, const char *uri); /* copies `uri`; NULL: no memory */
void req_free(struct web_req *r);

/* reply.c: makes the answer, does not send it. */
void reply_problem(struct web_req *r, unsigned status, const char *urn,
    const char *title, const char *detail, const char *extra);
void reply_headers(struct web_req *r);

#endif
