#include "hostile.h"

#include "base/alloc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS_MAX 256
#define REQUEST_MAX ((size_t)16 << 20)

struct peer {
    struct hostile *h;
    pthread_t thread;
    atomic_int fd; /* -1: free slot or ended */
    bool used;
    /* the request under way */
    char *in;
    size_t len, head_len, body_len;
    char name[64];
};

struct hostile {
    int fd;
    uint16_t port;
    char *path;
    pthread_t thread;
    pthread_mutex_t closing; /* a descriptor is not cut after it was closed and reused */
    atomic_bool stop;
    _Atomic(const char *) fixed;
    atomic_uint connections, requests;
    atomic_ullong sent;
    struct peer peers[PEERS_MAX];
};

/* --- telling --- */

static bool put(struct peer *p, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = send(p->fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
        atomic_fetch_add(&p->h->sent, (unsigned long long)n);
    }
    return true;
}

static bool say(struct peer *p, const char *s)
{
    return put(p, s, strlen(s));
}

/* Waits for the peer to close, at most `ms` (-1: forever); false once it did. */
static bool wait_peer(struct peer *p, int ms)
{
    struct pollfd f = {.fd = p->fd, .events = POLLRDHUP};

    return poll(&f, 1, ms) == 0;
}

/* --- scenarios: true where the connection may go on --- */

