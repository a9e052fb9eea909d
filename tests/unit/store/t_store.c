#include "room.h"

#include "store/migrate.h"

#include <fcntl.h>

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

/* Changes the closed database behind our back. */
static void tamper(struct room *r, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(r->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_new_directory(void **state)
{
    struct room *r = *state;
    char path[200];

    (void)snprintf(r->dir, sizeof r->dir, "%s/deep/er", r->base);
    room_open(r);
    assert_int_equal(store_version(r->s), (int)migrate_all_nr);
    assert_int_equal(mode_of(r->dir), 0700);
    (void)snprintf(path, sizeof path, "%s/bbtd.db", r->dir);
    assert_int_equal(mode_of(path), 0600);
    (void)snprintf(path, sizeof path, "%s/bbtd.db-wal", r->dir);
    assert_int_equal(mode_of(path), 0600);
    ok(store_check(r->s, &r->err));
}

static int64_t pragma(struct room *r, const char *sql)
{
    sqlite3_stmt *st;
    int64_t v;

    assert_int_equal(sqlite3_prepare_v2(r->s->db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    v = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return v;
}

/* What "survives power loss" rests on. */
static void test_durability_settings(void **state)
{
    struct room *r = *state;
    unsigned char head[20];
    int fd = open(r->file, O_RDONLY);

    assert_int_equal(pragma(r, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(pragma(r, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    assert_int_equal(head[18], 2); /* file format: WAL */
    (void)close(fd);
}

static void test_reopen_keeps(void **state)
{
    struct room *r = *state;
    int64_t id = add_job(r, "kept");
    uint64_t before = contents(r);

    room_close(r);
    room_open(r);
    assert_string_equal(job_of(r, id).name, "kept");
    assert_int_equal(contents(r), before);
}

static void test_second_daemon(void **state)
{
    struct room *r = *state;
    struct store *other = NULL;
    char pid[24];

    fails(store_open(r->dir, STORE_NETWORK_OK, &other, &r->err), BBT_CONFLICT);
    assert_null(other);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(r->err.msg, pid)); /* the sentence says who */
    room_close(r);
    room_open(r); /* the lock goes with the store */
}

static void test_foreign_database(void **state)
{
    struct room *r = *state;
    uint8_t before[4096], after[4096];
    FILE *f;

    assert_int_equal(mkdir(r->dir, 0700), 0);
    tamper(
        r, "PRAGMA application_id = 7; CREATE TABLE t (a); INSERT INTO t VALUES (5)");
    f = fopen(r->file, "rb");
    assert_int_equal(fread(before, 1, sizeof before, f), sizeof before);
    (void)fclose(f);
    fails(store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err), BBT_INVALID);
    assert_non_null(strstr(r->err.msg, "another program"));
    f = fopen(r->file, "rb");
    assert_int_equal(fread(after, 1, sizeof after, f), sizeof after);
    (void)fclose(f);
    assert_memory_equal(before, after, sizeof before); /* not even switched to WAL */
}

/* A table of somebody who never set an application id is not ours either. */
static void test_unmarked_database(void **state)
{
    struct room *r = *state;

    assert_int_equal(mkdir(r->dir, 0700), 0);
    tamper(r, "CREATE TABLE t (a)");
    fails(store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err), BBT_INVALID);
}

static void test_newer_version(void **state)
{
    struct room *r = *state;

    room_close(r);
    tamper(r, "PRAGMA user_version = 9999");
    fails(store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err), BBT_INVALID);
    assert_non_null(strstr(r->err.msg, "9999"));
    assert_non_null(strstr(r->err.msg, "newer"));
}

static void test_not_a_database(void **state)
{
    struct room *r = *state;
    FILE *f;

    assert_int_equal(mkdir(r->dir, 0700), 0);
    f = fopen(r->file, "wb");
    for (unsigned i = 0; i < 300; i++)
        (void)fputs("this is a diary, not a database\n", f);
    (void)fclose(f);
    fails(store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err), BBT_CORRUPT);
}

static void test_damaged_pages(void **state)
{
    struct room *r = *state;
    enum bbt_rc rc;
    struct stat st;
    int fd;

    for (unsigned i = 0; i < 200; i++)
        (void)add_job(r, "filler");
    room_close(r);
    assert_int_equal(stat(r->file, &st), 0);
    fd = open(r->file, O_RDWR);
    for (off_t at = 4096 * 2; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, "damage!!damage!!", 16, at), 16);
    (void)close(fd);
    rc = store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err);
    if (rc == BBT_OK)
        rc = store_check(r->s, &r->err);
    assert_int_equal(rc, BBT_CORRUPT);
}

static void test_state_dir_is_a_file(void **state)
{
    struct room *r = *state;

    (void)snprintf(r->dir, sizeof r->dir, "%s/file", r->base);
    (void)close(open(r->dir, O_CREAT | O_WRONLY, 0600));
    fails(store_open(r->dir, STORE_NETWORK_OK, &r->s, &r->err), BBT_INVALID);
    fails(store_open("", STORE_NETWORK_OK, &r->s, &r->err), BBT_INVALID);
}

/* Root may write everywhere, so the attempt is made by somebody else. */
static void test_read_only_directory(void **state)
{
    struct room *r = *state;
    int status;
    pid_t pid;

    assert_int_equal(mkdir(r->dir, 0555), 0);
    assert_int_equal(chmod(r->base, 0755), 0);
    pid = fork();
    if (pid == 0) {
        struct bbt_err err;
        struct store *s = NULL;

        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(99);
        _exit((int)store_open(r->dir, STORE_NETWORK_OK, &s, &err));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), BBT_DENIED);
}

