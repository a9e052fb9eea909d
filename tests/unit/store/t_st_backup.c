/* Backups taken under way, and back again; what is refused and what a failure leaves. */
#include "room.h"

#include "store/migrate.h"
#include "store/st_backup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

static void backup_path(struct room *r, char out[160])
{
    (void)snprintf(out, 160, "%s/copy.db", r->base);
}

static uint64_t contents_of(struct room *r, const char *dir)
{
    struct room other = *r;
    uint64_t h;

    (void)snprintf(other.dir, sizeof other.dir, "%s", dir);
    room_open(&other);
    ok(store_check(other.s, &r->err));
    h = contents(&other);
    room_close(&other);
    return h;
}

/* Restores into a fresh folder; the digest of what is there. */
static uint64_t restored(struct room *r, const char *file)
{
    char dir[160];
    char *kept = NULL;

    (void)snprintf(dir, sizeof dir, "%s/other", r->base);
    ok(store_restore(file, dir, true, &kept, &r->err));
    bbt_free(kept);
    return contents_of(r, dir);
}

static void test_under_way(void **state)
{
    struct room *r = *state;
    char file[160];
    uint64_t bytes = 0, before;
    struct stat st;

    backup_path(r, file);
    (void)add_job(r, "kept");
    before = contents(r);
    ok(store_begin(r->s, &r->err));
    (void)add_job(r, "not committed"); /* a writer in the middle holds nobody up */
    ok(store_backup(r->dir, file, &bytes, &r->err));
    store_rollback(r->s);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, bytes);
    (void)add_job(r, "later");
    assert_true(restored(r, file) == before);
}

static void test_refusals(void **state)
{
    struct room *r = *state;
    char file[160];
    int fd;

    backup_path(r, file);
    fails(store_backup(r->dir, "copy.db", NULL, &r->err), BBT_INVALID);
    fails(store_backup(r->dir, "/nonexistent/copy.db", NULL, &r->err), BBT_NOTFOUND);
    fails(store_backup(r->dir, r->file, NULL, &r->err), BBT_CONFLICT);
    fd = open(file, O_CREAT | O_WRONLY, 0644);
    assert_int_equal(write(fd, "mine", 4), 4);
    (void)close(fd);
    fails(store_backup(r->dir, file, NULL, &r->err), BBT_CONFLICT);
    assert_non_null(strstr(r->err.msg, file));
    fd = open(file, O_RDONLY);
    assert_int_equal(read(fd, (char[8]){0}, 8), 4); /* untouched */
    (void)close(fd);
    assert_int_equal(unlink(file), 0);
}

static void test_no_room(void **state)
{
    struct room *r = *state;
    struct rlimit old, none;
    char file[160], tmp[168];

    backup_path(r, file);
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", file);
    (void)add_job(r, "kept");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    none = (struct rlimit){8192, old.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    fails(store_backup(r->dir, file, NULL, &r->err), BBT_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_not_equal(access(file, F_OK), 0);
    assert_int_not_equal(access(tmp, F_OK), 0); /* nothing half is left */
    ok(store_backup(r->dir, file, NULL, &r->err));
}

static void tamper(const char *file, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_restore_sets_aside(void **state)
{
    struct room *r = *state;
    char file[160];
    char *kept = NULL;
    uint64_t early, late;
    struct stat st;

    backup_path(r, file);
    (void)add_job(r, "early");
    early = contents(r);
    ok(store_backup(r->dir, file, NULL, &r->err));
    (void)add_job(r, "late");
    late = contents(r);
    fails(store_restore(file, r->dir, true, &kept, &r->err), BBT_CONFLICT); /* it runs */
    assert_non_null(strstr(r->err.msg, "another bbtd"));
    room_close(r);
    fails(store_restore(file, r->dir, false, &kept, &r->err), BBT_INVALID);
    assert_non_null(strstr(r->err.msg, "--force"));
    assert_true(contents_of(r, r->dir) == late);
    ok(store_restore(file, r->dir, true, &kept, &r->err));
    assert_true(contents_of(r, r->dir) == early);
    assert_non_null(kept);
    assert_int_equal(stat(r->file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(restored(r, kept) == late); /* what was set aside is whole */
    bbt_free(kept);
}

static void test_restore_refuses(void **state)
{
    struct room *r = *state;
    char file[160];
    char *kept = NULL;
    uint64_t before = contents(r);

    backup_path(r, file);
    ok(store_backup(r->dir, file, NULL, &r->err));
    room_close(r);
    tamper(file, "PRAGMA user_version = 99");
    fails(store_restore(file, r->dir, true, &kept, &r->err), BBT_INVALID);
    assert_non_null(strstr(r->err.msg, "99"));
    tamper(file, "PRAGMA application_id = 7");
    fails(store_restore(file, r->dir, true, &kept, &r->err), BBT_INVALID);
    assert_non_null(strstr(r->err.msg, "another program"));
    assert_int_equal(truncate(file, 0), 0);
    fails(store_restore(file, r->dir, true, &kept, &r->err), BBT_INVALID);
    assert_int_equal(unlink(file), 0);
    fails(store_restore(file, r->dir, true, &kept, &r->err), BBT_NOTFOUND);
    assert_null(kept);
    assert_true(contents_of(r, r->dir) == before);
}

/* A byte of every page turned: never restored in silence where SQLite can see it. */
static void test_restore_finds_damage(void **state)
{
    struct room *r = *state;
    char file[160];
    char *kept = NULL;
    uint64_t before, bytes = 0;
    unsigned found = 0;

    for (int i = 0; i < 30; i++)
        (void)add_job(r, "job");
    before = contents(r);
    backup_path(r, file);
    ok(store_backup(r->dir, file, &bytes, &r->err));
    room_close(r);
    for (uint64_t page = 1; page < bytes / 4096; page++) {
        int fd = open(file, O_RDWR);
        unsigned char was[16], bad[16];

        assert_int_equal(pread(fd, was, 16, (off_t)(page * 4096)), 16);
        for (size_t i = 0; i < 16; i++)
            bad[i] = was[i] ^ 0xff;
        assert_int_equal(pwrite(fd, bad, 16, (off_t)(page * 4096)), 16);
        if (store_restore(file, r->dir, true, &kept, &r->err) == BBT_CORRUPT)
            found++;
        assert_int_equal(pwrite(fd, was, 16, (off_t)(page * 4096)), 16);
        (void)close(fd);
        bbt_free(kept);
        kept = NULL;
    }
    assert_true(found > bytes / 4096 * 2 / 3);
    ok(store_restore(file, r->dir, true, &kept, &r->err));
    bbt_free(kept);
    assert_true(contents_of(r, r->dir) == before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_under_way, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(test_no_room, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_restore_sets_aside, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_restore_refuses, room_setup_open, room_teardown),
        cmocka_unit_test_setup_teardown(
            test_restore_finds_damage, room_setup_open, room_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
