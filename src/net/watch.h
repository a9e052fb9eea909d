/* watch.h -- inside of src/net: curl's multi handle, its sockets and its time watched by the loop.
 *
 * curl's callbacks only set a poll or a timer. It is called from its owner's step, when
 * watch_due(), and from libuv's callbacks through `act`, never from its own. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "loop/timer.h"

#include <curl/curl.h>
#include <stdbool.h>

struct loop;
struct op;

struct watch {
    /* the owner's, between watch_init() and watch_start() */
    long connections_max; /* kept open, and at most at once per host */
    void (*act)(struct watch *w, curl_socket_t fd, int what); /* a socket is ready */
    void (*unwatched)(CURL *easy); /* no memory to watch its socket; from a callback of curl's */

    CURLM *multi; /* NULL while stopped */

    /* private */
    struct loop *loop;
    struct op *wake;
    struct loop_timer timer;
    bool kick; /* curl wants to be called as soon as possible */
};

/* Without a handle yet. `wake` is woken when curl is due; both are borrowed. */
void watch_init(struct watch *w, struct loop *l, struct op *wake);

/* Makes the handle, where there is none; false without memory. */
bool watch_start(struct watch *w);

/* Frees the handle and closes its connections; it has no transfers any more. Fine while
 * stopped. */
void watch_stop(struct watch *w);

/* True once for each time that curl's timeout came: curl is to be called. */
bool watch_due(struct watch *w);

#endif
