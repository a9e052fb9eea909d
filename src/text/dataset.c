#include "text/dataset.h"

#include "base/alloc.h"
#include "base/digest.h"
#include "text/dsv.h"
#include "text/jsonl.h"
#include "text/rows.h"
#include "text/utf8.h"

#include <string.h>
#include <strings.h>

static const char *const names[DATASET_FORMAT_NR] = {"tsv", "csv", "jsonl"};

const char *dataset_format_name(enum dataset_format f)
{
    return (unsigned)f < DATASET_FORMAT_NR ? names[f] : "unknown";
}

enum dataset_format dataset_format_parse(const char *name)
{
    unsigned f = 0;

    while (f < DATASET_FORMAT_NR && strcmp(names[f], name) != 0)
        f++;
    return (enum dataset_format)f;
}

enum dataset_format dataset_format_guess(const char *filename)
{
    static const struct {
        const char *ending;
        enum dataset_format format;
    } endings[] = {{".tsv", DATASET_TSV}, {".txt", DATASET_TSV}, {".csv", DATASET_CSV},
        {".jsonl", DATASET_JSONL}, {".ndjson", DATASET_JSONL}, {".json", DATASET_JSONL}};
    const char *slash = strrchr(filename, '/');
    const char *dot = strrchr(slash ? slash : filename, '.');

    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i].ending) == 0)
            return endings[i].format;
    return DATASET_FORMAT_NR;
}

void dataset_free(struct dataset *d)
{
    if (!d)
        return;
    bbt_free(d->name);
    bbt_free(d->rows);
    bbt_free(d->pool);
    bbt_free(d);
}

static uint32_t line_of(const char *text, size_t at)
{
    uint32_t line = 1;

    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

/* Everything behind relies on valid UTF-8 without NUL. */
static enum bbt_rc check_bytes(
    const struct rows *rows, const char *text, size_t len, struct bbt_err *err)
{
    size_t bad = utf8_first_bad(text, len);
    const char *nul = len ? memchr(text, 0, bad) : NULL;

    if (nul)
        return rows_fail(rows, line_of(text, (size_t)(nul - text)), err,
            "a NUL byte (is this a text file? save it as UTF-8)");
    if (bad < len)
        return rows_fail(rows, line_of(text, bad), err,
            "byte 0x%02X is not UTF-8 (save the file as UTF-8)", (uint8_t)text[bad]);
    return BBT_OK;
}

enum bbt_rc dataset_parse(const void *bytes, size_t len, enum dataset_format format,
    const struct dataset_columns *cols, const char *name, struct dataset **ret,
    struct bbt_err *err)
{
    static const struct dataset_columns usual;
    const char *text = bytes;
    struct rows rows;
    enum bbt_rc rc;

    if (len > DATASET_BYTES_MAX)
        return bbt_fail(err, BBT_INVALID, "%s: %zu bytes (at most %u)", name, len,
            DATASET_BYTES_MAX);
    rows_init(&rows, name);
    rc = check_bytes(&rows, text, len, err);
    if (rc != BBT_OK)
        goto out;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3; /* byte order mark */
        len -= 3;
    }
    cols = cols ? cols : &usual;
    if (format == DATASET_JSONL)
        rc = jsonl_parse(text, len, cols, &rows, err);
    else
        rc = dsv_parse(text, len, format == DATASET_CSV ? ',' : '\t', cols, &rows, err);
    if (rc == BBT_OK)
        rc = rows_take(&rows, ret, err);
out:
    rows_fini(&rows);
    return rc;
}

uint64_t dataset_digest(const struct dataset_row *row)
{
    uint64_t both[2] = {digest_short(row->text_a, strlen(row->text_a)), 0};

    if (!row->text_b)
        return both[0];
    both[1] = digest_short(row->text_b, strlen(row->text_b));
    return digest_short(both, sizeof both);
}
