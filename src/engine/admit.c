#include "engine/admit.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/killpoint.h"

#include <string.h>

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
static enum bbt_rc shut_of(const struct admit_ask *ask, struct port_db *db, int64_t id,
    size_t *ret, struct bbt_err *err)
{
    struct rec_job job;
    char *text = NULL;
    json_t *spec = NULL;
    const char *name = NULL;
    enum bbt_rc rc = port_db_job(db, id, &job, &text, err);

    if (rc == BBT_OK)
        rc = json_parse(text, strlen(text), "job", &spec, err);
    if (rc == BBT_OK)
        name = json_string_value(json_object_get(spec, "provider"));
    *ret = find_shut(ask, name);
    if (rc == BBT_OK && has_standin(ask, &job, spec))
        *ret = ask->shut_nr;
    json_decref(spec);
    bbt_free(text);
    return rc == BBT_CORRUPT || rc == BBT_INVALID ? BBT_OK : rc; /* its own story tells */
}

static enum bbt_rc pass_over(
    struct admit_ask *ask, int64_t id, size_t shut, struct bbt_err *err)
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
    passed[ask->passed_nr++] = (struct admit_passed){id, shut};
    return BBT_OK;
}

/* The next queued job whose provider is not shut. */
static enum bbt_rc next_queued(struct admit_ask *ask, struct port_db *db,
    struct rec_job *ret, struct bbt_err *err)
{
    for (;;) {
        size_t shut = ask->shut_nr;
        enum bbt_rc rc =
            port_db_next(db, 1u << REC_QUEUED, ask->ids, ask->ids_nr, ret, err);

        if (rc == BBT_OK && ask->shut_nr)
            rc = shut_of(ask, db, ret->id, &shut, err);
        if (rc != BBT_OK || shut == ask->shut_nr)
            return rc;
        rc = pass_over(ask, ret->id, shut, err);
        if (rc != BBT_OK)
            return rc;
    }
}

void admit_fini(struct admit_ask *ask)
{
    bbt_free(ask->ids);
    bbt_free(ask->passed);
    ask->ids = NULL;
    ask->passed = NULL;
    ask->ids_nr = ask->passed_nr = 0;
}

enum bbt_rc admit_next(struct admit_ask *ask, struct port_db *db, struct rec_job *ret,
    struct bbt_err *err)
{
    unsigned states = 1u << REC_QUEUED | 1u << REC_RUNNING;
    enum bbt_rc rc = ask->hold ? hold_all(db, err) : BBT_OK;
    enum rec_state was;

    if (rc == BBT_OK)
        rc = port_db_next(db, 1u << REC_RUNNING, ask->ids, ask->ids_nr, ret, err);
    if (rc == BBT_NOTFOUND)
        rc = next_queued(ask, db, ret, err);
    if (rc != BBT_OK)
        return rc;
    was = ret->state;
    BBT_KILLPOINT("admit");
    rc = port_db_state(db, ret->id, states, REC_RUNNING, "working", "", err);
    if (rc == BBT_OK)
        rc = port_db_event(db, ret->id, "running",
            was == REC_RUNNING ? "resumed" : "started", err);
    BBT_KILLPOINT("admit-done");
    return rc;
}
