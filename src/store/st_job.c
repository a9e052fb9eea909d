#include "store/st_job.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/db.h"

#include <stdio.h>
#include <string.h>

#define COLS                                                                           \
    "id, name, state, deleted_us, reason, detail, priority, created_us, started_us, "  \
    "ended_us, updated_us, generations, evaluations, examples, requests, repeated, "   \
    "failures, tokens_in, tokens_out, active_us, generations_max, evaluations_max, "   \
    "best_dev, last_loss, job.owner, cost, cached"

#define STATE "iif(deleted_us > 0, 'deleted', state)"

#define LIST_LIMIT 1000

/* A row of COLS. */
static void read_job(struct query *q, struct rec_job *j)
{
    char state[16];

    *j = (struct rec_job){0};
    j->id = db_col_int(q);
    db_col_text(q, j->name, sizeof j->name);
    db_col_text(q, state, sizeof state);
    j->was = rec_state_parse(state);
    q->bad = q->bad || j->was == REC_STATE_NR;
    j->deleted_us = db_col_int(q);
    j->state = j->deleted_us > 0 ? REC_DELETED : j->was;
    db_col_text(q, j->reason, sizeof j->reason);
    db_col_text(q, j->detail, sizeof j->detail);
    j->priority = db_col_int(q);
    j->created_us = db_col_int(q);
    j->started_us = db_col_int(q);
    j->ended_us = db_col_int(q);
    j->updated_us = db_col_int(q);
    j->usage.generations = db_col_u64(q);
    j->usage.evaluations = db_col_u64(q);
    j->usage.examples = db_col_u64(q);
    j->usage.requests = db_col_u64(q);
    j->usage.repeated = db_col_u64(q);
    j->usage.failures = db_col_u64(q);
    j->usage.tokens_in = db_col_u64(q);
    j->usage.tokens_out = db_col_u64(q);
    j->usage.active_us = db_col_u64(q);
    j->generations_max = db_col_u64(q);
    j->evaluations_max = db_col_u64(q);
    j->best_dev = db_col_real(q);
    j->last_loss = db_col_real(q);
    j->owner = db_col_int(q);
    j->usage.cost = db_col_u64(q);
    j->usage.cached = db_col_u64(q);
}

static enum bbt_rc fail_no_job(int64_t id, struct bbt_err *err)
{
    return bbt_fail(err, BBT_NOTFOUND, "no job %lld", (long long)id);
}

/* The job that was added with this key before; BBT_NOTFOUND where the key is new. */
static enum bbt_rc find_key(struct store *s, const char *key, const char *spec_json,
    int64_t *ret_id, struct bbt_err *err)
{
    struct query q;
    int64_t id = 0;
    bool same = false;
    enum bbt_rc rc;

    db_start(&q, s,
        "SELECT id, spec = ?1 FROM job JOIN job_spec ON job_spec.job = job.id WHERE "
        "key = ?2");
    db_text(&q, spec_json);
    db_text(&q, key);
    if (db_row(&q)) {
        id = db_col_int(&q);
        same = db_col_int(&q) != 0;
    }
    rc = db_end(&q, err);
    if (rc != BBT_OK)
        return rc;
    if (id == 0)
        return BBT_NOTFOUND;
    if (!same)
        return bbt_fail(err, BBT_CONFLICT,
            "the idempotency key \"%s\" belongs to job %lld, which has another spec",
            key, (long long)id);
    *ret_id = id;
    return BBT_OK;
}

