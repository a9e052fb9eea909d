/* verdict.h -- what an HTTP outcome means for the job: answered, try again, give up, or stop
 * using this provider until somebody acts. Pure; the policy's table is in verdict.c. */
#ifndef PROV_VERDICT_H
#define PROV_VERDICT_H

#include "base/err.h"
#include "prov/prov.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERDICT_TEXT_MAX 2048
#define VERDICT_HINT_MAX_US (600u * 1000000u) /* longest wait that we sit out */

enum verdict_class {
    VERDICT_ANSWERED,    /* status 2xx: decode the body */
    VERDICT_RETRY,       /* same request, after the back-off and not before the hint */
    VERDICT_SHRINK,      /* 413: the same rows in smaller requests; refused if it has one */
    VERDICT_REFUSED,     /* asking again gives the same: the job's own failure */
    VERDICT_PAUSE_AUTH,  /* no request to this provider until its credential is changed */
    VERDICT_PAUSE_QUOTA, /* money or a fixed quota is used up: wait for a person */
    VERDICT_PAUSE_WAIT,  /* the server asks for more than VERDICT_HINT_MAX_US */
    VERDICT_CANCELED     /* we aborted it ourselves */
};

struct verdict {
    enum verdict_class class;
    const char *outcome; /* for counters and events: ok rate_limited quota auth timeout
                            server_error client_error bad_response network canceled */
    uint64_t hint_us;    /* the server's wish for a wait; 0 = none. Binding for the whole
                            provider where `hold` */
    unsigned tries_max;  /* attempts of this request that make sense for this outcome;
                            0 = the general policy's number */
    bool hold;           /* hold every request to this provider, not only this one */
    bool throttled;      /* too much at once: lower the concurrency */
    char text[VERDICT_TEXT_MAX]; /* for people, the server's own words included; one line of
                                    printable UTF-8. Empty when answered */
};

/* Class of an exchange. `rc` and `why` are the transport's (BBT_OK: there is a whole
 * response; BBT_AGAIN: it failed; BBT_INVALID: over the cap or not HTTP; BBT_CANCELED);
 * `r` is read only where rc is BBT_OK. `wall_us` is the receiver's wall clock, used for a
 * Retry-After date where the response has no Date. */
void verdict_of(enum bbt_rc rc, const struct bbt_err *why, const struct prov_reply *r,
    int64_t wall_us, struct verdict *ret);

/* Class of a response that could not be decoded: once more, then refused (BBT_INVALID: refused
 * at once; BBT_DENIED: a credential; BBT_AGAIN, BBT_NOMEM: retry). */
void verdict_of_decode(const struct bbt_err *why, struct verdict *ret);

/* ---- parts, exported for their tests ---- */

/* The server's words in an error body of any known shape ({"error":...}, {"detail":...},
 * problem+json, HTML, text), printable and at most `room` - 1 bytes, cut between characters.
 * Empty where the body says nothing. `ret_code` (may be NULL, `code_room` bytes) gets the
 * machine-readable code or type, or "". */
void verdict_error_text(const void *body, size_t len, char *out, size_t room,
    char *ret_code, size_t code_room);

/* Copies text without what could disturb a terminal or a log: controls become one space,
 * direction marks vanish, broken UTF-8 becomes '?', runs of blanks become one, a known key
 * becomes SECRET_MARK. At most `room` - 1 bytes, cut between characters. */
void verdict_clean(const char *s, size_t len, char *out, size_t room);

/* Wait that a response asks for, microseconds, by retry-after-ms, Retry-After (seconds with
 * fractions, or an HTTP date of any of the three formats, relative to the response's Date or
 * else to `wall_us`; in the past: 0). False where it asks for none, or for nonsense. */
bool verdict_retry_after_us(const struct prov_reply *r, int64_t wall_us, uint64_t *ret);

/* The same for a response that says "too much": where it does not ask, when the exhausted
 * limit of its headers is whole again, else what `said`, its own words, ends in ("try again
 * in 46.72s"). 0 = nothing of it. */
uint64_t verdict_throttle_us(const struct prov_reply *r, int64_t wall_us, const char *said);

#endif
