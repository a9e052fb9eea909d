/* daemon.h -- the parts of bbtd and how they hang together. Composition only: what is decided
 * is decided in the engine. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "base/err.h"
#include "base/op.h"
#include "engine/engine.h"
#include "loop/timer.h"
#include "spec/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct api;
struct cache;
struct events;
struct http_client;
struct keys;
struct lane;
struct loop;
struct store;
struct upkeep;
struct web;
struct work_pool;

struct daemon {
    struct conf *conf;
    struct keys *keys;
    struct keys *keys_before; /* of the last reload: still looked for in texts */
    const char *conf_path;
    bool log_forced; /* --log-level: a reload leaves it alone */
    char *state_dir;   /* owned */
    char *socket_path; /* owned */
    struct loop *loop;
    struct store *store; /* used by the lane's thread only, once that runs */
    struct cache *cache; /* the same thread's; NULL = none */
    struct lane *lane;
    struct work_pool *pool;
    struct http_client *http;
    struct engine *engine;
    struct web *web;
    struct events *events;
    struct upkeep *upkeep;
    struct api *stories; /* API requests under way */
    int64_t started_us; /* wall clock */
    bool draining;      /* SIGTERM has come: nothing new is taken */
};

/* ports.c: gives the engine's ports their real ends. One daemon per process. */
void ports_bind(struct daemon *d);
void ports_unbind(void);

/* Hooks of the store's lane: a batch is one transaction. */
enum bbt_rc ports_begin(void *daemon);
enum bbt_rc ports_commit(void *daemon);

#endif
