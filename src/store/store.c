#include "store/store.h"

#include "base/alloc.h"
#include "base/killpoint.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/st_backup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BUSY_MS 5000 /* somebody looks at the file with the sqlite3 shell */

static enum bbt_rc fail_errno(struct bbt_err *err, const char *what, const char *path)
{
    int e = errno;
    enum bbt_rc rc = e == EACCES || e == EPERM || e == EROFS ? BBT_DENIED
                     : e == ENOMEM                           ? BBT_NOMEM
                     : e == ENOTDIR                          ? BBT_INVALID
                                                             : BBT_IO;

    return bbt_fail(err, rc, "cannot %s %s: %s", what, path, strerror(e));
}

/* mkdir -p with 0700 */
static enum bbt_rc make_dirs(const char *dir, struct bbt_err *err)
{
    char *path = bbt_strdup(dir);
    enum bbt_rc rc = BBT_OK;
    struct stat st;

    if (!path)
        return bbt_fail(err, BBT_NOMEM, "no memory for the path %s", dir);
    if (!path[0]) {
        bbt_free(path);
        return bbt_fail(err, BBT_INVALID, "the state directory has no name");
    }
    for (char *p = path + 1; rc == BBT_OK; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            rc = fail_errno(err, "create the folder", path);
        *p = c;
        if (c == '\0')
            break;
    }
    if (rc == BBT_OK && (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)))
        rc = bbt_fail(err, BBT_INVALID, "the state directory %s is not a folder", dir);
    bbt_free(path);
    return rc;
}

bool db_fs_is_network(long f_type)
{
    static const unsigned types[] = {
        0x00006969, /* NFS */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x0000517b, /* SMB */
        0x5346414f, /* AFS */
        0x73757245, /* Coda */
        0x01021997, /* 9P */
        0x00c36400, /* Ceph */
        0x0bd00bd0, /* Lustre */
        0x47504653, /* GPFS */
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if ((unsigned)f_type == types[i])
            return true;
    return false;
}

static enum bbt_rc refuse_network(const char *dir, struct bbt_err *err)
{
    struct statfs fs;

    if (statfs(dir, &fs) != 0)
        return fail_errno(err, "look at", dir);
    if (db_fs_is_network((long)fs.f_type))
        return bbt_fail(err, BBT_INVALID,
            "%s is on a network file system, where SQLite's locks are not safe: use a "
            "local folder, or allow it in the configuration",
            dir);
    return BBT_OK;
}

/* The pid is for the reader of the message; the lock itself is the kernel's. */
static enum bbt_rc take_lock(struct store *s, const char *path, struct bbt_err *err)
{
    char pid[32] = "";
    ssize_t n;

    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return fail_errno(err, "open", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail_errno(err, "lock", path);
        n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
        return bbt_fail(err, BBT_CONFLICT, "another bbtd (process %s) holds %s",
            pid[0] ? pid : "unknown", path);
    }
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
        return fail_errno(err, "write", path);
    return BBT_OK;
}

/* SQLite would create the file readable for all; -wal and -shm take its mode over. */
static enum bbt_rc make_file(const char *path, struct bbt_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail_errno(err, "open", path);
    (void)close(fd);
    return BBT_OK;
}

static enum bbt_rc set_wal(struct store *s, struct bbt_err *err)
{
    struct query q;
    char mode[16] = "";
    enum bbt_rc rc;

    db_start(&q, s, "PRAGMA journal_mode = WAL");
    if (db_row(&q))
        db_col_text(&q, mode, sizeof mode);
    rc = db_end(&q, err);
    if (rc == BBT_OK && strcmp(mode, "wal") != 0)
        rc = bbt_fail(
            err, BBT_IO, "database: cannot switch to WAL mode (it is %s)", mode);
    return rc;
}

static enum bbt_rc migrate(struct store *s, const char *state_dir, struct bbt_err *err)
{
    int now = 0;
    enum bbt_rc rc = migrate_version(s, &now, err);

    if (rc == BBT_OK && now > 0 && now < migrate_all[migrate_all_nr - 1].version)
        rc = backup_before_migration(s, state_dir, now, err);
    return rc == BBT_OK ? migrate_run(s, migrate_all, migrate_all_nr, err) : rc;
}

/* Where a sync failed before the last daemon died, the kernel may still show bytes of the WAL
 * that the disk does not have and that no later sync would write. Recovery believes them, and
 * a power cut would then take everything that was built on top. Written again as they read,
 * in their place (a full disk does not mind), they are durable. */
static int rewrite_wal(sqlite3_file *f)
{
    const sqlite3_io_methods *io = f->pMethods;
    enum { CHUNK = 64 * 1024 };
    sqlite3_int64 size = 0;
    char *bytes = bbt_alloc(CHUNK);
    int code = bytes ? io->xFileSize(f, &size) : SQLITE_NOMEM;

    for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size; at += CHUNK) {
        int len = size - at < CHUNK ? (int)(size - at) : CHUNK;

        code = io->xRead(f, bytes, len, at);
        if (code == SQLITE_OK)
            code = io->xWrite(f, bytes, len, at);
    }
    if (code == SQLITE_OK && size > 0)
        code = io->xSync(f, SQLITE_SYNC_NORMAL);
    bbt_free(bytes);
    return code;
}

