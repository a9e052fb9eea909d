/* world.h -- a world for the daemon to live in: the fake ends of every port, a web that brings
 * clients' requests to the real handlers, a clock that only the world moves, one seed for all
 * that is random. No threads, no sockets, no sleep.
 *
 * Whatever is asked of the world becomes an event with a time; world_step() takes the nearest,
 * sets the clock, lets it happen and turns the engine's queue until it is empty. Between two
 * steps the daemon may be killed (world_crash) and started again. The store is the real one, and
 * so is everything above the ports. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/op.h"
#include "engine/engine.h"
#include "engine/ports.h"
#include "fakelm.h"

#include <stdbool.h>
#include <stdint.h>

struct checks;
struct conn;
struct daemon;
struct cache;
struct store;

enum world_kind {
    WORLD_DB,      /* the store's thread takes a batch and commits it */
    WORLD_DB_DONE, /* its calls come home */
    WORLD_WORK,    /* a worker is done */
    WORLD_ARRIVE,  /* a request reaches the server */
    WORLD_REPLY,   /* an exchange ends */
    WORLD_TIMER,   /* one of the engine's rests */
    WORLD_ALARM,   /* the engine's alarm */
    WORLD_LOOP_TIMER, /* a timer of the daemon's other parts */
    WORLD_GONE,    /* a client vanishes */
    WORLD_READ,    /* a client reads on in a stream */
    /* from here on: outside of the daemon's life */
    WORLD_ASK,     /* a client's request reaches the daemon */
    WORLD_TOLD,    /* its answer reaches the client, or does not */
    WORLD_USER     /* something that the test planned */
};

struct world_event {
    uint64_t at_us, seq;
    enum world_kind kind;
    void *ptr;
};

/* What can happen to one request. */
enum world_net {
    NET_GOOD,
    NET_429,
    NET_429_AFTER, /* with Retry-After: one to eight seconds */
    NET_500,
    NET_503_AFTER,
    NET_RESET,  /* before the server saw it */
    NET_LOST,   /* the server answered, the connection broke */
    NET_HALF,   /* status 200, half of the body */
    NET_HTML,   /* status 200, a page instead of an answer */
    NET_NAN,    /* an answer with a number that is none */
    NET_HANG,   /* no answer before the time is up */
    NET_OVER,   /* larger than the cap */
    NET_401,
    NET_402,
    NET_LONG,   /* 429 with a wait of an hour */
    NET_413,    /* it is too large, whatever it is */
    NET_SLOW,   /* a good answer that takes up to half a minute: too late, or almost */
    NET_KINDS
};

/* Planted faults of the world itself; each has a checker that must see it (list: mutants). */
enum world_mutant {
    MUTANT_NONE,
#define MUTANT(name_, checker_, what_) MUTANT_##name_,
#include "mutants"
#undef MUTANT
    MUTANT_NR
};

struct world_faults {
    double net[NET_KINDS]; /* chance of each kind of trouble for one request */
    double commit;         /* chance that a commit fails */
    double still;          /* chance that the clock stands for a while */
    double burst;          /* chance that everything is woken for nothing */
    double die;            /* chance of a death at each step of a stop */
    double lost;           /* chance that one leg of a client's request breaks */
    double slow;           /* chance that a client reads a stream slowly */
    uint64_t full_from, full_until; /* the disk is full from .. until */
    uint64_t down_from, down_until; /* nobody answers at the server */
};

struct world {
    uint64_t seed, draws, jitters;
    enum world_mutant mutant;
    struct world_faults faults;
    double weather[NET_KINDS]; /* chances that there ever were, for who explains a pause */
    const enum world_net *script; /* fate of the next requests, before chance decides */
    size_t script_n;
    /* A limiter before the server, or NULL: false refuses a request of so many tokens with 429
     * and *ret_wait_s of Retry-After (0: none). */
    bool (*front)(struct world *w, uint64_t tokens, long *ret_wait_s);
    size_t body_max, body_most; /* a larger request gets a 413 (0: none does); the largest seen */
    const char *says[2]; /* a header of every answer, name and value; or NULLs */

    /* time and events */
    uint64_t now_us, seq, steps, still;
    int64_t wall_ahead_us; /* the clock on the wall was set so much forward, or back */
    struct world_event *ev;
    size_t evs, room;

