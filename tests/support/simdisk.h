/* simdisk.h -- a disk in memory that forgets, tears, fails and fills up, all from a seed.
 *
 * Each file has two faces: what its readers see, and what is on the platter. A write goes
 * to the first and into a list; a sync moves the list to the second. At a power cut a
 * random subset of the list reaches the platter, some of it torn at sector bounds; then
 * the platter is all there is. One disk per process, one thread. */
#ifndef TEST_SIMDISK_H
#define TEST_SIMDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct simfile; /* lives until the next reboot or wipe */

/* Kinds of calls, as bits: they are counted, can fail, can be where the machine dies. */
enum simdisk_op {
    SIMDISK_OPEN = 1,
    SIMDISK_READ = 2,
    SIMDISK_WRITE = 4,
    SIMDISK_SYNC = 8,
    SIMDISK_TRUNCATE = 16,
    SIMDISK_DELETE = 32,
    SIMDISK_ALL = 63,
};

enum simdisk_rc {
    SIMDISK_OK,
    SIMDISK_BAD,  /* the planned fault */
    SIMDISK_FULL, /* no room */
    SIMDISK_DEAD, /* the machine is off, or was rebooted since the file was opened */
    SIMDISK_NOMEM,
};

struct simdisk_count {
    uint64_t opens, reads, writes, syncs, truncates, deletes;
    uint64_t bytes_read, bytes_written;
    uint64_t faults; /* calls that were refused, by plan or for want of room */
};

/* ---- what a test does ---- */

/* Everything is gone, no fault is planned, counters are 0. Handles still open are dead. */
void simdisk_wipe(void);

/* Power cut and reboot: see above. Handles still open are dead (every call fails, closing
 * is fine). Plans of faults end; the room stays. The same seed on the same history gives
 * the same platter. */
void simdisk_power_cut(uint64_t seed);

/* SIGKILL: handles are dead, but the kernel keeps every write. */
void simdisk_kill(void);

/* The `kth` call (0 = the next) of those kinds fails, and with `sticky` every later one of
 * those kinds. A failed write leaves half of itself, a failed sync keeps of its list what
 * it likes and forgets the rest (as Linux does). `ops` 0: no fault. */
void simdisk_fail(unsigned ops, long kth, bool sticky);

/* The machine is off from the `kth` call of those kinds on, that one included (a write
 * is begun: it is in the list). Then call simdisk_power_cut() or simdisk_kill(). */
void simdisk_die(unsigned ops, long kth);
bool simdisk_is_dead(void);

/* Files may grow by so many bytes altogether from now on; < 0: without end. */
void simdisk_room(int64_t bytes);

/* Counters since the last wipe. */
const struct simdisk_count *simdisk_count(void);

/* A copy of the disk as it is (platter and list), to go back to many times. Loading makes
 * handles dead and ends the plans. Counters go on. */
struct simdisk_image;
struct simdisk_image *simdisk_save(void);
void simdisk_load(const struct simdisk_image *img);
void simdisk_image_free(struct simdisk_image *img);

/* Changes bytes on both faces of a file: silent damage. False: no such byte. */
bool simdisk_damage(const char *name, uint64_t at, unsigned char xor_with);

/* ---- what a file system does (simvfs.c) ---- */

/* Bumped by every reboot: a file of an older life must not be touched. */
unsigned simdisk_life(void);

bool simdisk_exists(const char *name);
enum simdisk_rc simdisk_open(const char *name, bool create, struct simfile **ret);
enum simdisk_rc simdisk_delete(const char *name);
/* *ret_got < len where the file ends. */
enum simdisk_rc simdisk_read(
    struct simfile *f, uint64_t at, void *to, size_t len, size_t *ret_got);
enum simdisk_rc simdisk_write(
    struct simfile *f, uint64_t at, const void *bytes, size_t len);
enum simdisk_rc simdisk_truncate(struct simfile *f, uint64_t size);
enum simdisk_rc simdisk_sync(struct simfile *f);
uint64_t simdisk_size(const struct simfile *f);

/* Locks and shared memory of a file: owned by simvfs.c, cleared at reboot. */
struct simshare {
    int shared;           /* connections with at least a shared lock */
    bool reserved, pending, exclusive;
    void *region[64];     /* of shared memory, zeroed at first use */
    int region_size;
    int slot_shared[8];
    bool slot_exclusive[8];
};
struct simshare *simdisk_share(struct simfile *f);

#endif
