#include "store/st_spend.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "base/record.h"
#include "store/db.h"

#define DAY_US INT64_C(86400000000)

/* ---- reservations ---- */

enum bbt_rc store_claim_put(
    struct store *s, const struct rec_claim *c, int64_t *ret_id, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s,
        "INSERT INTO claim (id, day, owner, provider, model, job, requests, tokens, nano) "
        "VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "day = excluded.day, owner = excluded.owner, provider = excluded.provider, "
        "model = excluded.model, job = excluded.job, requests = excluded.requests, "
        "tokens = excluded.tokens, nano = excluded.nano");
    db_int(&q, c->id);
    db_int(&q, c->day);
    db_int(&q, c->owner);
    db_text(&q, c->provider ? c->provider : "");
    db_text(&q, c->model ? c->model : "");
    db_int(&q, c->job);
    db_u64(&q, c->worst.requests);
    db_u64(&q, c->worst.tokens);
    db_u64(&q, c->worst.nano);
    rc = db_done(&q, err);
    BBT_KILLPOINT("claim-put");
    if (rc == BBT_OK)
        *ret_id = c->id ? c->id : sqlite3_last_insert_rowid(s->db);
    return rc;
}

static enum bbt_rc drop_claim(struct store *s, int64_t id, struct bbt_err *err)
{
    struct query q;

    if (id == 0)
        return BBT_OK;
    db_start(&q, s, "DELETE FROM claim WHERE id = ?");
    db_int(&q, id);
    return db_done(&q, err);
}

static enum bbt_rc add_cost(
    struct store *s, int64_t job, uint64_t nano, struct bbt_err *err)
{
    struct query q;

    if (job == 0 || nano == 0)
        return BBT_OK;
    db_start(&q, s, "UPDATE job SET cost = cost + ? WHERE id = ?");
    db_u64(&q, nano);
    db_int(&q, job);
    return db_done(&q, err);
}

static void bind_place(struct query *q, const struct rec_claim *c)
{
    db_int(q, c->day);
    db_int(q, c->owner);
    db_text(q, c->provider ? c->provider : "");
    db_text(q, c->model ? c->model : "");
    db_int(q, c->job);
}

static enum bbt_rc book_other(struct store *s, const struct rec_claim *c,
    const struct rec_sum *sum, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s,
        "INSERT INTO spend (day, owner, provider, model, job, other_requests, other_tokens, "
        "other_nano) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "other_requests = other_requests + excluded.other_requests, "
        "other_tokens = other_tokens + excluded.other_tokens, "
        "other_nano = other_nano + excluded.other_nano");
    bind_place(&q, c);
    db_u64(&q, sum->requests);
    db_u64(&q, sum->tokens);
    db_u64(&q, sum->nano);
    return db_done(&q, err);
}

enum bbt_rc store_claim_end(struct store *s, const struct rec_claim *c,
    const struct rec_sum *charged, struct bbt_err *err)
{
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    rc = drop_claim(s, c->id, err);
    BBT_KILLPOINT("claim-end");
    if (rc == BBT_OK && (charged->requests || charged->tokens || charged->nano)) {
        rc = book_other(s, c, charged, err);
        if (rc == BBT_OK)
            rc = add_cost(s, c->job, charged->nano, err);
    }
    return db_leave(s, rc, err);
}

enum bbt_rc store_claims_charge(struct store *s, struct bbt_err *err)
{
    static const char sql[] =
        "INSERT INTO spend (day, owner, provider, model, job, other_requests, other_tokens, "
        "other_nano) SELECT day, owner, provider, model, job, sum(requests), sum(tokens), "
        "sum(nano) FROM claim WHERE true GROUP BY day, owner, provider, model, job "
        "ON CONFLICT DO UPDATE SET "
        "other_requests = other_requests + excluded.other_requests, "
        "other_tokens = other_tokens + excluded.other_tokens, "
        "other_nano = other_nano + excluded.other_nano;"
        "UPDATE job SET cost = cost + (SELECT sum(nano) FROM claim WHERE job = job.id) "
        "WHERE id IN (SELECT job FROM claim);"
        "DELETE FROM claim;";
    enum bbt_rc rc = db_enter(s, err);

    if (rc != BBT_OK)
        return rc;
    rc = db_exec(s, sql, err);
    BBT_KILLPOINT("claims-charged");
    return db_leave(s, rc, err);
}

/* ---- the ledger's sums ---- */

static enum bbt_rc owner_of(
    struct store *s, int64_t job, int64_t *ret, struct bbt_err *err)
{
    struct query q;

    *ret = -1;
    db_start(&q, s, "SELECT owner FROM job WHERE id = ?");
    db_int(&q, job);
    if (db_row(&q))
        *ret = db_col_int(&q);
    return db_end(&q, err);
}