static enum bbt_rc settle_wal(struct store *s, struct bbt_err *err)
{
    sqlite3_file *wal = NULL;
    enum bbt_rc rc = db_begin(s, err); /* nobody else may write meanwhile */
    int code;

    if (rc != BBT_OK)
        return rc;
    code = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    if (code == SQLITE_OK && wal && wal->pMethods)
        code = rewrite_wal(wal);
    db_undo(s);
    return code == SQLITE_OK ? BBT_OK : db_fail(s, code, err);
}

static enum bbt_rc open_db(
    struct store *s, const char *state_dir, const char *path, struct bbt_err *err)
{
    static const char settings[] =
        "PRAGMA synchronous = FULL;"
        "PRAGMA foreign_keys = ON;"
        "PRAGMA trusted_schema = OFF;"
        "PRAGMA cell_size_check = ON;"
        "PRAGMA secure_delete = OFF;"            /* on, old states are overwritten twice */
        "PRAGMA cache_size = -4096;"             /* KiB: the daemon stays small */
        "PRAGMA journal_size_limit = 67108864;"; /* a long reader lets the WAL grow */
    enum bbt_rc rc;
    int code, version = 0;

    code = sqlite3_open_v2(
        path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return s->db ? db_fail(s, code, err)
                     : bbt_fail(err, BBT_NOMEM, "no memory to open %s", path);
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    rc = migrate_check(s, migrate_all, migrate_all_nr, err);
    /* a new file can give pages back later; decided before its first page is written */
    if (rc == BBT_OK)
        rc = migrate_version(s, &version, err);
    if (rc == BBT_OK && version == 0)
        rc = db_exec(s, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (rc == BBT_OK)
        rc = set_wal(s, err);
    BBT_KILLPOINT("store-wal");
    if (rc == BBT_OK)
        rc = db_exec(s, settings, err);
    if (rc == BBT_OK)
        rc = db_warm(s, err);
    if (rc == BBT_OK)
        rc = settle_wal(s, err);
    if (rc == BBT_OK)
        rc = migrate(s, state_dir, err);
    BBT_KILLPOINT("store-open");
    return rc;
}

enum bbt_rc db_room(const char *state_dir, struct store **ret, struct bbt_err *err)
{
    struct store *s = bbt_calloc(1, sizeof *s);
    char *lock = bbt_asprintf("%s/lock", state_dir);
    enum bbt_rc rc = BBT_OK;

    if (s)
        s->lock_fd = -1;
    if (!s || !lock)
        rc = bbt_fail(err, BBT_NOMEM, "no memory for the store");
    if (rc == BBT_OK)
        rc = make_dirs(state_dir, err);
    if (rc == BBT_OK)
        rc = take_lock(s, lock, err);
    bbt_free(lock);
    if (rc == BBT_OK)
        *ret = s;
    else
        store_close(s);
    return rc;
}

enum bbt_rc store_open(
    const char *state_dir, unsigned flags, struct store **ret, struct bbt_err *err)
{
    struct store *s = bbt_calloc(1, sizeof *s);
    char *lock = bbt_asprintf("%s/lock", state_dir);
    char *path = bbt_asprintf("%s/bbtd.db", state_dir);
    enum bbt_rc rc;

    if (s)
        s->lock_fd = -1;
    rc = s && lock && path ? BBT_OK
                           : bbt_fail(err, BBT_NOMEM, "no memory for the store");
    if (rc == BBT_OK)
        rc = make_dirs(state_dir, err);
    if (rc == BBT_OK && !(flags & STORE_NETWORK_OK))
        rc = refuse_network(state_dir, err);
    if (rc == BBT_OK)
        rc = take_lock(s, lock, err);
    BBT_KILLPOINT("store-locked");
    if (rc == BBT_OK)
        rc = make_file(path, err);
    if (rc == BBT_OK) {
        rc = open_db(s, state_dir, path, err);
        if (rc != BBT_OK)
            rc = bbt_err_ctx(err, "%s", path);
    }
    if (rc == BBT_OK) {
        *ret = s;
        s = NULL;
    }
    store_close(s);
    bbt_free(lock);
    bbt_free(path);
    return rc;
}

void store_close(struct store *s)
{
    int code = SQLITE_OK;

    if (!s)
        return;
    for (size_t i = 0; i < s->cached; i++)
        (void)sqlite3_finalize(s->cache[i].st);
    if (s->db)
        code = sqlite3_close(s->db);
    assert(code == SQLITE_OK); /* no statement was left open */
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd); /* after the database: the lock covers its closing */
    bbt_free(s);
}

enum bbt_rc store_begin(struct store *s, struct bbt_err *err)
{
    enum bbt_rc rc = BBT_OK;

