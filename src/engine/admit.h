/* admit.h -- which job is taken over next: on the store's thread, blocking. */
#ifndef ENGINE_ADMIT_H
#define ENGINE_ADMIT_H

#include "engine/ports.h"
#include "engine/shift.h"

/* A queued job that was passed over: its provider is shut, or its hours begin later. */
struct admit_passed {
    int64_t job;
    size_t shut;          /* index of that provider */
    struct shift_now now; /* now.why NULL: it is not for the hours */
};

struct admit_ask {
    bool hold; /* what a crash left running waits for a person */
    const char *zone; /* of hours that name none; NULL = UTC */
    int64_t *ids; /* jobs that need not be looked at; grows by those below */
    size_t ids_nr;
    const char *const *shut; /* providers that are paused */
    size_t shut_nr;
    /* out */
    struct admit_passed *passed;
    size_t passed_nr;
    size_t home_nr; /* of these, for their hours */
    bool told; /* a row says anew that it waits for its hours */
    bool more; /* there were so many of them that the rest was not looked at */
};

/* Frees ids and passed. */
void admit_fini(struct admit_ask *ask);

/* The next job, already marked as running: what is running in the eyes of its owner before
 * anything that starts. What is outside of its hours is queued, and says so. BBT_NOTFOUND where
 * there is none. */
BBT_NODISCARD enum bbt_rc admit_next(struct admit_ask *ask, struct port_db *db,
    struct rec_job *ret, struct bbt_err *err);

#endif
