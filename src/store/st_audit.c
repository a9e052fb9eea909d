/* st_audit.c -- the laws that the rows of a database obey together. */
#include "store/st_upkeep.h"

#include "base/alloc.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/store.h"

#include <string.h>

/* Each gives one sentence per row that breaks it. */
static const char *const laws[] = {
    "SELECT * FROM pragma_integrity_check(20) WHERE integrity_check <> 'ok'",

    "SELECT printf('a row of %s belongs to nothing', \"table\") FROM "
    "pragma_foreign_key_check GROUP BY \"table\"",

    /* a finished job without rows gave its ledger up (retention); deleted_us = 1 and a mark
     * of no phase tell that this is under way */
    "WITH led AS (SELECT job, sum(attempts > 0) AS n, sum(attempts = 0) AS ch, "
    "sum(iif(phase = 0, rows, 0)) AS ex, "
    "sum(iif(attempts > 0, tokens_in, 0)) AS ti, sum(iif(attempts > 0, tokens_out, 0)) AS tn, "
    "sum(repeated) AS rep FROM answer "
    "GROUP BY job) "
    "SELECT printf('job %d: counted %d requests, %d cached, %d examples, %d + %d tokens, %d "
    "repeated; the ledger has %d, %d, %d, %d + %d, %d', id, requests, cached, examples, "
    "tokens_in, tokens_out, repeated, ifnull(n, 0), ifnull(ch, 0), ifnull(ex, 0), "
    "ifnull(ti, 0), ifnull(tn, 0), ifnull(rep, 0)) FROM job LEFT JOIN led ON led.job = id "
    "WHERE (requests, cached, examples, tokens_in, tokens_out, repeated) IS NOT (ifnull(n, 0), "
    "ifnull(ch, 0), ifnull(ex, 0), ifnull(ti, 0), ifnull(tn, 0), ifnull(rep, 0)) "
    "AND NOT (n IS NULL AND ended_us > 0) AND deleted_us <> 1 AND NOT EXISTS (SELECT 1 FROM "
    "mark WHERE mark.job = id AND phase = -1)",

    "SELECT printf('job %d: counted %d generations and %d evaluations; the records have "
    "%d and %d', id, generations, job.evaluations, ifnull(n, 0), ifnull(ev, 0)) FROM job "
    "LEFT JOIN (SELECT job, count(*) AS n, sum(popsize) AS ev FROM gen WHERE loss IS NOT "
    "NULL GROUP BY job) AS g ON g.job = id "
    "WHERE generations <> ifnull(n, 0) OR job.evaluations <> ifnull(ev, 0)",

    "SELECT printf('job %d: generations 0 to %d are %d records', job, max(gen), count(*)) "
    "FROM gen GROUP BY job HAVING min(gen) <> 0 OR count(*) <> max(gen) + 1",

    "SELECT printf('job %d: generation %d is open, and not the last', job, gen) FROM gen "
    "AS g WHERE loss IS NULL AND EXISTS (SELECT 1 FROM gen WHERE gen.job = g.job AND "
    "gen.gen > g.gen)",

    "SELECT printf('job %d is completed, and generation %d is open', id, gen) FROM job "
    "JOIN gen ON gen.job = id WHERE state = 'completed' AND loss IS NULL "
    "AND reason NOT IN ('usd', 'tokens', 'requests')", /* these end it anywhere */

    "SELECT printf('job %d: the best prompt is of generation %d, which is not closed', "
    "best.job, best.gen) FROM best LEFT JOIN gen ON gen.job = best.job AND gen.gen = "
    "best.gen WHERE gen.loss IS NULL",

    "SELECT printf('job %d: the snapshot is of generation %d, after the last one', "
    "snapshot.job, snapshot.gen) FROM snapshot WHERE snapshot.gen > (SELECT ifnull(max(gen) "
    "+ (loss IS NOT NULL), 0) FROM gen WHERE gen.job = snapshot.job)",

    "SELECT printf('job %d: generation %d has no candidates, a resume needs them', gen.job, "
    "gen.gen) FROM gen JOIN job ON id = gen.job LEFT JOIN snapshot USING (job) LEFT JOIN "
    "cand ON cand.job = gen.job AND cand.gen = gen.gen WHERE ended_us = 0 AND gen.gen >= "
    "ifnull(snapshot.gen, 0) AND z IS NULL",

    "SELECT printf('job %d: a request of %d/%d/%d/%d is marked as on the wire, and "
    "answered', job, phase, gen, cand, batch) FROM mark JOIN answer USING (job, phase, gen, "
    "cand, batch)",

    "SELECT printf('job %d is completed, without a result', id) FROM job LEFT JOIN result "
    "ON result.job = id WHERE state = 'completed' AND result.job IS NULL",

    "SELECT printf('job %d is %s, and has %s time of an end', id, state, iif(ended_us > 0, "
    "'a', 'no')) FROM job WHERE (state IN ('completed', 'failed', 'cancelled')) <> "
    "(ended_us > 0)",

    "SELECT printf('job %d is running, in the trash', id) FROM job WHERE state = 'running' "
    "AND deleted_us > 0",

    "SELECT printf('job %d: cost %d, its spending is %d', id, cost, ifnull(n, 0)) FROM job "
    "LEFT JOIN (SELECT job, sum(nano + other_nano) AS n FROM spend GROUP BY job) AS s ON "
    "s.job = id WHERE cost <> ifnull(n, 0)",

    "WITH led AS (SELECT job, count(*) AS n, sum(tokens_in) AS ti, sum(tokens_out) AS tn, "
    "sum(cost) AS c FROM answer WHERE attempts > 0 GROUP BY job), sp AS (SELECT job, "
    "sum(requests) AS n, sum(tokens_in) AS ti, sum(tokens_out) AS tn, sum(nano) AS c FROM "
    "spend GROUP BY job) "
    "SELECT printf('job %d: the ledger has %d answers of %d + %d tokens for %d, its spending "
    "is %d, %d + %d, %d', led.job, led.n, led.ti, led.tn, led.c, ifnull(sp.n, 0), "
    "ifnull(sp.ti, 0), ifnull(sp.tn, 0), ifnull(sp.c, 0)) FROM led LEFT JOIN sp ON sp.job = "
    "led.job JOIN job ON id = led.job WHERE (led.n, led.ti, led.tn, led.c) IS NOT "
    "(ifnull(sp.n, 0), ifnull(sp.ti, 0), ifnull(sp.tn, 0), ifnull(sp.c, 0)) AND deleted_us <> 1 "
    "AND NOT EXISTS (SELECT 1 FROM mark WHERE mark.job = id AND phase = -1)",

    "SELECT printf('job %d has no spec', id) FROM job LEFT JOIN job_spec ON job_spec.job = "
    "id WHERE job_spec.job IS NULL",
};

