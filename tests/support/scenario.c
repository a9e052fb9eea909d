/* scenario.c -- what the hostile server can do to a client, by name (table at the end).
 */
#include "peer.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

bool peer_say(struct peer *p, const char *s)
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
    return peer_say(
        p, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Who: hostile\r\n\r\nok\n");
}

static bool s_echo(struct peer *p)
{
    char head[96];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
        p->body_len);
    return peer_say(p, head) && put(p, p->in + p->head_len, p->body_len);
}

/* The head as it came, for tests of what the client sends. */
static bool s_mirror(struct peer *p)
{
    char head[96];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
        p->head_len);
    return peer_say(p, head) && put(p, p->in, p->head_len);
}

static bool s_html(struct peer *p)
{
    return peer_say(p,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 37\r\n\r\n"
        "<html><body>Welcome!</body></html>\r\n\n");
}

static bool s_half(struct peer *p)
{
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this much");
    return false;
}

static bool s_badstatus(struct peer *p)
{
    peer_say(p, "220 mail.example.org ESMTP ready\r\n\r\nhello\r\n");
    return false;
}

static bool s_huge(struct peer *p)
{
    static const char zeros[65536];

    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n");
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
    peer_say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (!p->h->stop && put(p, chunk, 6 + 4096 + 2))
        ;
    return false;
}

static bool s_badchunk(struct peer *p)
{
    peer_say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nwhat\r\n");
    return false;
}

static bool s_reset(struct peer *p)
{
    struct linger now = {.l_onoff = 1};

    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
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
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
    wait_peer(p, -1);
    return false;
}

static bool s_drip(struct peer *p)
{
    peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n");
    while (!p->h->stop && peer_say(p, "x") && wait_peer(p, 5))
        ;
    return false;
}

static bool s_429(struct peer *p)
{
    return peer_say(p, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
                       "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                       "{\"error\":\"slow down\"}");
}

static bool s_500(struct peer *p)
{
    return peer_say(p, "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\noops\n");
}

/* 200 000 bytes of an error. */
static bool s_bigerror(struct peer *p)
{
    char block[1000];

    memset(block, 'x', sizeof block);
    if (!peer_say(p, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 200000\r\n\r\n"))
        return false;
    for (int i = 0; i < 200; i++)
        if (!put(p, block, sizeof block))
            return false;
    return true;
}

static bool s_bighead(struct peer *p)
{
    char line[1024];

    memset(line, 'h', sizeof(line));
    memcpy(line, "X-Big: ", 7);
    memcpy(line + sizeof(line) - 3, "\r\n", 2);
    peer_say(p, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 200; i++)
        put(p, line, sizeof(line) - 1);
    peer_say(p, "Content-Length: 0\r\n\r\n");
    return false;
}

static bool s_longline(struct peer *p)
{
    static char line[200000];

    peer_say(p, "HTTP/1.1 200 OK\r\nX-Long: ");
    memset(line, 'l', sizeof(line));
    put(p, line, sizeof(line));
    peer_say(p, "\r\nContent-Length: 0\r\n\r\n");
    return false;
}

static bool s_close(struct peer *p)
{
    (void)p;
    return false;
}

/* Promises to keep the connection and then closes it: the next request meets a corpse.
 */
static bool s_keepclose(struct peer *p)
{
    peer_say(p,
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nok\n");
    return false;
}

static bool s_continue(struct peer *p)
{
    return peer_say(p, "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nX-Late: 1\r\nContent-Length: 0\r\n\r\n");
}

static bool s_redirect(struct peer *p)
{
    return peer_say(
        p, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
}

static bool s_lines(struct peer *p)
{
    return peer_say(p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "5\r\none\r\n\r\n4\r\ntw\no\r\n7\r\n\n\nlast.\r\n0\r\n\r\n");
}

static const struct scenario scenarios[] = {
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
    {"bigerror", s_bigerror},
    {"bighead", s_bighead},
    {"longline", s_longline},
    {"close", s_close},
    {"keepclose", s_keepclose},
    {"continue", s_continue},
    {"redirect", s_redirect},
    {"lines", s_lines},
};

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}
