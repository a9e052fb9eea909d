/* Any bytes on their way to a terminal: the result is UTF-8 without anything that steers, and
 * stays as it is when it is made safe once more. */
#include "base/alloc.h"
#include "safe.h"
#include "text/utf8.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = bbt_strndup((const char *)data, size);
    struct bbt_buf one, two;

    buf_init(&one, SIZE_MAX);
    buf_init(&two, SIZE_MAX);
    assert(buf_puts(&one, "") == BBT_OK && safe_put(&one, text) == BBT_OK);
    assert(utf8_first_bad(one.data, one.len) == one.len);
    for (size_t i = 0; i < one.len; i++) {
        assert(one.data[i] >= 0x20 && one.data[i] != 0x7f);
        assert(one.data[i] != 0xc2 || one.data[i + 1] >= 0xa0);
    }
    assert(buf_puts(&two, "") == BBT_OK);
    assert(safe_put(&two, (const char *)one.data) == BBT_OK);
    assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    for (size_t w = 0; w < 20; w++) {
        size_t n = safe_fit((const char *)one.data, w);

        assert(n <= one.len && utf8_cut(one.data, one.len, n) == n);
    }
    buf_fini(&one);
    buf_fini(&two);
    bbt_free(text);
    return 0;
}
