#include "net/exchange.h"

#include "base/alloc.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

/* --- process-wide --- */

/* Allocations that curl was refused, on any thread: it does not always say so itself. */
static atomic_ulong refused;

static void *noted(void *p)
{
    if (!p)
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    return p;
}

static void *on_malloc(size_t size)
{
    return noted(bbt_alloc(size));
}

static void *on_calloc(size_t n, size_t size)
{
    return noted(bbt_calloc(n, size));
}

static void *on_realloc(void *old, size_t size)
{
    return noted(bbt_realloc(old, size));
}

static char *on_strdup(const char *s)
{
    return noted(bbt_strdup(s));
}

enum bbt_rc http_global_init(struct bbt_err *err)
{
    unsigned long before = atomic_load(&refused);
    CURLcode e;

    signal(SIGPIPE, SIG_IGN);
    e = curl_global_init_mem(
        CURL_GLOBAL_DEFAULT, on_malloc, bbt_free, on_realloc, on_strdup, on_calloc);
    if (e)
        return bbt_fail(err, atomic_load(&refused) == before ? BBT_IO : BBT_NOMEM,
            "HTTP library: %s", curl_easy_strerror(e));
    return BBT_OK;
}

void http_global_fini(void)
{
    curl_global_cleanup();
}

/* --- what curl asks while it works --- */

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t room = size * n, done = 0;

    while (done < room && x->at < x->send_nr) {
        const struct bbt_slice *s = &x->send[x->at];
        size_t take = s->n - x->off < room - done ? s->n - x->off : room - done;

        if (take)
            memcpy(to + done, (const char *)s->p + x->off, take);
        done += take;
        x->off += take;
        if (x->off == s->n) {
            x->at++;
            x->off = 0;
        }
    }
    return done;
}

/* Only to the start: curl rewinds when it must send again on a fresh connection. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct exchange *x = arg;

    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    x->at = x->off = 0;
    return CURL_SEEKFUNC_OK;
}

static bool keep(
    struct exchange *x, struct bbt_buf *to, const void *p, size_t n, bool *over)
{
    enum bbt_rc rc = buf_put(to, p, n);

    if (rc == BBT_NOMEM)
        x->no_mem = true;
    else if (rc != BBT_OK)
        *over = true;
    return rc == BBT_OK;
}

static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * n, end = len;
    const char *colon = memchr(line, ':', len);
    const char *value;

    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        x->head_seen = true;
        x->head->len = 0; /* 100 Continue came before: only the last block counts */
        return len;
    }
    while (end > 0 && strchr(" \t\r\n", line[end - 1]))
        end--;
    if (!colon || end == 0 || memchr(line, '\0', len))
        return len;
    for (value = colon + 1; value < line + end && (*value == ' ' || *value == '\t');)
        value++;
    if (!keep(x, x->head, line, (size_t)(colon - line), &x->head_over) ||
        !keep(x, x->head, "", 1, &x->head_over) ||
        !keep(x, x->head, value, value < line + end ? (size_t)(line + end - value) : 0,
            &x->head_over) ||
        !keep(x, x->head, "", 1, &x->head_over))
        return 0;
    return len;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * n, room = EXCHANGE_WORDS_MAX - x->body->len;
    unsigned status = exchange_status(x);

    x->body_over = x->sink_max && len > x->sink_max - x->came;
    if (x->body_over)
        return 0;
    x->came += len;
    if (x->sink && status >= 200 && status < 300) {
        if (x->sink(x->sink_arg, p, len))
            return len;
        x->sink_stop = true;
        return 0;
    }
    if (x->sink_max && x->body->max > EXCHANGE_WORDS_MAX && len > room)
        return keep(x, x->body, p, room, &x->body_over) ? len : 0;
    return keep(x, x->body, p, len, &x->body_over) ? len : 0;
}

/* --- setting up --- */

static bool add_header(struct exchange *x, const char *line)
{
    struct curl_slist *more = curl_slist_append(x->list, line);

    if (more)
        x->list = more;
    return more != NULL;
}

