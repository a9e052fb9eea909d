/* Whatever safetens_parse() takes must have all its tensors inside the bytes, readable. */
#include "base/alloc.h"
#include "num/safetens.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_item(const struct safetens_item *it, const uint8_t *data, size_t size)
{
    float *out;

    assert(it->bytes >= data && it->len <= size);
    assert(it->bytes + it->len <= data + size);
    if (it->type == SAFETENS_OTHER)
        return;
    out = bbt_alloc_array(it->count, sizeof *out);
    assert(out && safetens_floats(it, out, NULL) == BBT_OK);
    bbt_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetens *st = NULL;
    struct bbt_err err = {0};
    size_t sum = 0;

    if (safetens_parse(data, size, "fuzz", &st, &err) != BBT_OK) {
        assert(!st && err.msg[0]);
        return 0;
    }
    for (size_t i = 0; i < safetens_count(st); i++) {
        const struct safetens_item *it = safetens_at(st, i);

        assert(safetens_find(st, it->name) == it);
        read_item(it, data, size);
        sum += it->len;
    }
    assert(sum <= size); /* no byte belongs to two */
    safetens_free(st);
    return 0;
}
