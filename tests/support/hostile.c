#include "hostile.h"

#include "base/alloc.h"
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
        const struct scenario *s = scenario_find(fixed ? fixed : p->name);
        size_t used = p->head_len + p->body_len;

        atomic_fetch_add(&p->h->requests, 1);
        go_on = s ? s->run(p)
                  : peer_say(p, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
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

/* Pages, not base/alloc: a test that makes allocations fail means those of the client.
 */
static void start_peer(struct peer *p, int fd)
{
    p->in = mmap(NULL, REQUEST_MAX, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    p->len = 0;
    p->fd = fd;
    p->used =
        p->in != MAP_FAILED && pthread_create(&p->thread, NULL, peer_main, p) == 0;
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
    const struct scenario *s = scenario ? scenario_find(scenario) : NULL;

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