static void test_network_types(void **state)
{
    (void)state;
    assert_true(db_fs_is_network(0x6969));
    assert_true(db_fs_is_network((long)0xff534d42)); /* as a signed 32-bit word, too */
    assert_true(db_fs_is_network((long)(int)0xff534d42));
    assert_true(db_fs_is_network(0x01021997));
    assert_false(db_fs_is_network(0xef53));     /* ext4 */
    assert_false(db_fs_is_network(0x9123683e)); /* btrfs */
    assert_false(db_fs_is_network(0x01021994)); /* tmpfs */
}

/* ---- migrations ---- */

static void test_failing_migration(void **state)
{
    struct room *r = *state;
    int now = (int)migrate_all_nr;
    const struct migration more[] = {
        {now, "old.sql", "syntax error would be found if this ran"},
        {now + 1, "good.sql", "CREATE TABLE extra (a); INSERT INTO extra VALUES (1);"},
        {now + 2, "bad.sql", "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);"},
    };

    fails(migrate_run(r->s, more, 3, &r->err), BBT_IO);
    assert_non_null(strstr(r->err.msg, "bad.sql"));
    assert_int_equal(store_version(r->s), now + 1); /* the complete one stays */
    assert_int_equal(
        pragma(r, "SELECT count(*) FROM sqlite_master WHERE name = 'half'"), 0);
    assert_int_equal(pragma(r, "SELECT count(*) FROM extra"), 1);
    ok(migrate_run(r->s, more, 2, &r->err)); /* once only */
    assert_int_equal(pragma(r, "SELECT count(*) FROM extra"), 1);
}

/* ---- groups ---- */

static void test_group_is_atomic(void **state)
{
    struct room *r = *state;
    int64_t kept, lost;

    ok(store_begin(r->s, &r->err));
    kept = add_job(r, "kept");
    ok(store_commit(r->s, &r->err));
    ok(store_begin(r->s, &r->err));
    lost = add_job(r, "lost");
    room_close(r); /* as a crash would */
    room_open(r);
    assert_string_equal(job_of(r, kept).name, "kept");
    fails(store_job_get(r->s, lost, &(struct rec_job){0}, NULL, &r->err), BBT_NOTFOUND);
}

static void test_groups_nest(void **state)
{
    struct room *r = *state;
    int64_t id;

    ok(store_begin(r->s, &r->err));
    ok(store_begin(r->s, &r->err));
    id = add_job(r, "inner");
    ok(store_commit(r->s, &r->err));
    assert_false(
        sqlite3_get_autocommit(r->s->db)); /* not durable yet, and so not said */
    store_rollback(r->s);
    fails(store_job_get(r->s, id, &(struct rec_job){0}, NULL, &r->err), BBT_NOTFOUND);
    assert_true(sqlite3_get_autocommit(r->s->db));
}

