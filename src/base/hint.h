/* hint.h -- "did you mean": the nearest known word to a mistyped one. */
#ifndef BASE_HINT_H
#define BASE_HINT_H

#include <stddef.h>

/* The nearest of `n` words by edit distance (transposed neighbours count one), or NULL where
 * none is near enough to be a likely typing mistake. Borrowed from `words`. */
const char *hint_nearest(const char *typed, const char *const *words, size_t n);

#endif
