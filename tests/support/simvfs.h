/* simvfs.h -- SQLite on the disk of simdisk.h.
 *
 *     simvfs_install();                     // once, after store_use_alloc(), before any store
 *     simdisk_wipe();                       // between stories
 *     store_open(dir, ...);                 // dir is a real folder: it holds the lock file
 *     simdisk_die(SIMDISK_SYNC, 7); ...     // the machine goes off at the 8th sync from here
 *     simdisk_power_cut(seed);              // or simdisk_kill(): reboot
 *     store_close(s);                       // of the old life: writes nothing any more
 *     store_open(dir, ...);                 // what was acknowledged must be there
 *
 * The database exists on this disk only; the empty bbtd.db in the real folder means
 * nothing, and a wipe may leave it. WAL's shared memory is plain memory, locks work between
 * connections of this process. SQLite's randomness comes from simvfs_seed(), so the same
 * story gives the same bytes. One thread. */
#ifndef TEST_SIMVFS_H
#define TEST_SIMVFS_H

#include "simdisk.h"

#include <stdint.h>

/* Makes it the default file system of SQLite. Twice is fine. */
void simvfs_install(void);

/* Makes the real one the default again. */
void simvfs_remove(void);

/* Restarts SQLite's source of randomness (salts of the WAL). */
void simvfs_seed(uint64_t seed);

#endif
