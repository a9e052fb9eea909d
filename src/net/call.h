/* call.h -- one blocking HTTP exchange, for the command line tool. No loop involved.
 *
 * Same rules as http.h: no redirects, no proxy from the environment. call_init() comes
 * first. */
#ifndef NET_CALL_H
#define NET_CALL_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Once per process; SIGPIPE is ignored afterwards. BBT_NOMEM, BBT_IO. */
BBT_NODISCARD enum bbt_rc call_init(struct bbt_err *err);

struct call {
    const char *method;
    const char *url;
    const char *unix_path;      /* or NULL */
    const char *const *headers; /* "Name: value", NULL at the end; or NULL */
    const void *body;
    size_t body_len;
    unsigned timeout_ms;         /* whole exchange; 0: none (streams) */
    unsigned connect_timeout_ms; /* 0: 5 s */
    size_t response_max;         /* 0: 64 MiB */
};

/* BBT_OK: *ret_status is an HTTP status and `ret` (an initialised buffer, which it
 * replaces; may be NULL) holds the body. Classes as in struct http_req; BBT_NOTFOUND:
 * no such unix socket, or nobody behind it. */
BBT_NODISCARD enum bbt_rc call_run(const struct call *c, unsigned *ret_status,
    struct bbt_buf *ret, struct bbt_err *err);

/* Gets each piece of a 2xx body; false ends the call (BBT_CANCELED). */
typedef bool call_bytes_fn(void *arg, const void *bytes, size_t len);
/* Gets each line without its end ("" for an empty one); the last need not be ended. */
typedef bool call_line_fn(void *arg, const char *line, size_t len);

/* As call_run(), but hands a 2xx body over as it comes (not capped); the body of any
 * other status goes to `ret`. A line longer than 1 MiB is BBT_INVALID. */
BBT_NODISCARD enum bbt_rc call_bytes(const struct call *c, call_bytes_fn *on_bytes,
    void *arg, unsigned *ret_status, struct bbt_buf *ret, struct bbt_err *err);
BBT_NODISCARD enum bbt_rc call_lines(const struct call *c, call_line_fn *on_line,
    void *arg, unsigned *ret_status, struct bbt_buf *ret, struct bbt_err *err);

#endif
