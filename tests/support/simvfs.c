#include "simvfs.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handle {
    sqlite3_file base;
    struct simfile *f;
    unsigned life;
    int lock; /* SQLITE_LOCK_* */
    unsigned slots_shared, slots_exclusive;
};

static uint64_t rng;

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)(void *)file;
}

static bool gone(const struct handle *h)
{
    return h->life != simdisk_life() || simdisk_is_dead();
}

static int code_of(enum simdisk_rc rc, int bad)
{
    return rc == SIMDISK_OK      ? SQLITE_OK
           : rc == SIMDISK_FULL  ? SQLITE_FULL
           : rc == SIMDISK_NOMEM ? SQLITE_IOERR_NOMEM
                                 : bad;
}

/* ---- a file ---- */

static int sim_unlock(sqlite3_file *file, int to);
static int sim_shm_unmap(sqlite3_file *file, int delete);

static int sim_close(sqlite3_file *file)
{
    struct handle *h = handle_of(file);

    if (h->life == simdisk_life()) {
        (void)sim_unlock(file, SQLITE_LOCK_NONE);
        (void)sim_shm_unmap(file, 0);
    }
    return SQLITE_OK;
}

static int sim_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    struct handle *h = handle_of(file);
    size_t got = 0;
    enum simdisk_rc rc;

    if (gone(h))
        return SQLITE_IOERR_READ;
    rc = simdisk_read(h->f, (uint64_t)at, to, (size_t)len, &got);
    if (rc != SIMDISK_OK)
        return code_of(rc, SQLITE_IOERR_READ);
    if (got == (size_t)len)
        return SQLITE_OK;
    memset((char *)to + got, 0, (size_t)len - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int sim_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    struct handle *h = handle_of(file);

    return gone(h) ? SQLITE_IOERR_WRITE
                   : code_of(simdisk_write(h->f, (uint64_t)at, bytes, (size_t)len),
                         SQLITE_IOERR_WRITE);
}

static int sim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct handle *h = handle_of(file);

    return gone(h)
               ? SQLITE_IOERR_TRUNCATE
               : code_of(simdisk_truncate(h->f, (uint64_t)size), SQLITE_IOERR_TRUNCATE);
}

static int sim_sync(sqlite3_file *file, int flags)
{
    struct handle *h = handle_of(file);

    (void)flags;
    return gone(h) ? SQLITE_IOERR_FSYNC : code_of(simdisk_sync(h->f), SQLITE_IOERR_FSYNC);
}

static int sim_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    struct handle *h = handle_of(file);

    if (gone(h))
        return SQLITE_IOERR_FSTAT;
    *ret = (sqlite3_int64)simdisk_size(h->f);
    return SQLITE_OK;
}

/* ---- locks ---- */

static int take(struct handle *h, struct simshare *s, int to)
{
    switch (to) {
    case SQLITE_LOCK_SHARED:
        if (s->pending || s->exclusive)
            return SQLITE_BUSY;
        s->shared++;
        break;
    case SQLITE_LOCK_RESERVED:
        if (s->reserved)
            return SQLITE_BUSY;
        s->reserved = true;
        break;
    default: /* exclusive, by way of pending */
        if (h->lock < SQLITE_LOCK_RESERVED && s->reserved)
            return SQLITE_BUSY;
        s->reserved = s->pending = true;
        h->lock = SQLITE_LOCK_PENDING;
        if (s->shared > 1)
            return SQLITE_BUSY;
        s->exclusive = true;
        break;
    }
    h->lock = to;
    return SQLITE_OK;
}

static int sim_lock(sqlite3_file *file, int to)
{
    struct handle *h = handle_of(file);

    if (gone(h))
        return SQLITE_IOERR_LOCK;
    return h->lock >= to ? SQLITE_OK : take(h, simdisk_share(h->f), to);
}

static int sim_unlock(sqlite3_file *file, int to)
{
    struct handle *h = handle_of(file);
    struct simshare *s;

    if (h->life != simdisk_life())
        return SQLITE_OK;
    s = simdisk_share(h->f);
    if (h->lock >= SQLITE_LOCK_RESERVED && to < SQLITE_LOCK_RESERVED)
        s->reserved = s->pending = s->exclusive = false;
    if (h->lock >= SQLITE_LOCK_SHARED && to < SQLITE_LOCK_SHARED)
        s->shared--;
    if (h->lock > to)
        h->lock = to;
    return SQLITE_OK;
}

static int sim_reserved(sqlite3_file *file, int *ret)
{
    struct handle *h = handle_of(file);

    *ret = !gone(h) && simdisk_share(h->f)->reserved;
    return SQLITE_OK;
}

static int sim_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int sim_sector(sqlite3_file *file)
{
    (void)file;
    return 4096; /* as the real one says */
}

static int sim_traits(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as the real one says */
}

/* ---- shared memory of the WAL ---- */

