/* jcut.h -- JSON messages with megabytes of numbers inside: cuts the number arrays out, so
 * that the small rest goes through the strict reader of base/json.h, and reads the numbers in
 * one pass without building a tree.
 *
 * Cut is the array value of every member "data" that stands in an object in an array in the
 * root object: {"outputs":[{"data":[...]}]}. In the rest each stands as its index. */
#ifndef PROV_JCUT_H
#define PROV_JCUT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

#define JCUT_PIECES_MAX 16
#define JCUT_REST_MAX (256u * 1024u)

struct jcut {
    json_t *root; /* the rest, parsed */
    struct {
        const uint8_t *at; /* the array, brackets included; lent from the input */
        size_t len;
    } piece[JCUT_PIECES_MAX];
    size_t pieces;
};

/* BBT_CORRUPT: not JSON, cut short, more than JCUT_PIECES_MAX arrays, or the rest over
 * JCUT_REST_MAX; the sentence starts with `name`. The input must outlive the result. */
BBT_NODISCARD enum bbt_rc jcut_parse(const uint8_t *body, size_t len, const char *name,
    struct jcut *ret, struct bbt_err *err);
void jcut_fini(struct jcut *c); /* NULL and zeroed are fine */

/* Told every number in row-major order; `at` counts from 0. */
typedef void jcut_sink_fn(void *arg, size_t at, double v);

/* Reads an array of numbers that is either flat with product(shape) elements or nested
 * exactly as `shape`. null, NaN and [-]Infinity (which some servers write) are handed over
 * as such. `rank` 1 .. 8. BBT_CORRUPT where it is anything else. */
BBT_NODISCARD enum bbt_rc jcut_numbers(const uint8_t *at, size_t len, const size_t *shape,
    size_t rank, jcut_sink_fn *sink, void *arg, struct bbt_err *err);

#endif