static bool s_ok(struct peer *p)
{
    return say(p, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Who: hostile\r\n\r\nok\n");
}

static bool s_echo(struct peer *p)
{
    char head[96];

    snprintf(
        head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", p->body_len);
    return say(p, head) && put(p, p->in + p->head_len, p->body_len);
}

/* The head as it came, for tests of what the client sends. */
static bool s_mirror(struct peer *p)
{
    char head[96];

    snprintf(
        head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", p->head_len);
    return say(p, head) && put(p, p->in, p->head_len);
}

static bool s_html(struct peer *p)
{
    return say(p, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 37\r\n\r\n"
                  "<html><body>Welcome!</body></html>\r\n\n");
}

static bool s_half(struct peer *p)
{
    say(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this much");
    return false;
}

static bool s_badstatus(struct peer *p)
{
    say(p, "220 mail.example.org ESMTP ready\r\n\r\nhello\r\n");
    return false;
}

static bool s_huge(struct peer *p)
{
    static const char zeros[65536];

    say(p, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n");
    while (!p->h->stop && put(p, zeros, sizeof(zeros)))
        ;
    return false;
}

static bool s_endless(struct peer *p)
{
    char chunk[4096 + 8];

    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, 'x', 4096);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (!p->h->stop && put(p, chunk, 6 + 4096 + 2))
        ;
    return false;
}

static bool s_badchunk(struct peer *p)
{
    say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwhat\r\n");
    return false;
}

static bool s_reset(struct peer *p)
{
    struct linger now = {.l_onoff = 1};

    say(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    return false;
}

static bool s_hang(struct peer *p)
{
    wait_peer(p, -1);
    return false;
}

static bool s_hangbody(struct peer *p)
{
    say(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    wait_peer(p, -1);
    return false;
}

static bool s_drip(struct peer *p)
{
    say(p, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
    while (!p->h->stop && say(p, "x") && wait_peer(p, 5))
        ;
    return false;
}

static bool s_429(struct peer *p)
{
    return say(p, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
                  "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                  "{\"error\":\"slow down\"}");
}

static bool s_500(struct peer *p)
{
    return say(p, "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\noops\n");
}

static bool s_bighead(struct peer *p)
{
    char line[1024];

    memset(line, 'h', sizeof(line));
    memcpy(line, "X-Big: ", 7);
    memcpy(line + sizeof(line) - 3, "\r\n", 2);
    say(p, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 200; i++)
        put(p, line, sizeof(line) - 1);
    say(p, "Content-Length: 0\r\n\r\n");
    return false;
}

static bool s_longline(struct peer *p)
{
    static char line[200000];

    say(p, "HTTP/1.1 200 OK\r\nX-Long: ");
    memset(line, 'l', sizeof(line));
    put(p, line, sizeof(line));
    say(p, "\r\nContent-Length: 0\r\n\r\n");
    return false;
}

static bool s_close(struct peer *p)
{
    (void)p;
    return false;
}

/* Promises to keep the connection and then closes it: the next request meets a corpse. */
static bool s_keepclose(struct peer *p)
{
    say(p, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nok\n");
    return false;
}

static bool s_continue(struct peer *p)
{
    return say(p, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nX-Late: 1\r\nContent-Length: 0\r\n\r\n");
}

static bool s_redirect(struct peer *p)
{
    return say(p, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
}

static bool s_lines(struct peer *p)
{
    return say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\none\r\n\r\n4\r\ntw\no\r\n7\r\n\n\nlast.\r\n0\r\n\r\n");
}

static const struct scenario {
    const char *name;
    bool (*run)(struct peer *p);
} scenarios[] = {
    {"ok", s_ok},
    {"echo", s_echo},
    {"mirror", s_mirror},
    {"html", s_html},
    {"half", s_half},
    {"badstatus", s_badstatus},
    {"huge", s_huge},
    {"endless", s_endless},
    {"badchunk", s_badchunk},
    {"reset", s_reset},
    {"hang", s_hang},
    {"hangbody", s_hangbody},
    {"drip", s_drip},
    {"429", s_429},
    {"500", s_500},
    {"bighead", s_bighead},
    {"longline", s_longline},
    {"close", s_close},
    {"keepclose", s_keepclose},
    {"continue", s_continue},
    {"redirect", s_redirect},
    {"lines", s_lines},
};

static const struct scenario *find(const char *name)
{
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

/* --- listening --- */

/* More bytes of the request; false at the end. */
static bool more(struct peer *p)
{
    ssize_t n;

    if (p->len + 65536 >= REQUEST_MAX)
        return false;
    n = recv(p->fd, p->in + p->len, 65536, 0);
    if (n <= 0)
        return false;
    p->len += (size_t)n;
    p->in[p->len] = '\0';
    return true;
}

/* Keeps the last segment of the path as the scenario's name. */
static void name_of(struct peer *p)
{
    const char *from = p->in + strcspn(p->in, " \r\n");
    const char *end, *slash;

    from += *from == ' ';
    end = from + strcspn(from, " ?\r\n");
    for (slash = end; slash > from && slash[-1] != '/'; slash--)
        ;
    snprintf(p->name, sizeof(p->name), "%.*s", (int)(end - slash), slash);
}

static bool read_request(struct peer *p)
{
    const char *end, *cl;

    while (!(end = strstr(p->in, "\r\n\r\n")))
        if (!more(p))
            return false;
    p->head_len = (size_t)(end + 4 - p->in);
    cl = strcasestr(p->in, "\r\nContent-Length:");
    p->body_len = cl && cl < end ? strtoull(cl + 17, NULL, 10) : 0;
    while (p->len < p->head_len + p->body_len)
        if (!more(p))
            return false;
    name_of(p);
    return true;
}

static void *peer_main(void *arg)
{
    struct peer *p = arg;
    bool go_on = true;
    int fd;

    while (go_on && read_request(p)) {
        const char *fixed = p->h->fixed;
        const struct scenario *s = find(fixed ? fixed : p->name);
        size_t used = p->head_len + p->body_len;

        atomic_fetch_add(&p->h->requests, 1);
        go_on = s ? s->run(p)
                  : say(p, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        memmove(p->in, p->in + used, p->len - used + 1);
        p->len -= used;
    }
    munmap(p->in, REQUEST_MAX);
    pthread_mutex_lock(&p->h->closing);
    fd = atomic_exchange(&p->fd, -1);
    close(fd);
    pthread_mutex_unlock(&p->h->closing);
    return NULL;
}

/* A slot whose thread has ended may be used again. */
static struct peer *free_peer(struct hostile *h)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *p = &h->peers[i];

        if (p->used && p->fd == -1) {
            pthread_join(p->thread, NULL);
            p->used = false;
        }
        if (!p->used)
            return p;
    }
    return NULL;
}

/* Pages, not base/alloc: a test that makes allocations fail means those of the client. */
static void start_peer(struct peer *p, int fd)
{
    p->in = mmap(NULL, REQUEST_MAX, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    p->len = 0;
    p->fd = fd;
    p->used = p->in != MAP_FAILED &&
              pthread_create(&p->thread, NULL, peer_main, p) == 0;
    if (p->used)
        return;
    p->fd = -1;
    close(fd);
    if (p->in != MAP_FAILED)
        munmap(p->in, REQUEST_MAX);
}

static void *accept_main(void *arg)
{
    struct hostile *h = arg;
    int fd;

    while ((fd = accept(h->fd, NULL, NULL)) >= 0) {
        struct peer *p = free_peer(h);

        atomic_fetch_add(&h->connections, 1);
        if (!p || h->stop) {
            close(fd);
            continue;
        }
        p->h = h;
        start_peer(p, fd);
    }
    return NULL;
}

static bool bind_to(struct hostile *h, uint16_t port, const char *unix_path)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(in);
    int on = 1;

    h->fd = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (h->fd < 0)
        return false;
    if (unix_path) {
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", unix_path);
        h->path = bbt_strdup(unix_path);
        return bind(h->fd, (struct sockaddr *)&un, sizeof(un)) == 0;
    }
    setsockopt(h->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(h->fd, (struct sockaddr *)&in, sizeof(in)) ||
        getsockname(h->fd, (struct sockaddr *)&in, &len))
        return false;
    h->port = ntohs(in.sin_port);
    return true;
}

struct hostile *hostile_start(uint16_t port, const char *unix_path)
{
    struct hostile *h = bbt_calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    for (size_t i = 0; i < PEERS_MAX; i++)
        h->peers[i].fd = -1;
    pthread_mutex_init(&h->closing, NULL);
    if (!bind_to(h, port, unix_path) || listen(h->fd, 128) ||
        pthread_create(&h->thread, NULL, accept_main, h)) {
        if (h->fd >= 0)
            close(h->fd);
        bbt_free(h->path);
        bbt_free(h);
        return NULL;
    }
    return h;
}

uint16_t hostile_port(const struct hostile *h)
{
    return h->port;
}

void hostile_stop(struct hostile *h)
{
    if (!h)
        return;
    h->stop = true;
    shutdown(h->fd, SHUT_RDWR); /* accept() returns */
    pthread_join(h->thread, NULL);
    close(h->fd);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *p = &h->peers[i];

        if (!p->used)
            continue;
        pthread_mutex_lock(&h->closing);
        if (p->fd >= 0)
            shutdown(p->fd, SHUT_RDWR);
        pthread_mutex_unlock(&h->closing);
        pthread_join(p->thread, NULL);
    }
    pthread_mutex_destroy(&h->closing);
    if (h->path)
        unlink(h->path);
    bbt_free(h->path);
    bbt_free(h);
}

bool hostile_set(struct hostile *h, const char *scenario)
{
    const struct scenario *s = scenario ? find(scenario) : NULL;

    if (scenario && !s)
        return false;
    h->fixed = s ? s->name : NULL;
    return true;
}

unsigned hostile_connections(const struct hostile *h)
{
    return h->connections;
}

unsigned hostile_requests(const struct hostile *h)
{
    return h->requests;
}

unsigned long long hostile_sent(const struct hostile *h)
{
    return h->sent;
}
