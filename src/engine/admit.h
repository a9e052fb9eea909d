/* admit.h -- which job is taken over next: on the store's thread, blocking. */
#ifndef ENGINE_ADMIT_H
#define ENGINE_ADMIT_H

#include "engine/ports.h"

/* A queued job that was passed over, since its provider is shut. */
struct admit_passed {
    int64_t job;
    size_t shut; /* index */
};

struct admit_ask {
    bool hold; /* what a crash left running waits for a person */
    int64_t *ids; /* jobs that are in work, to be passed over; grows by those below */
    size_t ids_nr;
    const char *const *shut; /* providers that are paused */
    size_t shut_nr;
    struct admit_passed *passed; /* out */
    size_t passed_nr;
};

/* Frees ids and passed. */
void admit_fini(struct admit_ask *ask);

/* The next job, already marked as running: what is running in the eyes of its owner before
 * anything that starts. BBT_NOTFOUND where there is none. */
BBT_NODISCARD enum bbt_rc admit_next(struct admit_ask *ask, struct port_db *db,
    struct rec_job *ret, struct bbt_err *err);

#endif