    if (s->depth == 0)
        rc = db_begin(s, err);
    BBT_KILLPOINT("group-begun");
    if (rc == BBT_OK)
        s->depth++;
    return rc;
}

enum bbt_rc store_commit(struct store *s, struct bbt_err *err)
{
    enum bbt_rc rc = s->lost;

    assert(s->depth > 0);
    if (s->depth > 1) {
        s->depth--;
        return BBT_OK;
    }
    if (rc != BBT_OK)
        (void)bbt_fail(
            err, rc, "database: an earlier failure undid this group of changes");
    else
        rc = db_commit(s, err);
    BBT_KILLPOINT("group-committed");
    if (rc != BBT_OK) {
        store_rollback(s);
        return rc;
    }
    s->depth = 0;
    return BBT_OK;
}

enum bbt_rc store_enter(struct store *s, struct bbt_err *err)
{
    return db_enter(s, err);
}

enum bbt_rc store_leave(struct store *s, enum bbt_rc rc, struct bbt_err *err)
{
    enum bbt_rc left = db_leave(s, rc == BBT_NOTFOUND ? BBT_OK : rc, err);

    return left == BBT_OK ? rc : left;
}

void store_rollback(struct store *s)
{
    db_undo(s);
    s->depth = 0;
    s->lost = BBT_OK;
}

static enum bbt_rc read_version(struct store *s, int *ret, struct bbt_err *err)
{
    struct query q;

    *ret = 0;
    db_start(&q, s, "PRAGMA user_version");
    if (db_row(&q))
        *ret = (int)db_col_int(&q);
    return db_end(&q, err);
}

int store_version(struct store *s)
{
    int v;

    return read_version(s, &v, NULL) == BBT_OK ? v : 0;
}

enum bbt_rc store_touch(struct store *s, struct bbt_err *err)
{
    char sql[48];
    int version;
    enum bbt_rc rc = read_version(s, &version, err);

    if (rc != BBT_OK)
        return rc;
    if (version == 0) /* never true of an open file: it could not be read */
        return bbt_fail(err, BBT_IO, "database: the first page could not be read");
    (void)snprintf(sql, sizeof sql, "PRAGMA user_version = %d", version);
    return db_exec(s, sql, err);
}

bool db_unread(const char *finding)
{
    return strstr(finding, "failed to get page") || strstr(finding, "error code=") ||
           strstr(finding, "Failed to read ptrmap");
}

/* The first finding; *ret_read false where a page could not be read, which is no finding. */
static enum bbt_rc quick_check(
    struct store *s, char *finding, size_t room, bool *ret_read, struct bbt_err *err)
{
    static const char refused[] = "error code=";
    struct query q;
    const char *code;
    enum bbt_rc rc;

    db_start(&q, s, "PRAGMA quick_check(1)");
    finding[0] = '\0';
    if (db_row(&q))
        db_col_text(&q, finding, room);
    rc = db_end(&q, err);
    if (rc != BBT_OK)
        return rc;
    code = strstr(finding, refused);
    if (code && strtol(code + strlen(refused), NULL, 10) > 0)
        return db_fail(s, (int)strtol(code + strlen(refused), NULL, 10), err);
    *ret_read = !db_unread(finding);
    return BBT_OK;
}

enum bbt_rc store_check(struct store *s, struct bbt_err *err)
{
    char finding[200];
    bool read = false;
    enum bbt_rc rc = BBT_OK;

    /* for want of memory, or by the disk's fault: SQLite does not tell, so ask again */
    for (unsigned i = 0; rc == BBT_OK && !read && i < 2; i++)
        rc = quick_check(s, finding, sizeof finding, &read, err);
    if (rc != BBT_OK || strcmp(finding, "ok") == 0)
        return rc;
    return bbt_fail(err, read ? BBT_CORRUPT : BBT_IO, "database: %s", finding);
}
