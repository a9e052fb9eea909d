/* f_lmconf.c -- a model's config.json: sizes that are taken can be multiplied. */
#include "lmconf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bbt_err err = {0};
    struct lmconf c;

    if (lmconf_parse(data, size, "config.json", &c, &err) != BBT_OK) {
        if (err.rc != BBT_INVALID || !err.msg[0])
            abort();
        return 0;
    }
    if (!c.hidden || !c.heads || c.hidden % c.heads || c.first_pos + c.tokens != c.positions ||
        c.pad >= c.vocab || !(c.eps > 0) || c.vocab > SIZE_MAX / c.hidden / 4)
        abort();
    return 0;
}
