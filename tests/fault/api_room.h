/* api_room.h -- a world with the control API, and calls to it whose kth allocation is refused,
 * from the request's arrival to its answer. Job 1 is over, job 2 is paused, nothing runs. */
#ifndef TEST_FAULT_API_ROOM_H
#define TEST_FAULT_API_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "fakeweb.h"
#include "world.h"

#include <stdbool.h>

#define ROOM_STEPS_MAX 100000

struct room {
    struct world w;
    int64_t fresh;         /* a job of a case's own */
    char *spec, *bad_spec; /* job files: "fresh", and one with mistakes */
    char blob[100], *blob_bytes; /* path of a data file, and what is in it */
    char copy[160], copy_body[200]; /* where a backup goes, and the body that says so */
};

extern struct room room;

void room_open(void);
void room_close(void);

/* Nothing is under way any more but what waits for its time, or for a server that hangs. */
void room_settle(void);

struct said {
    unsigned status;
    char *text; /* NUL after its `len` bytes; to be freed by bbt_free() */
    size_t len;
};

/* Sends it, the kth allocation refused (k < 0: none) until the daemon has answered; returns how
 * many were asked for. %lld in `target` is room.fresh. */
unsigned long room_call(const char *method, const char *target, const char *body, long k,
    bool sticky, struct said *ret);

/* Listens to all events with the kth allocation refused in the first 60 steps of the world, until
 * `len` bytes have come or the stream ends (0: for those steps); what was heard, "" where it was
 * refused. Returns how many were asked for. */
unsigned long room_listen(long k, bool sticky, size_t len, struct bbt_buf *ret);

/* A call that must work (409: it is so already); the `id` of its answer, or 0. */
int64_t room_do(const char *method, const char *target, const char *body);

#endif
