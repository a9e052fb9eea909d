#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool dial(struct wire *w, const struct sockaddr *addr, socklen_t len)
{
    *w = (struct wire){.fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    buf_init(&w->in, (size_t)256 << 20);
    if (w->fd >= 0 && connect(w->fd, addr, len) == 0) {
        fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) | O_NONBLOCK);
        return true;
    }
    wire_close(w);
    return false;
}

bool wire_tcp(struct wire *w, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return dial(w, (struct sockaddr *)&a, sizeof(a));
}

bool wire_unix(struct wire *w, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    memcpy(a.sun_path, path, strnlen(path, sizeof(a.sun_path) - 1));
    return dial(w, (struct sockaddr *)&a, sizeof(a));
}

void wire_close(struct wire *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    buf_fini(&w->in);
}

long wire_send(struct wire *w, const void *bytes, size_t len)
{
    ssize_t n = send(w->fd, bytes, len, MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    return n;
}

bool wire_say(struct wire *w, const char *s)
{
    return wire_send(w, s, strlen(s)) == (long)strlen(s);
}

static void pull(struct wire *w)
{
    char some[65536];
    ssize_t n;

    while (!w->eof && (n = recv(w->fd, some, sizeof(some), MSG_DONTWAIT)) != -1) {
        if (n == 0 || buf_put(&w->in, some, (size_t)n) != BBT_OK)
            w->eof = true;
    }
    if (!w->eof && errno != EAGAIN)
        w->eof = true;
}

bool wire_has(struct wire *w, const char *text)
{
    pull(w);
    return w->in.data && memmem(w->in.data, w->in.len, text, strlen(text));
}

bool wire_ended(struct wire *w)
{
    pull(w);
    return w->eof;
}

unsigned wire_count(struct wire *w, const char *text)
{
    const uint8_t *at = w->in.data;
    unsigned n = 0;

    pull(w);
    at = w->in.data;
    while (at && (at = memmem(
                      at, (size_t)(w->in.data + w->in.len - at), text, strlen(text)))) {
        n++;
        at += strlen(text);
    }
    return n;
}
