#include "store/st_backup.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/killpoint.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum bbt_rc fail_file(struct bbt_err *err, const char *what, const char *path)
{
    int e = errno;

    return bbt_fail(err,
        e == EACCES || e == EPERM || e == EROFS ? BBT_DENIED
        : e == EEXIST                           ? BBT_CONFLICT
        : e == ENOENT || e == ENOTDIR           ? BBT_NOTFOUND
                                                : BBT_IO,
        "cannot %s %s: %s", what, path, strerror(e));
}

/* 20261122T233801Z: sorts, and is a file name. */
static void stamp(char out[24])
{
    char text[32];
    size_t n = 0;

    clock_rfc3339(clock_wall_us(), text, sizeof text);
    for (const char *p = text; *p && n < 23; p++)
        if (*p != '-' && *p != ':')
            out[n++] = *p;
    out[n] = '\0';
}

static enum bbt_rc sync_path(const char *path, int flags, struct bbt_err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    enum bbt_rc rc = BBT_OK;

    if (fd < 0 || fsync(fd) != 0)
        rc = fail_file(err, "sync", path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

/* Before a rename, so that afterwards only the sync itself can fail. */
static enum bbt_rc open_folder_of(const char *path, int *ret_fd, struct bbt_err *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = bbt_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    enum bbt_rc rc = !dir     ? bbt_fail(err, BBT_NOMEM, "no memory for a path")
                     : fd < 0 ? fail_file(err, "open", dir)
                              : BBT_OK;

    bbt_free(dir);
    if (rc == BBT_OK)
        *ret_fd = fd;
    return rc;
}

static enum bbt_rc sync_folder(int fd, const char *path, struct bbt_err *err)
{
    return fsync(fd) == 0 ? BBT_OK : fail_file(err, "sync the folder of", path);
}

enum bbt_rc db_side(
    const char *path, int flags, struct store **ret, struct bbt_err *err)
{
    struct store *s = bbt_calloc(1, sizeof *s);
    enum bbt_rc rc = BBT_OK;
    int code;

    if (!s)
        return bbt_fail(err, BBT_NOMEM, "no memory to open %s", path);
    s->lock_fd = -1;
    code = sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        rc = s->db ? db_fail(s, code, err)
                   : bbt_fail(err, BBT_NOMEM, "no memory to open %s", path);
    if (rc == BBT_OK) {
        (void)sqlite3_extended_result_codes(s->db, 1);
        (void)sqlite3_busy_timeout(s->db, 5000);
        *ret = s;
        return rc;
    }
    store_close(s);
    return bbt_err_ctx(err, "%s", path);
}

/* All pages in one step: a reader of the WAL, which stops no writer. */
static enum bbt_rc copy_pages(struct store *to, struct store *from, struct bbt_err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    int code;

    if (!b)
        return db_fail(to, sqlite3_extended_errcode(to->db), err);
    code = sqlite3_backup_step(b, -1);
    if (code == SQLITE_DONE)
        code = sqlite3_backup_finish(b);
    else
        (void)sqlite3_backup_finish(b);
    return code == SQLITE_OK ? BBT_OK : db_fail(to, code, err);
}

/* A file that nobody else has, with a sound copy in it. It needs no -wal beside it. */
static enum bbt_rc copy_to_tmp(
    struct store *from, const char *tmp, struct bbt_err *err)
{
    int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct store *to = NULL;
    enum bbt_rc rc;

    if (fd < 0)
        return fail_file(err, "create", tmp);
    (void)close(fd);
    rc = db_side(tmp, SQLITE_OPEN_READWRITE, &to, err);
    if (rc == BBT_OK)
        rc = db_exec(to,
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY;"
            "PRAGMA synchronous = OFF;",
            err);
    if (rc == BBT_OK)
        rc = copy_pages(to, from, err);
    BBT_KILLPOINT("backup-copied");
    if (rc == BBT_OK)
        rc = db_exec(to, "PRAGMA journal_mode = DELETE", err);
    if (rc == BBT_OK)
        rc = store_check(to, err);
    store_close(to);
    return rc == BBT_OK ? sync_path(tmp, O_RDWR, err) : rc;
}

/* Gives the finished copy its name, which must be free. */
static enum bbt_rc name_it(const char *tmp, const char *file, struct bbt_err *err)
{
    int code, fd = -1;
    enum bbt_rc rc = open_folder_of(file, &fd, err);

    if (rc != BBT_OK)
        return rc;
    BBT_KILLPOINT("backup-name");
    code = renameat2(AT_FDCWD, tmp, AT_FDCWD, file, RENAME_NOREPLACE);
    if (code != 0 && errno == EINVAL && access(file, F_OK) != 0) /* not every file system */
        code = rename(tmp, file);
    if (code != 0)
        rc = fail_file(err, "create", file);
    BBT_KILLPOINT("backup-named");
    if (rc == BBT_OK) {
        rc = sync_folder(fd, file, err);
        if (rc != BBT_OK)
            (void)unlink(file);
    }
    (void)close(fd);
    return rc;
}

static enum bbt_rc copy_to(struct store *from, const char *file, struct bbt_err *err)
{
    char *tmp = bbt_asprintf("%s.tmp", file);
    enum bbt_rc rc;

    if (!tmp)
        return bbt_fail(err, BBT_NOMEM, "no memory for a path");
    rc = copy_to_tmp(from, tmp, err);
    if (rc == BBT_OK)
        rc = name_it(tmp, file, err);
    if (rc != BBT_OK)
        (void)unlink(tmp);
    bbt_free(tmp);
    return rc;
}

enum bbt_rc store_backup(
    const char *state_dir, const char *file, uint64_t *ret_bytes, struct bbt_err *err)
{
    char *path = bbt_asprintf("%s/bbtd.db", state_dir);
    struct store *from = NULL;
    struct stat st;
    enum bbt_rc rc = BBT_OK;

    if (!path)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a backup");
    else if (file[0] != '/')
        rc = bbt_fail(err, BBT_INVALID, "%s: a backup needs an absolute path", file);
    else if (access(file, F_OK) == 0)
        rc = bbt_fail(err, BBT_CONFLICT, "%s exists", file);
    if (rc == BBT_OK)
        rc = db_side(path, SQLITE_OPEN_READONLY, &from, err);
    if (rc == BBT_OK)
        rc = copy_to(from, file, err);
    store_close(from);
    if (rc == BBT_OK && stat(file, &st) != 0)
        rc = fail_file(err, "look at", file);
    if (rc == BBT_OK && ret_bytes)
        *ret_bytes = (uint64_t)st.st_size;
    bbt_free(path);
    return rc;
}

enum bbt_rc backup_before_migration(
    struct store *s, const char *state_dir, int version, struct bbt_err *err)
{
    char when[24];
    char *dir = bbt_asprintf("%s/backups", state_dir), *file;
    enum bbt_rc rc;

    stamp(when);
    file = bbt_asprintf("%s/backups/bbtd-v%d-%s.db", state_dir, version, when);
    if (!dir || !file)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for a backup");
    else if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        rc = fail_file(err, "create the folder", dir);
    else
        rc = copy_to(s, file, err);
    if (rc == BBT_CONFLICT)
        rc = BBT_OK; /* of the same second: a start that got no further than this */
    bbt_free(dir);
    bbt_free(file);
    return rc == BBT_OK ? rc : bbt_err_ctx(err, "backup before the schema changes");
}

/* ---- back ---- */

static enum bbt_rc check_backup(const char *file, struct store **ret, struct bbt_err *err)
{
    struct store *s = NULL;
    int version = 0;
    enum bbt_rc rc;

    if (access(file, R_OK) != 0)
        return fail_file(err, "read", file);
    rc = db_side(file, SQLITE_OPEN_READONLY, &s, err);
    if (rc != BBT_OK)
        return rc;
    rc = migrate_check(s, migrate_all, migrate_all_nr, err);
    if (rc == BBT_OK)
        rc = migrate_version(s, &version, err);
    if (rc == BBT_OK && version == 0)
        rc = bbt_fail(err, BBT_INVALID, "the file is empty");
    if (rc == BBT_OK)
        rc = store_check(s, err);
    if (rc == BBT_OK) {
        *ret = s;
        return rc;
    }
    store_close(s);
    return bbt_err_ctx(err, "%s", file);
}

/* What only the WAL holds goes into the file, so that it can be moved alone. A damaged
 * one refuses; it takes its WAL along. */
static bool fold_wal(const char *path)
{
    struct store *s = NULL;
    enum bbt_rc rc = db_side(path, SQLITE_OPEN_READWRITE, &s, NULL);

    if (rc == BBT_OK)
        rc = db_exec(s, "PRAGMA wal_checkpoint(TRUNCATE)", NULL);
    store_close(s);
    return rc == BBT_OK;
}

static enum bbt_rc set_aside(const char *path, char **ret_kept, struct bbt_err *err)
{
    static const char *const sides[] = {"-wal", "-shm"};
    char when[24];
    bool folded;
    char *kept;
    struct stat st;

    if (stat(path, &st) != 0)
        return errno == ENOENT ? BBT_OK : fail_file(err, "look at", path);
    folded = fold_wal(path);
    stamp(when);
    kept = bbt_asprintf("%s.before-%s", path, when);
    if (!kept)
        return bbt_fail(err, BBT_NOMEM, "no memory for a path");
    for (size_t i = 0; !folded && i < 2; i++) {
        char *from = bbt_asprintf("%s%s", path, sides[i]);
        char *to = bbt_asprintf("%s%s", kept, sides[i]);

        if (from && to)
            (void)rename(from, to);
        bbt_free(from);
        bbt_free(to);
    }
    /* A second name first: a death now must not leave a folder without a database, in which
     * the next start would make an empty one. Not every file system has links. */
    if (link(path, kept) != 0 && rename(path, kept) != 0) {
        bbt_free(kept);
        return fail_file(err, "move", path);
    }
    BBT_KILLPOINT("restore-aside");
    *ret_kept = kept;
    return BBT_OK;
}

static enum bbt_rc replace(struct store *from, const char *path, bool force,
    char **ret_kept, struct bbt_err *err)
{
    char *fresh = bbt_asprintf("%s.new", path);
    int fd = -1;
    struct stat st;
    enum bbt_rc rc;

    if (!fresh)
        return bbt_fail(err, BBT_NOMEM, "no memory for a path");
    if (!force && stat(path, &st) == 0 && st.st_size > 0)
        rc = bbt_fail(err, BBT_INVALID,
            "%s exists: --force sets it aside (nothing is deleted)", path);
    else
        rc = copy_to_tmp(from, fresh, err);
    if (rc == BBT_OK)
        rc = open_folder_of(path, &fd, err);
    if (rc == BBT_OK)
        rc = set_aside(path, ret_kept, err);
    BBT_KILLPOINT("restore-rename");
    if (rc == BBT_OK && rename(fresh, path) != 0) {
        rc = fail_file(err, "create", path);
        if (*ret_kept)
            (void)rename(*ret_kept, path);
    }
    BBT_KILLPOINT("restore-renamed");
    if (rc == BBT_OK)
        rc = sync_folder(fd, path, err);
    if (rc != BBT_OK)
        (void)unlink(fresh);
    if (fd >= 0)
        (void)close(fd);
    bbt_free(fresh);
    return rc;
}

enum bbt_rc store_restore(const char *file, const char *state_dir, bool force,
    char **ret_kept, struct bbt_err *err)
{
    struct store *from = NULL, *room = NULL;
    char *path = bbt_asprintf("%s/bbtd.db", state_dir), *kept = NULL;
    enum bbt_rc rc = path ? db_room(state_dir, &room, err)
                          : bbt_fail(err, BBT_NOMEM, "no memory for a path");

    if (rc == BBT_OK)
        rc = check_backup(file, &from, err);
    if (rc == BBT_OK)
        rc = replace(from, path, force, &kept, err);
    if (rc == BBT_OK) {
        *ret_kept = kept;
        kept = NULL;
    }
    store_close(from);
    store_close(room);
    bbt_free(path);
    bbt_free(kept);
    return rc;
}