    /* the engine and what it asked for */
    struct turnq q;
    struct engine *engine;
    struct op *alarm;
    struct port_call *db_head, **db_tail;
    size_t db_pending; /* asked for and not come home */
    bool db_busy;
    struct wire **wire; /* exchanges that are not over */
    size_t wires, wires_room;
    struct op idle;
    bool idle_seen;
    unsigned changes;

    /* the daemon around it, where the world has one */
    bool control;
    struct daemon *daemon;
    struct conn *conns; /* clients' requests that it has */
    bool story;         /* the store's call under way is a handler's */
    bool web_quiet;

    /* outside of the engine's life */
    char dir[128];
    struct conf *conf;
    struct store *store;
    struct cache *cache; /* NULL = none; the test's to open and close */
    struct fakelm lm;
    struct fakelm other; /* with a stranger: the model of the spare provider */
    bool spare, stranger;
    struct checks *checks; /* NULL: nobody looks */
    void (*user)(struct world *w, void *what);
    unsigned crashes, io_errors, sweeps;
    bool disk; /* the store lives on simdisk, which can lose power */
    char failure[400]; /* first finding: "checker: what"; empty = none */
};

struct world_opts {
    uint64_t seed;
    uint64_t lm_seed;     /* 0 = seed */
    unsigned concurrency; /* 0 = 3 */
    unsigned max_running; /* 0 = 4 */
    unsigned batch;       /* rows per request; 0 = 4 */
    unsigned rows_max;    /* that the server takes, unsaid; 0 = any */
    unsigned requests_per_minute, tokens_per_minute; /* 0 = no limit */
    const char *on_restart; /* NULL = resume */
    const char *give_up;    /* NULL = 12h */
    unsigned cap_cents;     /* of a day; 0 = no prices, no cap */
    bool json;              /* the server has no binary tensors */
    bool vocab;             /* it answers with the whole vocabulary */
    unsigned prompt_rank;   /* 0 = 2 */
    const char *kind;       /* of the provider: NULL = kserve2; sglang-score, openai */
    enum world_mutant mutant;
    bool spare;    /* a second provider, "spare", that is always well */
    bool stranger; /* it serves other weights */
    bool disk; /* SQLite on a disk in memory that can fail */
    bool control; /* the daemon's handlers, event stream and house-keeping are there too */
};

/* A world with a store, a server and a configuration, without an engine. One at a time. */
void world_open(struct world *w, const struct world_opts *opts);
void world_close(struct world *w);

/* A fresh engine on the store as it is; it looks for work unless `idle`. */
void world_start(struct world *w);
/* Stops the daemon politely and frees it; where faults.die strikes, it is a crash. */
void world_stop(struct world *w, bool hard);
/* The engine is no more; what was not committed is lost. The server may still get what was on
 * its way. */
void world_crash(struct world *w);

/* One event; false where nothing is left to happen. Where the machine lost its power in it
 * (simdisk_die), the engine is gone afterwards (world_crash). */
bool world_step(struct world *w);
/* Lets the engine's queue run empty, without any event. */
void world_turn(struct world *w);
/* Steps until `done(arg)`; false where the world stands still first, or `limit` steps pass. */
bool world_until(
    struct world *w, bool (*done)(struct world *w, void *arg), void *arg, uint64_t limit);

/* A planned event; the world's `user` is told. */
void world_plan(struct world *w, uint64_t after_us, void *what);

/* Random numbers of the world's seed. */
uint64_t world_draw(struct world *w, uint64_t n); /* 0 .. n - 1 */
bool world_chance(struct world *w, double p);

/* Notes the first finding of a checker. */
void world_fail(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- for the world's parts ---- */

struct world *world_now(void);
void world_event_put(struct world *w, uint64_t after_us, enum world_kind kind, void *ptr);
void world_event_drop(struct world *w, enum world_kind kind, const void *ptr);
void wire_arrive(struct world *w, void *ptr);
void wire_reply(struct world *w, void *ptr);
void wire_crash(struct world *w);
struct port_http;
bool wire_spare(const struct port_http *x); /* it goes to the spare provider */
const char *wire_id(const struct port_http *x); /* its X-Request-Id; "" */
void wire_join(const struct port_http *x, struct bbt_buf *ret); /* a request's whole body */
void world_db_batch(struct world *w);
void world_db_home(struct world *w, void *ptr);
/* The call is a request's of the control API. */
bool world_is_story(const struct world *w, const struct port_call *c);

#endif