static enum bbt_rc insert_job(struct store *s, const struct rec_job *job,
    const char *spec_json, const char *key, int64_t *ret_id, struct bbt_err *err)
{
    struct query q;
    int64_t id;
    enum bbt_rc rc;

    db_start(&q, s,
        "INSERT INTO job (key, name, state, priority, created_us, updated_us, "
        "generations_max, evaluations_max, reason, detail, owner) "
        "VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?)");
    db_text(&q, key);
    db_text(&q, job->name);
    db_int(&q, job->priority);
    db_int(&q, job->created_us);
    db_int(&q, job->created_us);
    db_u64(&q, job->generations_max);
    db_u64(&q, job->evaluations_max);
    db_text(&q, job->reason);
    db_text(&q, job->detail);
    db_int(&q, job->owner);
    rc = db_done(&q, err);
    if (rc != BBT_OK)
        return rc;
    id = sqlite3_last_insert_rowid(s->db);
    BBT_KILLPOINT("job-row");
    db_start(&q, s, "INSERT INTO job_spec (job, spec) VALUES (?, ?)");
    db_int(&q, id);
    db_text(&q, spec_json);
    rc = db_done(&q, err);
    if (rc == BBT_OK)
        *ret_id = id;
    return rc;
}

enum bbt_rc store_job_add(struct store *s, const struct rec_job *job,
    const char *spec_json, const char *key, int64_t *ret_id, bool *ret_existed,
    struct bbt_err *err)
{
    int64_t id = 0;
    bool existed = false;
    enum bbt_rc rc;

    if (key && (key[0] == '\0' || strlen(key) > STORE_KEY_MAX))
        return bbt_fail(
            err, BBT_INVALID, "an idempotency key has 1 to %d bytes", STORE_KEY_MAX);
    rc = db_enter(s, err);
    if (rc != BBT_OK)
        return rc;
    rc = key ? find_key(s, key, spec_json, &id, err) : BBT_NOTFOUND;
    existed = rc == BBT_OK;
    if (rc == BBT_NOTFOUND)
        rc = insert_job(s, job, spec_json, key, &id, err);
    rc = db_leave(s, rc, err);
    if (rc == BBT_OK) {
        *ret_id = id;
        *ret_existed = existed;
    }
    return rc;
}

enum bbt_rc store_job_respec(struct store *s, int64_t id, const char *spec_json,
    uint64_t generations_max, uint64_t evaluations_max, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    db_start(&q, s, "UPDATE job_spec SET spec = ? WHERE job = ?");
    db_text(&q, spec_json);
    db_int(&q, id);
    rc = db_done(&q, err);
    if (rc == BBT_OK && db_changed(s) == 0)
        rc = fail_no_job(id, err);
    if (rc == BBT_OK) {
        db_start(&q, s,
            "UPDATE job SET generations_max = ?, evaluations_max = ? WHERE id = ?");
        db_u64(&q, generations_max);
        db_u64(&q, evaluations_max);
        db_int(&q, id);
        rc = db_done(&q, err);
    }
    return db_leave(s, rc, err);
}

enum bbt_rc store_job_get(struct store *s, int64_t id, struct rec_job *ret,
    char **ret_spec_json, struct bbt_err *err)
{
    struct query q;
    struct rec_job job = {0};
    char *spec = NULL;
    enum bbt_rc rc;

    db_start(&q, s,
        "SELECT " COLS
        ", spec FROM job JOIN job_spec ON job_spec.job = id WHERE id = ?");
    db_int(&q, id);
    if (db_row(&q)) {
        read_job(&q, &job);
        if (ret_spec_json)
            spec = db_col_text_new(&q);
    }
    rc = db_end(&q, err);
    if (rc == BBT_OK && job.id == 0)
        rc = fail_no_job(id, err);
    if (rc == BBT_OK) {
        *ret = job;
        if (ret_spec_json) {
            *ret_spec_json = spec;
            spec = NULL;
        }
    }
    bbt_free(spec);
    return rc;
}

/* ",queued,paused," for a set of states: what SQL's instr() can look a state up in. */
static void states_text(unsigned states, char *out, size_t room)
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < REC_STATE_NR; i++)
        if (states & (1u << i))
            at += (size_t)snprintf(
                out + at, room - at, ",%s,", rec_state_name((enum rec_state)i));
}

