/* story.h -- every public operation of the store, as the steps of one job's life.
 *
 * Step i leads from one state of the file to the next; the states of the undisturbed run
 * are known as digests. A disturbed run may only ever be in one of them: that is what
 * "nothing acknowledged is lost, nothing is there by halves" means here. */
#ifndef TEST_FAULT_STORY_H
#define TEST_FAULT_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "simvfs.h"
#include "store/store.h"

#include <stdbool.h>

struct story {
    char base[64]; /* a real folder, for the lock; removed at the end */
    char dir[96];
    struct store *s;
    struct bbt_err err;
};

struct story_step {
    const char *name;
    enum bbt_rc (*run)(struct story *t); /* one commit, or a read */
};

extern const struct story_step story_steps[];
extern const size_t story_steps_nr;

#define STORY_STEPS_MAX 64

/* Makes the folder, wipes the disk; no store is open yet. */
void story_init(struct story *t);
void story_fini(struct story *t);

/* Opens the store, with checkpoints of the WAL as frequent as if there were much data. */
enum bbt_rc story_open(struct story *t);
void story_close(struct story *t);

/* Everything in the file, as one number. */
uint64_t story_digest(struct story *t);

/* Runs a setting that must work. */
void story_exec(struct story *t, const char *sql);

/* PRAGMA integrity_check and foreign_key_check say nothing. */
void story_sound(struct story *t);

/* digests[i] before step i, for 0 <= i <= story_steps_nr, from an undisturbed run on a
 * fresh disk; and copies of the disk at those moments (after a clean kill) where
 * `images` is not NULL. */
void story_undisturbed(
    struct story *t, uint64_t *digests, struct simdisk_image **images);

/* Demands BBT_OK; shows the sentence where it is not. */
void story_ok(struct story *t, enum bbt_rc rc, const char *what, size_t step);

#endif
