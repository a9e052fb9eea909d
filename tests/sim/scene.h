/* scene.h -- what a world's jobs are about: tokenizer folder, configuration, data, job specs;
 * and what is done to them behind the daemon's back, for tests of the engine alone. */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include "base/record.h"
#include "world.h"

/* Prices of a world with a cap: a tenth of a cent a token, a cent a request. */
#define SCENE_TOKEN_NANO 1000000u
#define SCENE_REQUEST_NANO 10000000u

struct scene_job {
    const char *name; /* NULL = "job" */
    unsigned seed;    /* 0 = 1 */
    unsigned popsize; /* 0 = 4 */
    unsigned generations; /* 0 = 4 */
    unsigned dim;     /* 0 = 6 */
    unsigned tokens;  /* 0 = 2 */
    unsigned shots;   /* 0 = 2 */
    unsigned dev_every; /* 0 = 2 */
    const char *loss; /* NULL = cross_entropy */
    const char *mode; /* NULL = add */
    const char *projection; /* NULL = normal */
    const char *init; /* NULL = zero */
    const char *metric; /* NULL = accuracy */
    const char *more; /* more members of the job file, with a leading comma; or NULL */
    const char *stop; /* more members of `stop`, with a leading comma; or NULL */
    const char *model; /* NULL = sim */
    bool dev_mean, no_test;
    bool no_search; /* prompt.kind: none */
    int priority;
};

/* Folder with tokenizer, an empty state directory, the configuration (w->conf, w->dir). */
void scene_open(struct world *w, const struct world_opts *opts);
void scene_close(struct world *w);

/* Folder of the tokenizer, with vocab.txt. */
const char *scene_tokenizer(const struct world *w, char *ret, size_t room);

/* The wire form of a job, and the data files that it names, with their names (65 bytes): as a
 * client has them. Freed by bbt_free(). */
enum scene_part { SCENE_TRAIN, SCENE_TEST };
char *scene_text(const struct scene_job *j);
char *scene_file(const struct scene_job *j, enum scene_part part, char *hex);

/* scene_text(), and its data are in the store. */
char *scene_spec(struct world *w, const struct scene_job *j);

/* One of the data files as bytes, NUL-terminated; freed by bbt_free(). */
char *scene_data(const char *part, size_t rows);

/* Stores the job, durable on return, and tells the engine where there is one. 0 where the disk
 * refuses; submitting the same name once more is then fine. */
int64_t scene_submit(struct world *w, const struct scene_job *j);

/* What pause, resume and cancel write, durable on return: true where it changed
 * something, false where it did not or the disk refuses. */
bool scene_move(struct world *w, int64_t job, enum rec_state to);

/* The job's row as it is in the store now. */
void scene_job_row(struct world *w, int64_t job, struct rec_job *ret);
/* The same; false where it is not there, or the disk does not let it be read. */
bool scene_job_try(struct world *w, int64_t job, struct rec_job *ret);

/* The tuned prompt, or false; freed by rec_result_fini(). */
bool scene_result(struct world *w, int64_t job, struct rec_result *ret);

/* True when no job is queued or running. For world_until(). */
bool scene_quiet(struct world *w, void *unused);

#endif