enum bbt_rc spend_answer(struct store *s, const struct rec_answer *a,
    const struct rec_claim *c, struct bbt_err *err)
{
    struct rec_claim nobody = {.day = a->wall_us / DAY_US, .job = a->job};
    struct query q;
    enum bbt_rc rc = c ? BBT_OK : owner_of(s, a->job, &nobody.owner, err);

    if (rc != BBT_OK)
        return rc;
    db_start(&q, s,
        "INSERT INTO spend (day, owner, provider, model, job, requests, tokens_in, "
        "tokens_out, nano) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "requests = requests + 1, tokens_in = tokens_in + excluded.tokens_in, "
        "tokens_out = tokens_out + excluded.tokens_out, nano = nano + excluded.nano");
    bind_place(&q, c ? c : &nobody);
    db_int(&q, a->tokens_in);
    db_int(&q, a->tokens_out);
    db_u64(&q, a->cost);
    rc = db_done(&q, err);
    BBT_KILLPOINT("ledger-spend");
    return rc == BBT_OK && c ? drop_claim(s, c->id, err) : rc;
}

/* ---- sums ---- */

enum bbt_rc store_spend_days(
    struct store *s, struct rec_day **ret, size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_day *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    db_start(&q, s,
        "SELECT day, owner, sum(nano + other_nano) FROM spend GROUP BY day, owner "
        "HAVING sum(nano + other_nano) > 0 ORDER BY day, owner");
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc != BBT_OK)
            break;
        rows[n].day = db_col_int(&q);
        rows[n].owner = db_col_int(&q);
        rows[n++].nano = db_col_u64(&q);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    rc = rc == BBT_OK ? end : rc;
    if (rc == BBT_OK) {
        *ret = rows;
        *ret_n = n;
        return rc;
    }
    bbt_free(rows);
    return rc;
}

enum bbt_rc store_spend_job(
    struct store *s, int64_t job, struct rec_sum *ret, struct bbt_err *err)
{
    struct query q;
    struct rec_sum sum = {0};
    enum bbt_rc rc;

    db_start(&q, s,
        "SELECT ifnull(sum(requests + other_requests), 0), "
        "ifnull(sum(tokens_in + tokens_out + other_tokens), 0), "
        "ifnull(sum(nano + other_nano), 0) FROM spend WHERE job = ?");
    db_int(&q, job);
    if (db_row(&q)) {
        sum.requests = db_col_u64(&q);
        sum.tokens = db_col_u64(&q);
        sum.nano = db_col_u64(&q);
    }
    rc = db_end(&q, err);
    if (rc == BBT_OK)
        *ret = sum;
    return rc;
}

#define SUMS                                                                                   \
    "sum(spend.requests), sum(spend.tokens_in), sum(spend.tokens_out), sum(spend.nano), "      \
    "sum(other_requests), sum(other_tokens), sum(other_nano) FROM spend "
#define SINCE "WHERE day >= ? GROUP BY 1, 2 "
#define DEAREST "ORDER BY sum(spend.nano + other_nano) DESC, 3 DESC, 1, 2"

static const char *const lists[REC_BY_NR] = {
    [REC_BY_JOB] = "SELECT spend.job, ifnull(name, ''), " SUMS
                   "LEFT JOIN job ON job.id = spend.job " SINCE DEAREST,
    [REC_BY_PROVIDER] = "SELECT 0, provider, " SUMS SINCE DEAREST,
    [REC_BY_MODEL] = "SELECT 0, provider || '/' || model, " SUMS SINCE DEAREST,
    [REC_BY_TAG] = "SELECT 0, ifnull(tag.value, ''), " SUMS
                   "LEFT JOIN job_spec ON job_spec.job = spend.job "
                   "LEFT JOIN json_each(job_spec.spec, '$.tags') AS tag " SINCE DEAREST,
    [REC_BY_USER] = "SELECT spend.owner, '', " SUMS SINCE DEAREST,
    [REC_BY_DAY] = "SELECT day, '', " SUMS SINCE "ORDER BY 1",
};

static void read_spend(struct query *q, struct rec_spend *r)
{
    r->number = db_col_int(q);
    db_col_text(q, r->name, sizeof r->name);
    r->requests = db_col_u64(q);
    r->tokens_in = db_col_u64(q);
    r->tokens_out = db_col_u64(q);
    r->nano = db_col_u64(q);
    r->other.requests = db_col_u64(q);
    r->other.tokens = db_col_u64(q);
    r->other.nano = db_col_u64(q);
}

enum bbt_rc store_spend_list(struct store *s, enum rec_spend_by by, int64_t since,
    struct rec_spend **ret, size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_spend *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    if ((unsigned)by >= REC_BY_NR)
        return bbt_fail(err, BBT_INVALID, "no such account");
    db_start(&q, s, lists[by]);
    db_int(&q, since);
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc == BBT_OK)
            read_spend(&q, &rows[n++]);
    }
    end = db_end(&q, rc == BBT_OK ? err : NULL);
    rc = rc == BBT_OK ? end : rc;
    if (rc == BBT_OK) {
        *ret = rows;
        *ret_n = n;
        return rc;
    }
    bbt_free(rows);
    return rc;
}
