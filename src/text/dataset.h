/* dataset.h -- labelled texts out of TSV, CSV or JSONL bytes.
 *
 * Labels stay the strings that the file has; what they mean is the verbalizer's business.
 * Every sentence about bad data is "NAME:LINE: why (fix)". Pure: no files. */
#ifndef TEXT_DATASET_H
#define TEXT_DATASET_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DATASET_BYTES_MAX (256u << 20)
#define DATASET_ROWS_MAX (4u << 20)
#define DATASET_FIELD_MAX (1u << 20) /* bytes of one text */
#define DATASET_COLUMNS_MAX 256

enum dataset_format {
    DATASET_TSV,   /* header line, tabs, no quoting */
    DATASET_CSV,   /* RFC 4180 with a header record */
    DATASET_JSONL, /* one object per line */
    DATASET_FORMAT_NR
};

/* Column (or member) names. NULL: the usual names, and then a missing second text or label
 * is no error; a column that was named must be there. */
struct dataset_columns {
    const char *text_a; /* NULL: "text", else "text_a" */
    const char *text_b; /* NULL: "text_b" where there is one */
    const char *label;  /* NULL: "label" where there is one */
};

struct dataset_row {
    const char *text_a; /* valid UTF-8 without NUL; never NULL, may be empty */
    const char *text_b; /* NULL: none */
    const char *label;  /* NULL: none, or empty in the file */
    uint32_t line;      /* where the row starts, from 1 */
};

struct dataset {
    char *name; /* as given to dataset_parse(), for messages */
    size_t n;
    struct dataset_row *rows; /* in the file's order */
    char *pool;               /* the strings */
};

/* By the file name's ending (.tsv .csv .jsonl .ndjson, .json and .txt as jsonl and tsv; a
 * trailing path is fine). DATASET_FORMAT_NR: unknown. */
enum dataset_format dataset_format_guess(const char *filename);

/* The format's name ("tsv"); and back, DATASET_FORMAT_NR where there is none. */
const char *dataset_format_name(enum dataset_format f);
enum dataset_format dataset_format_parse(const char *name);

/* `cols` may be NULL (all usual names). `name` stands in messages. A byte order mark and
 * CRLF are fine; blank lines are skipped. BBT_INVALID with "NAME:LINE: why"; BBT_NOMEM. */
BBT_NODISCARD enum bbt_rc dataset_parse(const void *bytes, size_t len,
    enum dataset_format format, const struct dataset_columns *cols, const char *name,
    struct dataset **ret, struct bbt_err *err);
void dataset_free(struct dataset *d); /* NULL is fine */

/* Identity of the row's texts (not of its label): equal texts, equal digests. */
uint64_t dataset_digest(const struct dataset_row *row);

#endif