enum bbt_rc store_job_list(struct store *s, const struct store_filter *f,
    struct rec_job **ret, size_t *ret_n, struct bbt_err *err)
{
    static const char up[] =
        "SELECT " COLS " FROM job WHERE id > ?1 AND (?2 IS NULL OR name = ?2) AND "
        "instr(?3, ',' || " STATE " || ',') > 0 ORDER BY id LIMIT ?4";
    static const char down[] =
        "SELECT " COLS
        " FROM job WHERE (?1 = 0 OR id < ?1) AND (?2 IS NULL OR name = ?2) "
        "AND instr(?3, ',' || " STATE " || ',') > 0 ORDER BY id DESC LIMIT ?4";
    char states[128];
    struct query q;
    struct rec_job *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    states_text(f->states ? f->states : ~(1u << REC_DELETED), states, sizeof states);
    db_start(&q, s, f->newest_first ? down : up);
    db_int(&q, f->after);
    db_text(&q, f->name);
    db_text(&q, states);
    db_int(&q, (int64_t)(f->limit ? f->limit : LIST_LIMIT));
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc == BBT_OK)
            read_job(&q, &rows[n++]);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    rc = rc == BBT_OK ? end : rc;
    if (rc == BBT_OK) {
        *ret = rows;
        *ret_n = n;
        rows = NULL;
    }
    bbt_free(rows);
    return rc;
}

