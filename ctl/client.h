/* client.h -- requests to the daemon: over which socket, what an answer means. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "base/buf.h"
#include "ctl.h"

struct client_req {
    const char *method; /* NULL: GET */
    const char *path;
    const void *body;
    size_t len;
    const char *key;   /* Idempotency-Key; or NULL */
    bool raw;          /* the answer is bytes, not JSON */
    bool slow;         /* asks a model: minutes are fine */
};

struct client_reply {
    unsigned status;
    struct bbt_buf body;
    json_t *json; /* NULL where `raw`, or where the body is no JSON */
};

/* Frees what a reply holds; a zeroed one is fine. */
void client_fini(struct client_reply *r);

/* Silent: BBT_OK with any HTTP status; `ret` is written only then and to be freed with
 * client_fini(). BBT_NOTFOUND, BBT_DENIED: not reachable, with socket, cause and what to do;
 * BBT_AGAIN: cut off or too slow. */
BBT_NODISCARD enum bbt_rc client_send(struct ctl *c, const struct client_req *q,
    struct client_reply *ret, struct bbt_err *err);

/* CTL_OK and a 2xx answer, or it has been told. */
int client_ask(struct ctl *c, const struct client_req *q, struct client_reply *ret);

/* GET of a JSON document. The caller owns *ret. */
int client_get(struct ctl *c, const char *path, json_t **ret);

/* Tells a transport failure, or an answer that is not 2xx; returns the status of it. */
int client_unreachable(const struct ctl *c, const struct bbt_err *err);
int client_refused(const struct ctl *c, const struct client_reply *r);

/* The exit status that an HTTP status means; CTL_OK for 2xx. */
int client_code(unsigned status);

/* All pages of GET /v1/jobs: a JSON array, oldest first, owned by the caller. `query`: more
 * of the query string ("state=queued"), or NULL. */
int client_jobs(struct ctl *c, const char *query, json_t **ret);

/* `text` for use as one part of a path or query; freed by bbt_free(), NULL without memory. */
char *client_escape(const char *text);

#endif
