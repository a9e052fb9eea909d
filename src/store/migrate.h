/* migrate.h -- brings a database to the schema that this program knows. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/err.h"

#include <stddef.h>

struct store;

struct migration {
    int version; /* from 1, without gaps */
    const char *name;
    const char *sql;
};

/* schema/NNN_*.sql, embedded at build time. */
extern const struct migration migrate_all[];
extern const size_t migrate_all_nr;

/* Schema version of the file; 0: it has none yet. */
BBT_NODISCARD enum bbt_rc migrate_version(
    struct store *s, int *ret, struct bbt_err *err);

/* Refuses what is not ours (BBT_INVALID) before anything is written to the file:
 * another program's database, or one of a later version than the last of `m`. */
BBT_NODISCARD enum bbt_rc migrate_check(
    struct store *s, const struct migration *m, size_t n, struct bbt_err *err);

/* Runs those migrations that the file has not seen, each in a transaction of its own.
 * After a failure the file is as the last complete migration left it. */
BBT_NODISCARD enum bbt_rc migrate_run(
    struct store *s, const struct migration *m, size_t n, struct bbt_err *err);

#endif
