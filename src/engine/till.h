/* till.h -- who pays for a request: limits of jobs and caps of days, reserved at the worst case
 * before anything leaves, so that no cap is passed however many are under way.
 *
 *              till_ask                    till_put          till_settle  answered: what it cost
 *    [bill] ------------> GO (reserved) ------------> sent --> till_lost   nobody knows: the worst
 *       ^ '--> STOP        the store knows it, too      '--->  till_free   surely nothing
 *       '----- WAIT        until what others hold comes back, or a new day begins
 *
 * What the store knows as reserved is free again once it knows how that ended (till_booked): a
 * crash in between charges the worst case, and that must have its room.
 *
 * A request belongs to the day on which it leaves. A reservation in the store that a crash
 * leaves behind is charged when the daemon comes back. Loop thread, but where it says store. */
#ifndef ENGINE_TILL_H
#define ENGINE_TILL_H

#include "base/charge.h"
#include "base/op.h"
#include "base/zone.h"
#include "engine/ports.h"
#include "engine/tariff.h"
#include "sched/purse.h"
#include "spec/conf.h"

struct till_day; /* a purse of one day, of one user or of all */

struct till {
    const struct conf *conf; /* borrowed; its caps may change */
    const struct zone *zone; /* owned: whose midnight ends a day */
    bool open;               /* what was spent before is known */
    struct till_day *days;
    struct till_account *accounts;
    size_t waiting;
    uint64_t wake_us; /* turn time at which to look again; PORT_NEVER */
    struct op *alarm; /* woken when wake_us has changed */
};

/* Whose requests they are: a job's, or of no job (predictions, tests of a provider). */
struct till_account {
    /* in */
    int64_t job, owner;
    const char *provider, *model; /* borrowed */
    const struct tariff *tariff;  /* borrowed */
    bool impatient; /* stops where a day's cap is used up: somebody waits for an answer */
    /* the till's */
    struct till *till; /* NULL: not open */
    struct till_account *next, **at;
    struct purse purse; /* `spent` is set by whoever opened it */
    struct purse_sum limit, kept;
    struct till_bill *first, **last; /* waiting, first in, first out */
    uint64_t stretch; /* thousandths: the server's tokens by ours, where it counts more */
    bool broke;       /* a day's cap stands in the way of one that waits */
    char why[240];    /* the sentence about it */
};

/* One request's. */
struct till_bill {
    /* in */
    struct till_account *account; /* NULL: nobody keeps account of it */
    uint64_t tokens_in, tokens_out; /* at most */
    struct op *wake; /* woken when `called` */
    bool ledger;     /* the owner's ledger row settles it, not till_end() */
    /* facts */
    bool called;   /* worth asking again */
    bool unsaid;   /* till_put() has something to tell the store */
    uint64_t cost; /* of the answer */
    struct rec_claim claim; /* who pays, for the ledger's row */
    /* own */
    struct purse_claim held;
    struct price_rate rate; /* when it left */
    struct rec_sum lost;    /* charged without an answer, not yet in the store */
    struct rec_claim lost_by;
    struct rec_sum charged; /* the answer of one without a ledger row */
    bool over;              /* it ended, and held goes with till_booked() */
    struct purse_sum took;  /* then */
    int64_t put_id;
    bool waits;
    struct till_bill *next, **at;
};

/* Borrows `conf`. BBT_INVALID: the system does not have its time zone. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc till_init(
    struct till *t, const struct conf *conf, struct op *alarm, struct bbt_err *err);
void till_fini(struct till *t); /* a zeroed one is fine; no account is open */

/* Store: charges what a crash left reserved, and reads what was spent. */
BBT_NODISCARD enum bbt_rc till_load(
    struct port_db *db, struct rec_day **ret, size_t *ret_n, struct bbt_err *err);
/* The same, believed: from now on till_ask() says GO. Frees `rows`. BBT_NOMEM: try again. */
BBT_NODISCARD enum bbt_rc till_open(
    struct till *t, struct rec_day *rows, size_t n, struct bbt_err *err);

/* The day of now, what all spent on it, and what is reserved. */
struct till_today {
    int64_t day;
    uint64_t spent_nano, held_nano;
};
void till_today(const struct till *t, struct till_today *ret);

/* The next turn time at which till_alarm() wants to be called. */
uint64_t till_alarm(struct till *t, uint64_t now_us);

/* The caps have changed: whoever waits may ask again. */
void till_look(struct till *t);

/* Opens an account (zeroed, "in" fields set): without limits of its own, nothing spent. */
void till_account_open(struct till_account *a, struct till *t);
void till_account_close(struct till_account *a); /* none of its bills is under way */

/* What stands in the way of its requests now, as a sentence; NULL where nothing does. */
const char *till_why(const struct till_account *a);

/* So much of its limits is kept back; with nothing kept, all may be spent. Calls whoever
 * waits. */
void till_keep_back(struct till_account *a, const struct purse_sum *kept);

/* Limits from now on; open where a limit is 0 or MONEY_NONE. Calls whoever waits. */
void till_limit(struct till_account *a, uint64_t requests, uint64_t tokens, uint64_t nano);

enum till_answer { TILL_GO, TILL_WAIT, TILL_STOP };

/* May it leave? WAIT: bill->wake is woken with `called` when it is worth asking again; until
 * then till_forget() takes it back. STOP: the job's own limit is reached; *ret_reason and the
 * sentence say which. With GO it must end by settle, lost or free. */
enum till_answer till_ask(
    struct till_bill *b, const char **ret_reason, struct bbt_err *err);

/* Waits no longer; fine on one that does not. */
void till_forget(struct till_bill *b);

/* It leaves now. False: the day for which it was reserved is over; ask again. */
bool till_leave(struct till_bill *b);

/* How it ended: answered (b->cost is what it cost), left without an answer (the worst case is
 * spent), or without any charge. Calls whoever may now have room, unless till_owes(). */
void till_settle(struct till_bill *b, uint64_t tokens_in, uint64_t tokens_out);
void till_lost(struct till_bill *b); /* fine where nothing is reserved, as is the next */
void till_free(struct till_bill *b);

/* Store: makes the reservation durable before it leaves; then, after the commit, till_put_done.
 * Only where b->unsaid. */
BBT_NODISCARD enum bbt_rc till_put(
    struct till_bill *b, struct port_db *db, struct bbt_err *err);
void till_put_done(struct till_bill *b);

/* True where the store must still be told how it ended. Store: tells it, once it is over. Then,
 * till_booked: calls whoever may now have room. `known` is false where the store did not take
 * it: the next start will charge the worst case, so that is spent. Fine on any bill. */
bool till_owes(const struct till_bill *b);
BBT_NODISCARD enum bbt_rc till_end(
    const struct till_bill *b, struct port_db *db, struct bbt_err *err);
void till_booked(struct till_bill *b, bool known);

#endif