/* *ret_read false: a page could not be read, which is no finding. */
static enum bbt_rc try_law(struct store *s, const char *sql,
    void (*say)(void *arg, const char *finding), void *arg, bool *ret_read,
    struct bbt_err *err)
{
    struct query q;
    char text[400];
    bool read = true;
    enum bbt_rc rc;

    db_start(&q, s, sql);
    while (read && db_row(&q)) {
        db_col_text(&q, text, sizeof text);
        read = !db_unread(text);
        if (read)
            say(arg, text);
    }
    rc = db_end(&q, err);
    *ret_read = read;
    return rc == BBT_OK && !read ? bbt_fail(err, BBT_IO, "database: %s", text) : rc;
}

/* For want of memory, or by the disk's fault: SQLite does not tell, so ask again. */
static enum bbt_rc try_twice(struct store *s, const char *sql,
    void (*say)(void *arg, const char *finding), void *arg, struct bbt_err *err)
{
    bool read = true;
    enum bbt_rc rc = try_law(s, sql, say, arg, &read, err);

    return read ? rc : try_law(s, sql, say, arg, &read, err);
}

enum bbt_rc store_audit(const char *state_dir,
    void (*say)(void *arg, const char *finding), void *arg, struct bbt_err *err)
{
    char *path = bbt_asprintf("%s/bbtd.db", state_dir);
    struct store *s = NULL;
    enum bbt_rc rc = path ? db_side(path, SQLITE_OPEN_READONLY, &s, err)
                          : bbt_fail(err, BBT_NOMEM, "no memory for a path");

    if (rc == BBT_OK)
        rc = migrate_check(s, migrate_all, migrate_all_nr, err);
    if (rc == BBT_OK)
        rc = db_exec(s, "BEGIN", err); /* one moment of the file for all laws */
    for (size_t i = 0; rc == BBT_OK && i < sizeof laws / sizeof laws[0]; i++)
        rc = try_twice(s, laws[i], say, arg, err);
    store_close(s);
    bbt_free(path);
    return rc;
}
