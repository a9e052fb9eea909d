#include "store/st_rate.h"

#include "base/alloc.h"
#include "store/db.h"

/* The rows, or the error of filling or ending. */
static enum bbt_rc hand_over(struct query *q, enum bbt_rc rc, void *rows, size_t n,
    void **ret, size_t *ret_n, struct bbt_err *err)
{
    enum bbt_rc end = db_end(q, rc == BBT_OK ? err : NULL);

    rc = rc == BBT_OK ? end : rc;
    if (rc != BBT_OK) {
        bbt_free(rows);
        return rc;
    }
    *ret = rows;
    *ret_n = n;
    return BBT_OK;
}

static enum bbt_rc drop_old(struct store *s, const struct rec_sent *sent, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, "DELETE FROM sent WHERE quota = ? AND wall_us < ?");
    db_text(&q, sent->quota);
    db_int(&q, sent->wall_us - STORE_SENT_KEEP_US);
    return db_done(&q, err);
}

enum bbt_rc store_sent_put(
    struct store *s, const struct rec_sent *sent, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s,
        "INSERT INTO sent (quota, wall_us, requests, tokens) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, "
        "tokens = tokens + excluded.tokens");
    db_text(&q, sent->quota);
    db_int(&q, sent->wall_us);
    db_u64(&q, sent->requests);
    db_u64(&q, sent->tokens);
    rc = db_done(&q, err);
    return rc == BBT_OK ? drop_old(s, sent, err) : rc;
}

enum bbt_rc store_sent_list(struct store *s, int64_t since_us, struct rec_sent **ret,
    size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_sent *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK;

    db_start(&q, s,
        "SELECT quota, wall_us, requests, tokens FROM sent WHERE wall_us >= ? "
        "ORDER BY wall_us, quota");
    db_int(&q, since_us);
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc != BBT_OK)
            break;
        db_col_text(&q, rows[n].quota, sizeof rows[n].quota);
        rows[n].wall_us = db_col_int(&q);
        rows[n].requests = db_col_u64(&q);
        rows[n++].tokens = db_col_u64(&q);
    }
    return hand_over(&q, rc, rows, n, (void **)ret, ret_n, err);
}

static enum bbt_rc rest_drop(
    struct store *s, const struct rec_rest *rest, struct bbt_err *err)
{
    struct query q;

    db_start(&q, s, "DELETE FROM rest WHERE name = ? AND is_limit = ?");
    db_text(&q, rest->name);
    db_int(&q, rest->limit != 0);
    return db_done(&q, err);
}

enum bbt_rc store_rest_put(
    struct store *s, const struct rec_rest *rest, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc = rest_drop(s, rest, err);

    if (rc != BBT_OK || rest->reason[0] == '\0')
        return rc;
    db_start(&q, s,
        "INSERT INTO rest (name, is_limit, until_us, reason, text) VALUES (?, ?, ?, ?, ?)");
    db_text(&q, rest->name);
    db_int(&q, rest->limit != 0);
    db_int(&q, rest->until_us);
    db_text(&q, rest->reason);
    db_text(&q, rest->text);
    return db_done(&q, err);
}

enum bbt_rc store_rest_list(
    struct store *s, struct rec_rest **ret, size_t *ret_n, struct bbt_err *err)
{
    struct query q;
    struct rec_rest *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK;

    db_start(&q, s,
        "SELECT name, is_limit, until_us, reason, text FROM rest ORDER BY name, is_limit");
    while (rc == BBT_OK && db_row(&q)) {
        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc != BBT_OK)
            break;
        db_col_text(&q, rows[n].name, sizeof rows[n].name);
        rows[n].limit = db_col_int(&q) != 0;
        rows[n].until_us = db_col_int(&q);
        db_col_text(&q, rows[n].reason, sizeof rows[n].reason);
        db_col_text(&q, rows[n++].text, sizeof rows->text);
    }
    return hand_over(&q, rc, rows, n, (void **)ret, ret_n, err);
}