/* A call that fails in a group leaves the group's other calls alone. */
static void test_failure_in_a_group(void **state)
{
    struct room *r = *state;
    struct rec_usage use = {.failures = 3};
    int64_t id;
    float logit[6];
    struct rec_answer rows[2];
    uint64_t n;

    id = add_job(r, "job");
    rows[0] = answer_row(id, 0, logit);
    rows[1] =
        answer_row(999, 1, logit); /* no such job: the call fails at its second row */
    ok(store_begin(r->s, &r->err));
    ok(store_usage_add(r->s, id, &use, &r->err));
    fails(store_ledger_add(r->s, rows, 2, NULL, &r->err), BBT_NOTFOUND);
    ok(store_usage_add(r->s, id, &use, &r->err));
    ok(store_commit(r->s, &r->err));
    assert_int_equal(job_of(r, id).usage.failures, 6);
    assert_int_equal(job_of(r, id).usage.requests, 0); /* nor its first row */
    ok(store_ledger_count(r->s, id, &n, &r->err));
    assert_int_equal(n, 0);
}

/* Several calls that are one: all or nothing of them, and of the group only they. */
static void test_calls_that_are_one(void **state)
{
    static const enum bbt_rc outcome[] = {BBT_CONFLICT, BBT_NOTFOUND, BBT_OK};
    struct room *r = *state;
    struct rec_usage use = {.failures = 1};
    int64_t id = add_job(r, "job");

    ok(store_begin(r->s, &r->err));
    for (unsigned i = 0; i < 3; i++) {
        ok(store_enter(r->s, &r->err));
        ok(store_usage_add(r->s, id, &use, &r->err));
        fails(store_leave(r->s, outcome[i], &r->err), outcome[i]);
    }
    ok(store_commit(r->s, &r->err));
    assert_int_equal(job_of(r, id).usage.failures, 2);
}

/* A full disk: the call says so, the rest stays, and it works again with room. */
static void test_disk_full(void **state)
{
    struct room *r = *state;
    static uint8_t big[1 << 20];
    int64_t id = add_job(r, "job"), pages;
    char sql[64];
    uint64_t before = contents(r);

    pages = pragma(r, "PRAGMA page_count");
    (void)snprintf(
        sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)pages + 4);
    assert_int_equal(sqlite3_exec(r->s->db, sql, NULL, NULL, NULL), SQLITE_OK);
    fails(store_setup_put(r->s, id, big, sizeof big, &r->err), BBT_IO);
    assert_non_null(strstr(r->err.msg, "full"));
    assert_int_equal(contents(r), before);
    assert_int_equal(
        sqlite3_exec(r->s->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL),
        SQLITE_OK);
    ok(store_setup_put(r->s, id, big, sizeof big, &r->err));
}

/* Where SQLite undoes the whole transaction, the group's later calls must not be
 * committed one by one, and its commit must not claim success. */
static void test_lost_group(void **state)
{
    struct room *r = *state;
    struct rec_usage use = {.failures = 1};
    int64_t id = add_job(r, "job");
    uint64_t before = contents(r);

    ok(store_begin(r->s, &r->err));
    ok(store_usage_add(r->s, id, &use, &r->err));
    assert_int_equal(sqlite3_exec(r->s->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    (void)db_fail(r->s, SQLITE_IOERR_WRITE, &r->err); /* what such a failure reports */
    fails(store_usage_add(r->s, id, &use, &r->err), BBT_IO);
    fails(store_event_add(r->s, &(struct rec_event){.job = id}, NULL, &r->err), BBT_IO);
    fails(store_commit(r->s, &r->err), BBT_IO);
    assert_int_equal(contents(r), before);
    ok(store_usage_add(r->s, id, &use, &r->err)); /* and the store is usable again */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_directory, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_durability_settings, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_reopen_keeps, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_second_daemon, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_foreign_database, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_unmarked_database, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_newer_version, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_not_a_database, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_damaged_pages, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_state_dir_is_a_file, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_read_only_directory, room_setup, room_teardown),
        cmocka_unit_test(test_network_types),
        cmocka_unit_test_setup_teardown(
            test_failing_migration, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_group_is_atomic, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_groups_nest, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_failure_in_a_group, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_calls_that_are_one, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_disk_full, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_lost_group, room_setup_open, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
