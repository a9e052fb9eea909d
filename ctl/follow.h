/* follow.h -- looks at the daemon again and again, and lives through its restarts.
 *
 * A daemon that was never reached is given up after some seconds; one that goes away
 * afterwards is waited for until --timeout. */
#ifndef CTL_FOLLOW_H
#define CTL_FOLLOW_H

#include "client.h"

struct follow {
    struct ctl *c;
    uint64_t end_us;  /* monotonic; 0: never */
    uint64_t lost_us; /* since when nobody answers; 0: somebody does */
    bool reached;     /* once at least */
    bool looked;      /* the first look comes at once */
    unsigned every_ms;
};

/* The clock of --timeout starts. */
void follow_init(struct follow *f, struct ctl *c);

/* Waits until the daemon answers. CTL_UNREACHABLE, CTL_TIMEOUT. */
int follow_reach(struct follow *f);

/* A while later: the job as it is now; the caller owns *ret. CTL_NOTHING: no such job;
 * CTL_TIMEOUT: --timeout has passed. */
int follow_next(struct follow *f, long long id, json_t **ret);

/* The same for any path that answers with JSON. */
int follow_get(struct follow *f, const char *path, json_t **ret);

#endif
