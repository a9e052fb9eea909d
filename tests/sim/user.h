/* user.h -- an impatient user of the control API: submits (data files, then the job, with and
 * without Idempotency-Key), pauses, resumes, reorders, cancels, deletes, looks, listens; at
 * random moments, while the daemon dies and answers get lost, and says the same again until it
 * was heard. */
#ifndef SIM_USER_H
#define SIM_USER_H

#include "fakeweb.h"
#include "scene.h"

#define USER_JOBS 4
#define USER_IDS 6 /* of one job: without a key, a lost answer may make another one */
#define USER_ASKS 10
#define USER_LISTENERS 2

struct user;

struct user_job {
    struct scene_job spec; /* spec.name is `name` */
    unsigned number;       /* of the spec */
    char name[32], key[48]; /* key "" = none is sent */
    int64_t id[USER_IDS];
    size_t ids;
    bool busy;      /* without a key: one submit at a time */
    bool unsure;    /* ... and a lost one is looked for before the next */
    bool cancelled; /* was asked to be */
};

enum user_what { USER_PUT_TRAIN, USER_PUT_TEST, USER_POST, USER_OTHER, USER_LOOK };

struct user_ask {
    struct ask a;
    struct user *u;
    struct user_job *j;
    enum user_what what;
    unsigned sweeps; /* of the world, when the first file was acknowledged */
};

struct user_listener {
    struct ask a;
    struct user *u;
    int64_t job, cursor;
    size_t read; /* bytes of a.answer that were understood */
};

struct user {
    struct world *w;
    struct user_job job[USER_JOBS];
    size_t jobs;
    bool calm; /* only resumes, looks, listens */
    bool content; /* asks nothing more: what it has asked must be answered */
    unsigned cancels, purges;
    bool purger; /* purges, and so frees a key; else tries to use keys for other jobs */
    struct user_ask ask[USER_ASKS];
    struct user_listener listener[USER_LISTENERS];
};

void user_init(struct user *u, struct world *w);
void user_fini(struct user *u);

/* Does something. */
void user_act(struct user *u);

/* No request is under way, but for streams. */
bool user_quiet(const struct user *u);

/* All listeners are open and have heard everything that is durable. */
bool user_heard(const struct user *u);

#endif
