/* wire.h -- a raw client socket for tests: sends exactly these bytes, keeps what comes.
 * Never blocks, so that the server may live in the same thread. */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct wire {
    int fd;
    struct bbt_buf in; /* all that came */
    bool eof;          /* the peer closed or reset */
};

/* Connects to 127.0.0.1 or to a unix socket; false where nobody is there. */
bool wire_tcp(struct wire *w, uint16_t port);
bool wire_unix(struct wire *w, const char *path);
void wire_close(struct wire *w);

/* How many bytes went out (maybe 0); -1: the peer is gone. */
long wire_send(struct wire *w, const void *bytes, size_t len);

/* wire_send of a string that is small enough for the socket's buffer. */
bool wire_say(struct wire *w, const char *s);

/* Takes in what is there. True where `w->in` contains `text`. */
bool wire_has(struct wire *w, const char *text);

/* Takes in what is there. True after the peer closed. */
bool wire_ended(struct wire *w);

/* How often `text` came so far. */
unsigned wire_count(struct wire *w, const char *text);

#endif
