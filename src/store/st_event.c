#include "store/st_event.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/db.h"

#define EVENT_LIMIT 1000

enum bbt_rc store_event_add(
    struct store *s, const struct rec_event *e, int64_t *ret_id, struct bbt_err *err)
{
    struct query q;
    enum bbt_rc rc;

    db_start(&q, s, "INSERT INTO event (job, wall_us, kind, text) VALUES (?, ?, ?, ?)");
    db_int(&q, e->job);
    db_int(&q, e->wall_us);
    db_text(&q, e->kind);
    db_text(&q, e->text);
    BBT_KILLPOINT("event-add");
    rc = db_done(&q, err);
    if (rc == BBT_OK && ret_id)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

enum bbt_rc store_event_list(struct store *s, int64_t job, int64_t after, size_t limit,
    struct rec_event **ret, size_t *ret_n, struct bbt_err *err)
{
    static const char of_all[] = "SELECT id, job, wall_us, kind, text FROM event "
                                 "WHERE id > ?2 ORDER BY id LIMIT ?3";
    static const char of_job[] = "SELECT id, job, wall_us, kind, text FROM event "
                                 "WHERE job = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    struct query q;
    struct rec_event *rows = NULL;
    size_t n = 0;
    enum bbt_rc rc = BBT_OK, end;

    db_start(&q, s, job ? of_job : of_all);
    if (job)
        db_int(&q, job);
    else
        q.bound++; /* ?1 does not occur */
    db_int(&q, after);
    db_u64(&q, limit ? limit : EVENT_LIMIT);
    while (rc == BBT_OK && db_row(&q)) {
        struct rec_event *e;

        rc = db_grow((void **)&rows, n, sizeof *rows, err);
        if (rc != BBT_OK)
            break;
        e = &rows[n++];
        e->id = db_col_int(&q);
        e->job = db_col_int(&q);
        e->wall_us = db_col_int(&q);
        db_col_text(&q, e->kind, sizeof e->kind);
        db_col_text(&q, e->text, sizeof e->text);
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