static int sim_shm_map(
    sqlite3_file *file, int i, int size, int extend, void volatile **ret)
{
    struct handle *h = handle_of(file);
    struct simshare *s;

    *ret = NULL;
    if (gone(h))
        return SQLITE_IOERR_SHMMAP;
    s = simdisk_share(h->f);
    if (i < 0 || (size_t)i >= sizeof s->region / sizeof s->region[0])
        return SQLITE_IOERR_SHMSIZE;
    if (!s->region[i] && !extend)
        return SQLITE_OK;
    if (!s->region[i])
        s->region[i] = calloc(1, (size_t)size);
    *ret = s->region[i];
    return s->region[i] ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static void slot_drop(struct handle *h, struct simshare *s, int i)
{
    unsigned bit = 1u << i;

    if (h->slots_shared & bit)
        s->slot_shared[i]--;
    if (h->slots_exclusive & bit)
        s->slot_exclusive[i] = false;
    h->slots_shared &= ~bit;
    h->slots_exclusive &= ~bit;
}

static bool slot_free(
    const struct handle *h, const struct simshare *s, int i, bool exclusive)
{
    int others = s->slot_shared[i] - ((h->slots_shared >> i) & 1u ? 1 : 0);

    if (s->slot_exclusive[i] && !((h->slots_exclusive >> i) & 1u))
        return false;
    return !exclusive || others == 0;
}

static int sim_shm_lock(sqlite3_file *file, int first, int n, int flags)
{
    struct handle *h = handle_of(file);
    bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
    struct simshare *s;

    if (gone(h))
        return flags & SQLITE_SHM_UNLOCK ? SQLITE_OK : SQLITE_IOERR_SHMLOCK;
    s = simdisk_share(h->f);
    for (int i = first; i < first + n; i++)
        if ((flags & SQLITE_SHM_LOCK) && !slot_free(h, s, i, exclusive))
            return SQLITE_BUSY;
    for (int i = first; i < first + n; i++) {
        slot_drop(h, s, i);
        if (!(flags & SQLITE_SHM_LOCK))
            continue;
        if (exclusive) {
            s->slot_exclusive[i] = true;
            h->slots_exclusive |= 1u << i;
        } else {
            s->slot_shared[i]++;
            h->slots_shared |= 1u << i;
        }
    }
    return SQLITE_OK;
}

static void sim_shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int sim_shm_unmap(sqlite3_file *file, int delete)
{
    struct handle *h = handle_of(file);
    struct simshare *s;

    if (h->life != simdisk_life())
        return SQLITE_OK;
    s = simdisk_share(h->f);
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        slot_drop(h, s, i);
    for (size_t i = 0; delete && i < sizeof s->region / sizeof s->region[0]; i++) {
        free(s->region[i]);
        s->region[i] = NULL;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = sim_close,
    .xRead = sim_read,
    .xWrite = sim_write,
    .xTruncate = sim_truncate,
    .xSync = sim_sync,
    .xFileSize = sim_size,
    .xLock = sim_lock,
    .xUnlock = sim_unlock,
    .xCheckReservedLock = sim_reserved,
    .xFileControl = sim_control,
    .xSectorSize = sim_sector,
    .xDeviceCharacteristics = sim_traits,
    .xShmMap = sim_shm_map,
    .xShmLock = sim_shm_lock,
    .xShmBarrier = sim_shm_barrier,
    .xShmUnmap = sim_shm_unmap,
};

/* ---- the file system ---- */

static int fs_open(
    sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    struct handle *h = handle_of(file);
    /* the store makes the database's file itself, on the real disk */
    bool create = !name || (flags & (SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB));
    enum simdisk_rc rc;

    (void)vfs;
    *h = (struct handle){0};
    rc = simdisk_open(name, create, &h->f);
    if (rc != SIMDISK_OK)
        return code_of(rc, SQLITE_CANTOPEN);
    h->life = simdisk_life();
    h->base.pMethods = &methods;
    if (ret_flags)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int fs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    (void)sync_dir;
    if (!simdisk_exists(name) && !simdisk_is_dead())
        return SQLITE_IOERR_DELETE_NOENT;
    return code_of(simdisk_delete(name), SQLITE_IOERR_DELETE);
}

static int fs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
    (void)vfs;
    (void)flags;
    if (simdisk_is_dead())
        return SQLITE_IOERR_ACCESS;
    *ret = simdisk_exists(name);
    return SQLITE_OK;
}

static int fs_full(sqlite3_vfs *vfs, const char *name, int room, char *ret)
{
    (void)vfs;
    (void)snprintf(ret, (size_t)room, "%s", name);
    return SQLITE_OK;
}

static int fs_random(sqlite3_vfs *vfs, int n, char *ret)
{
    (void)vfs;
    for (int i = 0; i < n; i++) {
        rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ret[i] = (char)(rng >> 56);
    }
    return n;
}

static int fs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us; /* nobody else can let go of a lock meanwhile */
}

static int fs_time(sqlite3_vfs *vfs, double *ret)
{
    (void)vfs;
    *ret = 2461000.5;
    return SQLITE_OK;
}

static int fs_error(sqlite3_vfs *vfs, int room, char *ret)
{
    (void)vfs;
    (void)room;
    (void)ret;
    return 0;
}

static sqlite3_vfs sim = {
    .iVersion = 1,
    .szOsFile = sizeof(struct handle),
    .mxPathname = 240,
    .zName = "sim",
    .xOpen = fs_open,
    .xDelete = fs_delete,
    .xAccess = fs_access,
    .xFullPathname = fs_full,
    .xRandomness = fs_random,
    .xSleep = fs_sleep,
    .xCurrentTime = fs_time,
    .xGetLastError = fs_error,
};

void simvfs_install(void)
{
    if (sqlite3_vfs_register(&sim, 1) != SQLITE_OK) {
        (void)fprintf(stderr, "simvfs: SQLite does not take the file system\n");
        abort();
    }
}

void simvfs_remove(void)
{
    (void)sqlite3_vfs_unregister(&sim);
}

void simvfs_seed(uint64_t seed)
{
    rng = seed;
    sqlite3_randomness(0, NULL); /* SQLite seeds its own generator again */
}
