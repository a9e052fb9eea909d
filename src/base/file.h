/* file.h -- whole small files: read with a cap, write so that a crash leaves old or new. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the file's bytes to `ret` (which brings the cap). Regular files and pipes.
 * BBT_NOTFOUND, BBT_DENIED, BBT_INVALID (over the cap, a directory), BBT_IO, BBT_NOMEM; then
 * `ret` holds what it held before. */
BBT_NODISCARD enum bbt_rc file_read(
    const char *path, struct bbt_buf *ret, struct bbt_err *err);

/* Writes PATH.tmp, syncs it, renames it over `path`, syncs the folder. Mode as open(2). */
BBT_NODISCARD enum bbt_rc file_write(
    const char *path, const void *bytes, size_t len, unsigned mode, struct bbt_err *err);

/* Folder of `path` plus '/' plus `name` where `name` is relative; a copy of `name` where it
 * is absolute. To be freed by bbt_free(); NULL without memory. */
char *file_beside(const char *path, const char *name);

#endif
