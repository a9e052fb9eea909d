/* f_lex.c -- a job's table of tokens, as it stands in the database. What is taken is sorted, and
 * is written as it was read. */
#include "engine/lex.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lex l = {0};
    struct bbt_err err = {0};
    struct bbt_buf b;
    enum bbt_rc rc = lex_load(data, size, &l, &err);

    if (rc != BBT_OK) {
        if (rc != BBT_CORRUPT || err.rc != rc || l.item)
            abort();
        return 0;
    }
    for (size_t i = 1; i < l.n; i++)
        if (l.item[i].digest <= l.item[i - 1].digest)
            abort();
    buf_init(&b, SIZE_MAX);
    if (lex_save(&l, &b, &err) != BBT_OK || b.len != size || memcmp(b.data, data, size) != 0)
        abort();
    buf_fini(&b);
    lex_fini(&l);
    return 0;
}
