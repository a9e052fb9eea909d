/* fakeweb.h -- the web server of the world: what clients ask reaches the daemon's handlers as
 * they know it (web/web.h), their answers and streams reach the client or get lost on the way.
 *
 * A request travels, is handled by the real routes and handlers, and its answer travels back;
 * each leg can break, the client can vanish while the handler works, a stream's reader can be
 * slow. Who asked is outside of the daemon's life: after its death every request is lost. */
#ifndef SIM_FAKEWEB_H
#define SIM_FAKEWEB_H

#include "base/buf.h"
#include "world.h"

#include <stdbool.h>
#include <stdint.h>

#define ASK_HEADERS_MAX 3

/* A request and what became of it. The client's memory, kept until `over`. */
struct ask {
    /* in */
    const char *method;
    char target[200];
    struct {
        const char *name;
        char value[100];
    } header[ASK_HEADERS_MAX];
    size_t headers;
    char *body; /* owned; text or NULL */
    void (*tell)(struct ask *a);   /* it is over */
    void (*stream)(struct ask *a); /* more of a long answer has come; or NULL */
    void (*answered)(struct ask *a); /* the daemon has, it is still on its way; or NULL */
    void *who;                     /* the client's own */
    int64_t job;                   /* what it is about, for the checkers; 0 = all or none */
    int64_t after;                 /* cursor */
    const char *key;               /* Idempotency-Key, or NULL */

    /* facts */
    bool on;   /* under way */
    bool lost; /* no whole answer came: what the daemon did is not known */
    unsigned status;
    struct bbt_buf answer;
};

/* Sends it; fails nobody. `a` begins zeroed but for its "in". */
void ask_send(struct world *w, struct ask *a);
void ask_header(struct ask *a, const char *name, const char *value);
/* The client hangs up; it is told as lost. */
void ask_cut(struct world *w, struct ask *a);
/* Frees body and answer; only when it is not under way. */
void ask_fini(struct ask *a);

/* ---- for the world ---- */

/* Events: a request reaches the daemon, an answer the client; a client vanishes or reads on. */
void fakeweb_arrive(struct world *w, void *ptr);
void fakeweb_told(struct world *w, void *ptr);
void fakeweb_gone(struct world *w, void *ptr);
void fakeweb_read(struct world *w, void *ptr);

/* Requests that the daemon has and has not answered whole. */
size_t fakeweb_busy(const struct world *w);
/* The daemon is no more: cuts every connection. */
void fakeweb_cut(struct world *w);

#endif
