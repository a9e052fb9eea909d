/* numcut.h -- lifts the big number arrays out of a JSON request before JSON is parsed.
 *
 * Every `"data": [ ... ]` is replaced by `"data": K`, K counting from 0, and its numbers (of
 * any nesting, row-major) become doubles: a tree of a million JSON numbers would need a
 * hundred times their memory. What is left is small and goes to the strict parser, which also
 * judges everything outside the arrays. */
#ifndef LMSERVER_NUMCUT_H
#define LMSERVER_NUMCUT_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define NUMCUT_ARRAYS_MAX 16u
#define NUMCUT_NUMBERS_MAX (8u * 1024u * 1024u)
#define NUMCUT_DEPTH_MAX 8

struct numcut {
    double *num; /* all arrays behind one another */
    size_t num_nr;
    size_t room;  /* allocated; private */
    size_t at[NUMCUT_ARRAYS_MAX + 1]; /* array k has those from at[k] to at[k + 1] */
    size_t arrays;
};

/* Appends what is left to `slim`. Booleans count as 0 and 1. BBT_INVALID: anything else that
 * is no number inside such an array, too many numbers, arrays or levels. */
BBT_NODISCARD enum bbt_rc numcut_run(const char *text, size_t len, struct bbt_buf *slim,
    struct numcut *ret, struct bbt_err *err);

void numcut_fini(struct numcut *n); /* all-zero is fine */

#endif
