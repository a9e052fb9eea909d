/* outfile.h -- a file that a command was asked to write: whole or not at all. */
#ifndef CTL_OUTFILE_H
#define CTL_OUTFILE_H

#include "ctl.h"

#include <stddef.h>

/* Writes and says so on standard error; "-" is standard output, but no terminal. CTL_CONFLICT
 * where the file exists and not `force`. */
int outfile_write(
    const struct ctl *c, const char *path, bool force, const void *bytes, size_t len);

#endif