static bool among(int64_t id, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* The first free job of one state, or job.id == 0. */
static enum bbt_rc first_of(struct store *s, enum rec_state state, const int64_t *live,
    size_t nlive, struct rec_job *ret, struct bbt_err *err)
{
    struct query q;
    struct rec_job job;

    *ret = (struct rec_job){0};
    db_start(
        &q, s, "SELECT " COLS " FROM job WHERE state = ? AND deleted_us = 0 "
               "ORDER BY priority DESC, id");
    db_text(&q, rec_state_name(state));
    while (db_row(&q)) {
        read_job(&q, &job);
        if (among(job.id, live, nlive))
            continue;
        *ret = job;
        break;
    }
    return db_end(&q, err);
}

enum bbt_rc store_job_next(struct store *s, unsigned states, const int64_t *live,
    size_t nlive, struct rec_job *ret, struct bbt_err *err)
{
    struct rec_job best = {0}, job;

    for (unsigned i = 0; i < REC_STATE_NR; i++) {
        enum bbt_rc rc;

        if (!(states & (1u << i)))
            continue;
        rc = first_of(s, (enum rec_state)i, live, nlive, &job, err);
        if (rc != BBT_OK)
            return rc;
        if (job.id != 0 && (best.id == 0 || job.priority > best.priority ||
                               (job.priority == best.priority && job.id < best.id)))
            best = job;
    }
    if (best.id == 0)
        return bbt_fail(err, BBT_NOTFOUND, "no job is waiting");
    *ret = best;
    return BBT_OK;
}

/* Length of the longest prefix below `max` bytes that does not cut a UTF-8 character.
 */
static size_t cut_utf8(const char *text, size_t max)
{
    size_t len = strnlen(text, max);

    if (len < max)
        return len;
    len = max - 1;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static enum bbt_rc state_of(
    struct store *s, int64_t id, enum rec_state *ret, struct bbt_err *err)
{
    struct query q;
    char name[16] = "";
    enum bbt_rc rc;

    db_start(&q, s, "SELECT " STATE " FROM job WHERE id = ?");
    db_int(&q, id);
    if (db_row(&q))
        db_col_text(&q, name, sizeof name);
    rc = db_end(&q, err);
    if (rc == BBT_OK && name[0] == '\0')
        rc = fail_no_job(id, err);
    if (rc == BBT_OK)
        *ret = rec_state_parse(name);
    return rc;
}

static enum bbt_rc write_state(
    struct store *s, const struct store_move *m, struct bbt_err *err)
{
    bool ends = m->to == REC_COMPLETED || m->to == REC_FAILED || m->to == REC_CANCELLED;
    char detail[REC_DETAIL_MAX] = "";
    struct query q;

    if (m->detail)
        memcpy(detail, m->detail, cut_utf8(m->detail, sizeof detail));
    db_start(&q, s,
        "UPDATE job SET state = ?1, reason = ?2, detail = ?3, updated_us = ?4, "
        "started_us = iif(?5 AND started_us = 0, ?4, started_us), ended_us = iif(?6, "
        "?4, 0) "
        "WHERE id = ?7");
    BBT_KILLPOINT("state-write");
    db_text(&q, rec_state_name(m->to));
    db_text(&q, m->reason ? m->reason : "");
    db_text(&q, detail);
    db_int(&q, m->wall_us);
    db_int(&q, m->to == REC_RUNNING);
    db_int(&q, ends);
    db_int(&q, m->id);
    return db_done(&q, err);
}

enum bbt_rc store_job_state(
    struct store *s, const struct store_move *m, struct bbt_err *err)
{
    enum rec_state now = REC_STATE_NR;
    enum bbt_rc rc;

    if ((unsigned)m->to >= REC_DELETED)
        return bbt_fail(err, BBT_INVALID, "no such state");
    if (m->reason && strlen(m->reason) >= REC_REASON_MAX)
        return bbt_fail(err, BBT_INVALID, "the reason \"%s\" is too long", m->reason);
    rc = db_enter(s, err);
    if (rc != BBT_OK)
        return rc;
    rc = state_of(s, m->id, &now, err);
    if (rc == BBT_OK && !(m->from & (1u << now)))
        rc = bbt_fail(err, BBT_CONFLICT, "job %lld is %s, it cannot become %s",
            (long long)m->id, rec_state_name(now), rec_state_name(m->to));
    if (rc == BBT_OK)
        rc = write_state(s, m, err);
    return db_leave(s, rc, err);
}

enum bbt_rc store_job_priority(struct store *s, int64_t id, int64_t priority,
    int64_t wall_us, struct bbt_err *err)
{
    const unsigned open = 1u << REC_QUEUED | 1u << REC_RUNNING | 1u << REC_PAUSED;
    enum rec_state now = REC_STATE_NR;
    struct query q;
    enum bbt_rc rc = state_of(s, id, &now, err);

    if (rc != BBT_OK)
        return rc;
    if (!(open & (1u << now)))
        return bbt_fail(err, BBT_CONFLICT, "job %lld is %s: its priority means nothing",
            (long long)id, rec_state_name(now));
    db_start(&q, s, "UPDATE job SET priority = ?, updated_us = ? WHERE id = ?");
    db_int(&q, priority);
    db_int(&q, wall_us);
    db_int(&q, id);
    return db_done(&q, err);
}

enum bbt_rc store_usage_add(
    struct store *s, int64_t job, const struct rec_usage *add, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s,
        "UPDATE job SET generations = generations + ?, evaluations = evaluations + ?, "
        "examples = examples + ?, requests = requests + ?, repeated = repeated + ?, "
        "failures = failures + ?, tokens_in = tokens_in + ?, tokens_out = tokens_out + "
        "?, "
        "active_us = active_us + ?, cost = cost + ?, cached = cached + ? WHERE id = ?");
    db_u64(&q, add->generations);
    db_u64(&q, add->evaluations);
    db_u64(&q, add->examples);
    db_u64(&q, add->requests);
    db_u64(&q, add->repeated);
    db_u64(&q, add->failures);
    db_u64(&q, add->tokens_in);
    db_u64(&q, add->tokens_out);
    db_u64(&q, add->active_us);
    db_u64(&q, add->cost);
    db_u64(&q, add->cached);
    db_int(&q, job);
    rc = db_done(&q, err);
    if (rc == BBT_OK && db_changed(s) == 0)
        rc = fail_no_job(job, err);
    return rc;
}
