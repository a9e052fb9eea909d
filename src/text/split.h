/* split.h -- class-balanced k-shot picks from data sets.
 *
 * No randomness of its own: the caller brings the order to walk in (a permutation of the
 * rows). Picks keep the order of that walk, as the paper's code does. */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct split_source {
    const char *name;       /* for messages */
    size_t rows;
    size_t classes;
    const uint32_t *cls;    /* rows: class of each row, < classes */
    const uint64_t *digest; /* rows: dataset_digest() of each row */
    const uint32_t *perm;   /* rows: the order to walk in; NULL: the file's */
    const char *const *class_names; /* classes, for messages; NULL: numbers */
};

struct split {
    uint32_t *train, *dev; /* row numbers */
    size_t n_train, n_dev;
};

/* Frees the row numbers; zeroed is fine. */
void split_fini(struct split *s);

/* The first `shots_train` rows of each class become train, the next `shots_dev` become dev.
 * A row whose text is in train never goes to dev. BBT_INVALID names the class that has too
 * few, and how many it has; also a permutation that is none. BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc split_kshot(const struct split_source *src, size_t shots_train,
    size_t shots_dev, struct split *ret, struct bbt_err *err);

/* The first `shots` rows of each class (0: every row) whose digest is not among `avoid`
 * (any order). The caller frees *ret (bbt_free). Failures as above. */
BBT_NODISCARD enum bbt_rc split_pick(const struct split_source *src, size_t shots,
    const uint64_t *avoid, size_t n_avoid, uint32_t **ret, size_t *ret_n,
    struct bbt_err *err);

#endif
