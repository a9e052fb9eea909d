#include "sql.h"

#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>

bool sql_row(struct store *s, const char *sql, int64_t param, int64_t *ret, int n)
{
    sqlite3_stmt *st = NULL;
    bool has;
    int rc;

    rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_ERROR) {
        (void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(s->db));
        abort();
    }
    (void)sqlite3_bind_int64(st, 1, param);
    has = sqlite3_step(st) == SQLITE_ROW;
    for (int i = 0; has && i < n; i++)
        ret[i] = sqlite3_column_int64(st, i);
    (void)sqlite3_finalize(st);
    return has;
}

int64_t sql_number(struct store *s, const char *sql, int64_t param)
{
    int64_t v = -1;

    (void)sql_row(s, sql, param, &v, 1);
    return v;
}

bool sql_key(struct store *s, const char *table, const struct rec_mark *key)
{
    char sql[200];

    (void)snprintf(sql, sizeof sql,
        "SELECT count(*) FROM %s WHERE job = ? AND phase = %d AND gen = %llu AND cand = %u "
        "AND batch = %u",
        table, (int)key->phase, (unsigned long long)key->gen, key->cand, key->batch);
    return sql_number(s, sql, key->job) > 0;
}