static bool has_header(const struct exchange *x, const char *name)
{
    size_t n = strlen(name);

    for (const char *const *h = x->headers; h && *h; h++)
        if (strncasecmp(*h, name, n) == 0 && (*h)[n] == ':')
            return true;
    return false;
}

static CURLcode set_headers(struct exchange *x)
{
    for (const char *const *h = x->headers; h && *h; h++)
        if (!add_header(x, *h))
            return CURLE_OUT_OF_MEMORY;
    /* No waiting for "100 Continue"; no form type that nobody asked for. */
    if (!add_header(x, "Expect:") ||
        (!has_header(x, "Content-Type") && !add_header(x, "Content-Type:")))
        return CURLE_OUT_OF_MEMORY;
    return curl_easy_setopt(x->h, CURLOPT_HTTPHEADER, x->list);
}

/* Always with a length: an upload of unknown size is a known trap of this curl. */
static CURLcode set_method(struct exchange *x, curl_off_t len)
{
    CURLcode e;

    if (strcmp(x->method, "HEAD") == 0)
        return curl_easy_setopt(x->h, CURLOPT_NOBODY, 1L);
    if (strcmp(x->method, "GET") == 0 && len == 0)
        return curl_easy_setopt(x->h, CURLOPT_HTTPGET, 1L);
    if (len == 0 && strcmp(x->method, "POST") != 0 && strcmp(x->method, "PUT") != 0 &&
        strcmp(x->method, "PATCH") != 0)
        return curl_easy_setopt(x->h, CURLOPT_CUSTOMREQUEST, x->method);
    e = curl_easy_setopt(x->h, CURLOPT_POST, 1L);
    if (!e && strcmp(x->method, "POST") != 0)
        e = curl_easy_setopt(x->h, CURLOPT_CUSTOMREQUEST, x->method);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_POSTFIELDSIZE_LARGE, len);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_READFUNCTION, on_send);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_READDATA, x);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_SEEKFUNCTION, on_seek);
    return e ? e : curl_easy_setopt(x->h, CURLOPT_SEEKDATA, x);
}

static CURLcode set_rules(struct exchange *x)
{
    struct opt {
        CURLoption name;
        long value;
    };
    const struct opt longs[] = {
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_TCP_KEEPALIVE, 1},
        {CURLOPT_PATH_AS_IS, 1},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_TIMEOUT_MS, x->timeout_ms},
        {CURLOPT_CONNECTTIMEOUT_MS, x->connect_timeout_ms},
    };
    curl_off_t cap = x->body->max < (size_t)INT64_MAX ? (curl_off_t)x->body->max : 0;
    CURLcode e = CURLE_OK;

    for (size_t i = 0; !e && i < sizeof(longs) / sizeof(longs[0]); i++)
        e = curl_easy_setopt(x->h, longs[i].name, longs[i].value);
    if (!e && (!x->sink || x->sink_max)) /* no first byte of an announced 10 GB */
        e = curl_easy_setopt(x->h, CURLOPT_MAXFILESIZE_LARGE, cap);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_PROTOCOLS_STR, "http,https");
    if (!e) /* "" is "none": the environment is not asked */
        e = curl_easy_setopt(x->h, CURLOPT_PROXY, x->proxy ? x->proxy : "");
    if (!e)
        e = curl_easy_setopt(
            x->h, CURLOPT_USERAGENT, x->agent ? x->agent : "bbtd/" BBT_VERSION);
    if (!e && x->ca_file)
        e = curl_easy_setopt(x->h, CURLOPT_CAINFO, x->ca_file);
    if (!e && x->unix_path)
        e = curl_easy_setopt(x->h, CURLOPT_UNIX_SOCKET_PATH, x->unix_path);
    return e;
}

static CURLcode set_sinks(struct exchange *x)
{
    CURLcode e = curl_easy_setopt(x->h, CURLOPT_ERRORBUFFER, x->why);

    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_HEADERFUNCTION, on_head);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_HEADERDATA, x);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_WRITEFUNCTION, on_body);
    return e ? e : curl_easy_setopt(x->h, CURLOPT_WRITEDATA, x);
}

