/* task.h -- one inference request's way through the server.
 *
 *   QUEUED ---> DECODE ---> FORWARD ---> ENCODE ---> answered
 *     a turn      |  worker    |  workers    worker
 *     is free     |            |
 *                 +------------+---> answered with an error
 *
 * The loop thread only moves tasks on; bytes and numbers are read, computed and written on the
 * worker threads. First come, first started; a bounded number waits, the rest gets 503. */
#ifndef LMSERVER_TASK_H
#define LMSERVER_TASK_H

#include "base/err.h"
#include "split.h"
#include "weights.h"

#include <stdbool.h>
#include <stddef.h>

#define TASK_BODY_MAX (64u * 1024u * 1024u)
#define TASK_WAITING_MAX 64u
#define TASK_BYTES_MAX (256u * 1024u * 1024u) /* of all bodies that wait or are worked on */

struct loop;
struct task;
struct web_req;
struct work_pool;

/* What all tasks share. Fill the first part, zero the rest. */
struct task_hall {
    struct loop *loop;
    struct work_pool *pool;
    const struct weights *w;
    const char *name;           /* of the model */
    const char *embedding_name; /* of the model that gives embedding rows */
    unsigned threads;
    struct split_rooms rooms; /* split_rooms_init() */

    struct task *first, **last; /* waiting */
    unsigned waiting, started;
    size_t bytes;
};

/* Takes the request over and answers it in a later turn, or at once with 503 or 400.
 * `embedding`: the request is for the second model. */
void task_start(struct task_hall *hall, struct web_req *r, bool embedding);

/* Ends the request with {"error": message}. */
void task_error(struct web_req *r, unsigned status, const char *message);

#endif
