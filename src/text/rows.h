/* rows.h -- a data set while it is read: copies of the fields, in one growing block. */
#ifndef TEXT_ROWS_H
#define TEXT_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "text/dataset.h"

struct rows_raw; /* a row as offsets, since the block moves */

struct rows {
    const char *name; /* for messages; borrowed */
    struct bbt_buf pool;
    struct rows_raw *raw;
    size_t n, room;
};

/* Bytes of the file; `at` NULL: no such field. */
struct rows_field {
    const char *at;
    size_t len;
};

/* Empty; `name` is borrowed. */
void rows_init(struct rows *r, const char *name);

/* Frees what was read so far. */
void rows_fini(struct rows *r);

/* Copies the fields. An empty label counts as none. BBT_INVALID "NAME:LINE: why" over
 * DATASET_FIELD_MAX or DATASET_ROWS_MAX; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc rows_add(struct rows *r, struct rows_field text_a,
    struct rows_field text_b, struct rows_field label, uint32_t line, struct bbt_err *err);

/* Makes the data set and leaves `r` empty. BBT_INVALID where there is no row; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc rows_take(
    struct rows *r, struct dataset **ret, struct bbt_err *err);

/* BBT_INVALID "NAME:LINE: why"; and the sentence for BBT_NOMEM. */
enum bbt_rc rows_fail(const struct rows *r, uint32_t line, struct bbt_err *err,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
enum bbt_rc rows_no_memory(const struct rows *r, struct bbt_err *err);

#endif
