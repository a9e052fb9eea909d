#include "engine/admit.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/killpoint.h"

#include <string.h>

/* Sent home in one call of the store; others wait for it. */
#define HOME_MAX 64

/* What a crash left running waits for a person. */
static enum bbt_rc hold_all(struct port_db *db, struct bbt_err *err)
{
    struct rec_job job;
    enum bbt_rc rc;

    while ((rc = port_db_next(db, 1u << REC_RUNNING, NULL, 0, &job, err)) == BBT_OK) {
        rc = port_db_state(db, job.id, 1u << REC_RUNNING, REC_PAUSED, "restart_hold",
            "the daemon was restarted", err);
        if (rc == BBT_OK)
            rc = port_db_event(db, job.id, "paused", "the daemon was restarted", err);
        if (rc != BBT_OK)
            return rc;
    }
    return rc == BBT_NOTFOUND ? BBT_OK : rc;
}

/* What of a job's spec tells whether it may be at work. */
struct terms {
    size_t shut;          /* which of the shut providers is its own; shut_nr: none */
    struct shift_now now; /* of its hours */
};

static size_t find_shut(const struct admit_ask *ask, const char *name)
{
    size_t i = 0;

    while (i < ask->shut_nr && (!name || strcmp(name, ask->shut[i]) != 0))
        i++;
    return i;
}

/* One of its fallbacks may take it. Before it began, nobody knows which serve its model. */
static bool has_standin(
    const struct admit_ask *ask, const struct rec_job *job, const json_t *spec)
{
    const json_t *list = json_object_get(spec, "fallback"), *name;
    size_t i;

    json_array_foreach (list, i, name)
        if (job->usage.requests && find_shut(ask, json_string_value(name)) == ask->shut_nr)
            return true;
    return false;
}

/* Which of the shut providers is this job's, and no other stands in? shut_nr: none. */
static size_t shut_of(
    const struct admit_ask *ask, const struct rec_job *job, const json_t *spec)
{
    size_t shut = find_shut(ask, json_string_value(json_object_get(spec, "provider")));

    return has_standin(ask, job, spec) ? ask->shut_nr : shut;
}

static enum bbt_rc hours_of(const struct admit_ask *ask, const char *text,
    struct shift_now *ret, struct bbt_err *err)
{
    struct job_spec *spec = NULL;
    struct shift s = {0};
    enum bbt_rc rc = job_spec_stored(text, &spec, err);

    if (rc == BBT_OK)
        rc = shift_init(&s, spec, ask->zone, err);
    if (rc == BBT_OK)
        shift_look(&s, port_wall_us(), ret);
    shift_fini(&s);
    job_spec_free(spec);
    return rc;
}

/* A spec that cannot be read stands in nobody's way: the job's own story tells. */
static enum bbt_rc terms_of(const struct admit_ask *ask, struct port_db *db, int64_t id,
    struct terms *ret, struct bbt_err *err)
{
    struct rec_job job;
    char *text = NULL;
    json_t *spec = NULL;
    enum bbt_rc rc = port_db_job(db, id, &job, &text, err);

    *ret = (struct terms){.shut = ask->shut_nr};
    if (rc == BBT_OK)
        rc = json_parse(text, strlen(text), "job", &spec, err);
    if (rc == BBT_OK)
        ret->shut = shut_of(ask, &job, spec);
    if (rc == BBT_OK && json_object_get(spec, "schedule"))
        rc = hours_of(ask, text, &ret->now, err);
    json_decref(spec);
    bbt_free(text);
    return rc == BBT_CORRUPT || rc == BBT_INVALID ? BBT_OK : rc;
}

static enum bbt_rc pass_over(
    struct admit_ask *ask, int64_t id, const struct terms *t, struct bbt_err *err)
{
    int64_t *ids = bbt_realloc(ask->ids, (ask->ids_nr + 1) * sizeof *ids);
    struct admit_passed *passed;

    if (ids)
        ask->ids = ids;
    passed = bbt_realloc(ask->passed, (ask->passed_nr + 1) * sizeof *passed);
    if (passed)
        ask->passed = passed;
    if (!ids || !passed)
        return bbt_fail(err, BBT_NOMEM, "no memory to look for jobs");
    ids[ask->ids_nr++] = id;
    passed[ask->passed_nr++] = (struct admit_passed){id, t->shut, t->now};
    ask->home_nr += t->now.why != NULL;
    ask->more = ask->home_nr >= HOME_MAX;
    return BBT_OK;
}

static enum bbt_rc move(struct port_db *db, const struct rec_job *j, enum rec_state to,
    const char *reason, const char *detail, struct bbt_err *err)
{
    unsigned states = 1u << REC_QUEUED | 1u << REC_RUNNING;
    bool runs = to == REC_RUNNING;
    enum bbt_rc rc;

    BBT_KILLPOINT("admit");
    rc = port_db_state(db, j->id, states, to, reason, detail, err);
    if (rc == BBT_OK)
        rc = port_db_event(db, j->id, runs ? "running" : reason,
            !runs ? detail : j->state == REC_RUNNING ? "resumed" : "started", err);
    BBT_KILLPOINT("admit-done");
    return rc;
}

/* Queued until its hours begin. */
static enum bbt_rc send_home(struct admit_ask *ask, struct port_db *db,
    const struct rec_job *j, const struct shift_now *now, struct bbt_err *err)
{
    char text[REC_DETAIL_MAX];

    shift_text(now, text, sizeof text);
    if (j->state == REC_QUEUED && strcmp(j->reason, now->why) == 0 &&
        strcmp(j->detail, text) == 0)
        return BBT_OK;
    ask->told = true;
    return move(db, j, REC_QUEUED, now->why, text, err);
}

/* The next job of a state that may be at work; one that runs already does not ask whether its
 * provider is shut. */
static enum bbt_rc next_of(struct admit_ask *ask, struct port_db *db, enum rec_state state,
    struct rec_job *ret, struct bbt_err *err)
{
    for (;;) {
        struct terms t;
        enum bbt_rc rc = port_db_next(db, 1u << state, ask->ids, ask->ids_nr, ret, err);

        if (rc == BBT_OK)
            rc = terms_of(ask, db, ret->id, &t, err);
        if (rc != BBT_OK || (!t.now.why && (state == REC_RUNNING || t.shut == ask->shut_nr)))
            return rc;
        if (t.now.why)
            rc = send_home(ask, db, ret, &t.now, err);
        if (rc == BBT_OK)
            rc = pass_over(ask, ret->id, &t, err);
        if (rc != BBT_OK || ask->more)
            return rc == BBT_OK ? bbt_fail(err, BBT_NOTFOUND, "more are waiting") : rc;
    }
}

void admit_fini(struct admit_ask *ask)
{
    bbt_free(ask->ids);
    bbt_free(ask->passed);
    ask->ids = NULL;
    ask->passed = NULL;
    ask->ids_nr = ask->passed_nr = ask->home_nr = 0;
}

enum bbt_rc admit_next(struct admit_ask *ask, struct port_db *db, struct rec_job *ret,
    struct bbt_err *err)
{
    enum bbt_rc rc = ask->hold ? hold_all(db, err) : BBT_OK;

    if (rc == BBT_OK)
        rc = next_of(ask, db, REC_RUNNING, ret, err);
    if (rc == BBT_NOTFOUND && !ask->more)
        rc = next_of(ask, db, REC_QUEUED, ret, err);
    return rc == BBT_OK ? move(db, ret, REC_RUNNING, "working", "", err) : rc;
}
