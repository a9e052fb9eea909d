/* exchange.h -- inside of src/net: one curl easy handle set up by the house's rules.
 *
 * Common ground of http.h (in the loop) and call.h (blocking): what is sent, what is
 * kept of the answer and up to which cap, and what a curl result means to us. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "base/buf.h"
#include "net/http.h"

#include <curl/curl.h>

#define EXCHANGE_WORDS_MAX ((size_t)64 << 10) /* enough for a server's sentence */
#define EXCHANGE_HEAD_MAX ((size_t)64 << 10)

struct exchange {
    /* in */
    const char *method, *url, *unix_path;
    const char *const *headers;
    const struct bbt_slice *send;
    size_t send_nr;
    long timeout_ms; /* 0: none */
    long connect_timeout_ms;
    const char *agent, *proxy, *ca_file;
    struct bbt_buf *head; /* gets name NUL value NUL ... of the final header block */
    struct bbt_buf *body; /* its cap is the response's */
    bool (*sink)(
        void *arg, const void *bytes, size_t len); /* gets 2xx bodies instead */
    void *sink_arg;
    size_t sink_max; /* bytes of a body, then BBT_INVALID; 0: no limit. With one, what is not
                        2xx is kept up to EXCHANGE_WORDS_MAX only */

    /* private */
    CURL *h;
    struct curl_slist *list;
    size_t at, off; /* next byte to send: slice, byte in it */
    size_t came;    /* bytes of the body */
    unsigned long refused; /* allocations that curl had been refused before */
    bool head_seen, head_over, body_over, sink_stop, no_mem;
    char why[CURL_ERROR_SIZE];
};

/* Makes x->h; the in-fields must stay as they are until exchange_close(). */
BBT_NODISCARD enum bbt_rc exchange_open(struct exchange *x, struct bbt_err *err);
void exchange_close(struct exchange *x);

/* Back to the first byte of the request, nothing of a response seen. */
void exchange_rewind(struct exchange *x);

/* The meaning of curl's result; the sentence where it is not BBT_OK. */
enum bbt_rc exchange_result(struct exchange *x, CURLcode code, struct bbt_err *err);

/* HTTP status of the answer; 0 before there is one. */
unsigned exchange_status(struct exchange *x);

/* Value of the last header of that name in a head as above, or where `name` ends in '*' of
 * the last whose name begins so; NULL where absent. */
const char *exchange_header(const struct bbt_buf *head, const char *name);

#endif
