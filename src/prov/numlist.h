/* numlist.h -- a JSON array of numbers, read while it comes: megabytes of them without a tree.
 *
 * It is either flat with product(shape) numbers or nested exactly as the shape. null, NaN and
 * [-]Infinity (which some servers write) are handed over as such. */
#ifndef PROV_NUMLIST_H
#define PROV_NUMLIST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMLIST_RANK_MAX 8

/* Told every number in row-major order; `at` counts from 0. */
typedef void numlist_sink_fn(void *arg, size_t at, double v);

struct numlist {
    size_t shape[NUMLIST_RANK_MAX], rank, total;
    numlist_sink_fn *sink;
    void *arg;
    bool done; /* its closing bracket came, and all is as it should be */

    /* own */
    size_t count[NUMLIST_RANK_MAX + 1]; /* elements seen so far at each depth, from 1 */
    size_t depth, deepest, seen;
    enum { NUM_VALUE, NUM_FIRST, NUM_COMMA } due; /* FIRST: a value, or the list is empty */
    uint8_t word[256]; /* the first part of a number that goes on in the next piece */
    size_t word_len;
};

/* Copies the shape. BBT_CORRUPT: rank not 1 .. NUMLIST_RANK_MAX, or no such product. */
BBT_NODISCARD enum bbt_rc numlist_begin(struct numlist *l, const size_t *shape, size_t rank,
    numlist_sink_fn *sink, void *arg, struct bbt_err *err);

/* The next bytes; *ret_used are read, all of them unless the list is done. BBT_CORRUPT where
 * it is anything else. An end before `done` is for the caller to see. */
BBT_NODISCARD enum bbt_rc numlist_feed(struct numlist *l, const void *bytes, size_t len,
    size_t *ret_used, struct bbt_err *err);

#endif
