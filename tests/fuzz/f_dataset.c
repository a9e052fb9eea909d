/* Data files: the first byte picks the format. Rows that come out are whole texts, in the
 * file's order, and the same bytes give the same rows. */
#include "text/dataset.h"
#include "text/utf8.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
    size_t len = strlen(s);

    assert(len <= DATASET_FIELD_MAX);
    assert(utf8_first_bad(s, len) == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bbt_err err = {0};
    struct dataset *d = NULL;
    enum dataset_format format;
    uint32_t line = 0;
    size_t digits;

    if (size == 0)
        return 0;
    format = (enum dataset_format)(data[0] % DATASET_FORMAT_NR);
    if (dataset_parse(data + 1, size - 1, format, NULL, "fuzz", &d, &err) != BBT_OK) {
        assert(!d && err.rc == BBT_INVALID);
        assert(strncmp(err.msg, "fuzz:", 5) == 0);
        digits = strspn(err.msg + 5, "0123456789");
        assert(digits ? err.msg[5 + digits] == ':' : strstr(err.msg, "no rows") != NULL);
        return 0;
    }
    assert(d->n > 0);
    for (size_t i = 0; i < d->n; i++) {
        const struct dataset_row *r = &d->rows[i];

        check_text(r->text_a);
        if (r->text_b)
            check_text(r->text_b);
        if (r->label)
            check_text(r->label);
        assert(r->line > line);
        line = r->line;
    }
    dataset_free(d);
    return 0;
}