enum bbt_rc exchange_open(struct exchange *x, struct bbt_err *err)
{
    uint64_t len = 0;
    CURLcode e;

    for (size_t i = 0; i < x->send_nr; i++)
        if (__builtin_add_overflow(len, x->send[i].n, &len) || len > INT64_MAX)
            return bbt_fail(err, BBT_INVALID, "request body too large");
    x->refused = atomic_load(&refused);
    x->h = curl_easy_init();
    if (!x->h)
        return bbt_fail(err, BBT_NOMEM, "no memory for an HTTP request");
    e = set_sinks(x);
    if (!e)
        e = set_rules(x);
    if (!e)
        e = curl_easy_setopt(x->h, CURLOPT_URL, x->url);
    if (!e)
        e = set_headers(x);
    if (!e)
        e = set_method(x, (curl_off_t)len);
    if (e) {
        exchange_close(x);
        return bbt_fail(err, e == CURLE_OUT_OF_MEMORY ? BBT_NOMEM : BBT_INVALID,
            "cannot set up an HTTP request: %s", curl_easy_strerror(e));
    }
    return BBT_OK;
}

void exchange_close(struct exchange *x)
{
    curl_easy_cleanup(x->h);
    curl_slist_free_all(x->list);
    x->h = NULL;
    x->list = NULL;
}

void exchange_rewind(struct exchange *x)
{
    x->at = x->off = x->came = 0;
    x->head_seen = false;
    x->head->len = x->body->len = 0;
    x->why[0] = '\0';
}

/* --- what came of it --- */

static enum bbt_rc class_of(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also: the first bytes were not HTTP */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_BAD_CONTENT_ENCODING:
        return BBT_INVALID;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return BBT_DENIED;
    case CURLE_READ_ERROR:
        return BBT_IO;
    default: /* not reached, cut off, timed out, garbled on the way */
        return BBT_AGAIN;
    }
}

/* curl says "out of memory" also for a header line that is too long for it, and "cannot resolve"
 * where it was short of memory. */
static bool was_short(const struct exchange *x, CURLcode code)
{
    if (x->no_mem || (code == CURLE_OUT_OF_MEMORY && !x->head_seen))
        return true;
    return (code == CURLE_OUT_OF_MEMORY || code == CURLE_COULDNT_RESOLVE_HOST) &&
        atomic_load(&refused) != x->refused;
}

enum bbt_rc exchange_result(struct exchange *x, CURLcode code, struct bbt_err *err)
{
    if (code == CURLE_OK)
        return BBT_OK;
    if (x->sink_stop)
        return bbt_fail(err, BBT_CANCELED, "stopped by the reader");
    if (was_short(x, code))
        return bbt_fail(err, BBT_NOMEM, "no memory for the HTTP response");
    if (x->body_over || code == CURLE_FILESIZE_EXCEEDED)
        return bbt_fail(
            err, BBT_INVALID, "response body larger than %zu bytes", x->body->max);
    if (x->head_over || code == CURLE_OUT_OF_MEMORY)
        return bbt_fail(err, BBT_INVALID, "response headers larger than %zu bytes",
            EXCHANGE_HEAD_MAX);
    return bbt_fail(
        err, class_of(code), "%s", x->why[0] ? x->why : curl_easy_strerror(code));
}

unsigned exchange_status(struct exchange *x)
{
    long status = 0;

    curl_easy_getinfo(x->h, CURLINFO_RESPONSE_CODE, &status);
    return status > 0 ? (unsigned)status : 0;
}

const char *exchange_header(const struct bbt_buf *head, const char *name)
{
    size_t len = strlen(name), at = 0;
    bool prefix = len > 0 && name[len - 1] == '*';
    const char *found = NULL;

    while (at < head->len) {
        const char *have = (const char *)head->data + at;
        const char *value = have + strlen(have) + 1;

        if (prefix ? strncasecmp(have, name, len - 1) == 0 : strcasecmp(have, name) == 0)
            found = value;
        at = (size_t)(value + strlen(value) + 1 - (const char *)head->data);
    }
    return found;
}
