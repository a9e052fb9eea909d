/* peer.h -- inside of the hostile server: one connection and the ways to treat it. */
#ifndef SUPPORT_PEER_H
#define SUPPORT_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    pthread_mutex_t
        closing; /* a descriptor is not cut after it was closed and reused */
    atomic_bool stop;
    _Atomic(const char *) fixed;
    atomic_uint connections, requests;
    atomic_ullong sent;
    struct peer peers[PEERS_MAX];
};

struct scenario {
    const char *name;
    bool (*run)(struct peer *p); /* true where the connection may go on */
};

/* NULL for an unknown name. */
const struct scenario *scenario_find(const char *name);

/* All of it; false where the peer is gone. */
bool peer_say(struct peer *p, const char *s);

#endif
