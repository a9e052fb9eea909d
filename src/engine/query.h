/* query.h -- one request to a provider, from "wants a turn" to "answered" or "given up".
 *
 *            turn granted        gate passed         response
 *   QUEUED ---------------> GATE ----------> SENT -------------> [BOOK] -> DONE
 *    ^ ^ '-- no money now       |             |
 *    | '--- room again          |             |       cancel: any state -> [BOOK] -> DONE
 *    '----- the server asked ---'             |
 *    '      for a rest meanwhile              |
 *    '--------------- transient failure ------'
 *
 * The gate is a call to the store that must be durable before the request may leave: the mark
 * of what may be paid twice, once, and where the quota has limits per minute the note of what
 * is sent, and where money is at stake its reservation, for every attempt. Without any of them
 * the state is passed through. BOOK tells the store what was charged without an answer of the
 * ledger. Retries are limited by time, not by number: an outage of hours is sat out. */
#ifndef ENGINE_QUERY_H
#define ENGINE_QUERY_H

#include "engine/endpoint.h"
#include "engine/ports.h"
#include "engine/till.h"

/* A note of what is sent is at most so much older than the sending. */
#define QUERY_NOTE_US 1000000u

enum query_state {
    QUERY_IDLE,
    QUERY_QUEUED,
    QUERY_GATE,
    QUERY_SENT,
    QUERY_BOOK,
    QUERY_DONE,
    QUERY_STATE_NR
};

struct query;

struct query {
    /* in: set by the owner before query_start() */
    struct endpoint *ep;
    struct sched_flow *flow; /* of the endpoint: endpoint_flow() */
    uint64_t cost;           /* tokens that it takes, as far as one knows before */
    size_t rows;             /* examples that it asks about; 0 = it asks about something else */
    struct till_account *account; /* who pays; NULL: it costs nothing */
    uint64_t cost_more;      /* tokens that the server may count beside `cost` */
    uint64_t cost_out;       /* tokens that come back, at most */
    bool ledger; /* the owner puts its answer into the ledger with bill.claim: till_booked() */
    /* Builds the request when it is its turn. Its failure ends the call. */
    enum bbt_rc (*encode)(struct query *c, struct prov_http *ret, struct bbt_err *err);
    /* Gets a 2xx body as it comes: status and headers in `r`; its body is NULL where a body
     * begins (again), else the next bytes. NULL: decode gets it whole. */
    void (*feed)(struct query *c, const struct prov_reply *r);
    /* Reads a response of status 2xx (others, too, where `raw`) and keeps what it needs; only
     * status and headers where it was fed. */
    enum bbt_rc (*decode)(struct query *c, const struct prov_reply *r, struct bbt_err *err);
    /* The request is over, answered or not: encode may free what it lent. Or NULL. */
    void (*over)(struct query *c);
    bool raw; /* decode also sees what would be refused, such as 404 (start-up probe) */
    /* Or NULL; `p` is &query.keep.call. May run several times. */
    void (*gate)(struct port_call *p, struct port_db *db);
    void (*ungate)(struct port_call *p, struct port_db *db); /* takes it back, unsent; or NULL */
    struct op *wake;

    /* decode may set it: tokens that it took */
    uint64_t spent;
    uint64_t spent_out; /* of these, tokens that came back */

    /* facts: read by the owner when `done` */
    bool done;
    enum bbt_rc rc;     /* OK, CANCELED, or why it was given up */
    struct bbt_err err; /* sentence where not OK */
    const char *reason; /* pause reason where given up: auth quota provider, or the limit
                           that is reached: usd requests tokens; or NULL */
    bool shrink; /* given up because it is too large, by the server's word or for its limit:
                    fewer rows may pass. Never set where it has no more than one */
    unsigned tries, failures;
    uint64_t latency_us; /* of the attempt that was answered */
    struct till_bill bill; /* bill.cost, bill.claim */

    /* the call's own */
    struct op op;
    enum query_state state;
    struct sched_item item;
    bool granted, cancel, hard, gated, ungating, aborted;
    bool walled;         /* the endpoint cannot be used: ends with its reason */
    bool marking, noting, paying; /* what the gate does this time */
    bool noted;          /* this attempt is in the store's log of what was sent */
    uint64_t noted_us;   /* turn time of that note */
    unsigned notes;      /* in a row for one attempt */
    struct rec_sent note;
    uint64_t trouble_us; /* since when it fails; 0 = it does not */
    const char *outcome; /* of the last failure */
    unsigned alike;      /* failures of that outcome in a row */
    struct keep keep; /* the gate */
    struct port_http x;
    struct prov_http req;
};

/* Zeroed by the caller before the "in" fields are set. */
void query_init(struct query *c, struct turnq *q);
void query_start(struct query *c);

/* Wishes: the call still ends in `done`, with BBT_CANCELED unless it was answered first.
 * Drop lets a request that is on the wire (and paid for) come back; abort cuts it off. */
void query_drop(struct query *c);
void query_abort(struct query *c);

/* Frees what a done (or never started) call holds. */
void query_fini(struct query *c);

/* For the channel: it is this call's turn. */
void query_grant(struct query *c);
/* For the channel: taken out of the queue, since the endpoint waits for a person. */
void query_wall(struct query *c);

/* Lower-case name; "unknown" outside the enum. */
const char *query_state_name(enum query_state s);

#endif
