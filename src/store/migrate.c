#include "store/migrate.h"

#include "base/killpoint.h"
#include "store/db.h"

#include <inttypes.h>
#include <stdio.h>

/* "bbtd" in the file's header tells our databases from everybody else's. */
#define APPLICATION_ID 0x62627464

static enum bbt_rc ask_int(
    struct store *s, const char *sql, int64_t *ret, struct bbt_err *err)
{
    struct query q;
    int64_t v = 0;
    enum bbt_rc rc;

    db_start(&q, s, sql);
    if (db_row(&q))
        v = db_col_int(&q);
    rc = db_end(&q, err);
    if (rc == BBT_OK)
        *ret = v;
    return rc;
}

enum bbt_rc migrate_version(struct store *s, int *ret, struct bbt_err *err)
{
    int64_t version = 0;
    enum bbt_rc rc = ask_int(s, "PRAGMA user_version", &version, err);

    if (rc == BBT_OK)
        *ret = (int)version;
    return rc;
}

enum bbt_rc migrate_check(
    struct store *s, const struct migration *m, size_t n, struct bbt_err *err)
{
    int64_t id = 0, version = 0, objects = 0;
    enum bbt_rc rc;

    rc = ask_int(s, "PRAGMA application_id", &id, err);
    if (rc == BBT_OK)
        rc = ask_int(s, "PRAGMA user_version", &version, err);
    if (rc == BBT_OK)
        rc = ask_int(s, "SELECT count(*) FROM sqlite_master", &objects, err);
    if (rc != BBT_OK)
        return rc;
    /* a new file, or one whose first migration did not get to its commit */
    if (id == 0 && version == 0 && objects == 0)
        return BBT_OK;
    if (id != APPLICATION_ID)
        return bbt_fail(err, BBT_INVALID,
            "the database belongs to another program (application id 0x%08" PRIx64 ")",
            (uint64_t)id);
    if (version < 1 || version > m[n - 1].version)
        return bbt_fail(err, BBT_INVALID,
            "the database has schema version %" PRId64
            ", this bbtd knows up to %d: start a newer bbtd",
            version, m[n - 1].version);
    return BBT_OK;
}

static enum bbt_rc run_one(
    struct store *s, const struct migration *m, struct bbt_err *err)
{
    char stamp[96];
    enum bbt_rc rc;

    (void)snprintf(stamp, sizeof stamp,
        "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
        m->version);
    BBT_KILLPOINT("migrate");
    rc = db_begin(s, err);
    if (rc != BBT_OK)
        return rc;
    rc = db_exec(s, m->sql, err);
    BBT_KILLPOINT("migrate-run");
    if (rc == BBT_OK)
        rc = db_exec(s, stamp, err);
    BBT_KILLPOINT("migrate-commit");
    if (rc == BBT_OK)
        rc = db_commit(s, err);
    BBT_KILLPOINT("migrate-done");
    if (rc != BBT_OK) {
        db_undo(s);
        return bbt_err_ctx(err, "migration %s", m->name);
    }
    return BBT_OK;
}

enum bbt_rc migrate_run(
    struct store *s, const struct migration *m, size_t n, struct bbt_err *err)
{
    int64_t version = 0;
    enum bbt_rc rc;

    rc = ask_int(s, "PRAGMA user_version", &version, err);
    for (size_t i = 0; rc == BBT_OK && i < n; i++)
        if (m[i].version > version)
            rc = run_one(s, &m[i], err);
    return rc;
}
